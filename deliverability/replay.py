"""Answers read again: those no rule knew, for review, and what other rules would have made of the past."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import classify_reply
from deliverability.rulebook import RuleBook
from deliverability.suppression import reason_for
from models.states import BounceClass, EventKind, Fault, Permanence
from models.values import Reply, Verdict
from store import replies
from store.replies import Said

MOST_READ = 200_000
"""Answers read back at most: the newest ones."""
_VARYING = (
    (re.compile(r"[\w.+-]+@[\w.-]+"), "<address>"),
    (
        re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}\b", re.IGNORECASE),
        "<ip>",
    ),
    (re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[\w.-]{8,}\b"), "<id>"),
    (re.compile(r"\d{4,}"), "<number>"),
)


@dataclass(frozen=True, slots=True)
class Unread:
    """Answers of one form that no rule knows; `text` with what varies left out, `example` as it came."""

    provider: str
    code: int | None
    enhanced: str | None
    text: str
    count: int
    last_at: datetime
    example: str


@dataclass(frozen=True, slots=True)
class Change:
    """Answers that the rules would read differently; `before` and `after` name the rule and the class."""

    provider: str
    before: str
    after: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What other rules would have changed: answers `read`, and people written to no more, or again."""

    read: int
    changes: tuple[Change, ...]
    would_suppress: int
    would_spare: int


async def review(session: AsyncSession, *, since: datetime) -> list[Unread]:
    """Answers since a moment that no rule knew, the most frequent first."""
    counts: Counter[tuple[str, int | None, str | None, str]] = Counter()
    newest: dict[tuple[str, int | None, str | None, str], Said] = {}
    async for said in replies.answers(session, since=since, unread=True, limit=MOST_READ):
        form = (said.provider, said.code, said.enhanced, skeleton(said.text))
        counts[form] += 1
        newest.setdefault(form, said)
    return [
        Unread(*form, count=count, last_at=newest[form].at, example=newest[form].text)
        for form, count in counts.most_common()
    ]


async def replay(session: AsyncSession, book: RuleBook, *, since: datetime) -> Replay:
    """Read the answers since a moment by `book`; nothing is changed."""
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    read = would_suppress = would_spare = 0
    async for said in replies.answers(session, since=since, limit=MOST_READ):
        read += 1
        before, after = _as_read(said), _by(book, said)
        if (before.rule, before.bounce_class, before.fault) == (after.rule, after.bounce_class, after.fault):
            continue
        form = (said.provider, _name(before), _name(after))
        counts[form] += 1
        examples.setdefault(form, said.text)
        if said.kind is EventKind.REFUSED:
            suppressed, would = reason_for(before) is not None, reason_for(after) is not None
            would_suppress += would and not suppressed
            would_spare += suppressed and not would
    changes = [Change(*form, count=count, example=examples[form]) for form, count in counts.most_common()]
    return Replay(read, tuple(changes), would_suppress, would_spare)


def skeleton(text: str) -> str:
    """An answer without addresses, numbers and names of queues, so that two of a kind are alike."""
    words = " ".join(text.split())
    for pattern, name in _VARYING:
        words = pattern.sub(name, words)
    return words[:300]


def _as_read(said: Said) -> Verdict:
    return Verdict(
        said.bounce_class or BounceClass.UNKNOWN,
        said.fault or Fault.UNKNOWN,
        said.permanence or Permanence.SOFT,
        said.rule,
    )


def _by(book: RuleBook, said: Said) -> Verdict:
    reply = Reply(said.code, said.enhanced, said.text)
    permanent = said.kind is EventKind.REFUSED
    verdict = classify_reply(
        reply, provider=said.provider, channel=said.channel, permanent=permanent, book=book
    )
    return replace(verdict, rule=verdict.rule)


def _name(verdict: Verdict) -> str:
    return f"{verdict.rule or 'no rule'} ({verdict.bounce_class.value})"
