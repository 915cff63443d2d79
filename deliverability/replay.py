"""Answers read again: those no rule knew, for review, and what other rules would have made of the past."""

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import classify_reply, is_unproven, rules_in_force
from deliverability.consequences import Consequence, Consequences
from deliverability.policy import FAILURES
from deliverability.rulebook import RuleBook
from deliverability.suppression import foresee, weigh
from models.event import Event
from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from models.values import Reply, Verdict
from store import Database, events, identities, replies
from store.replies import Said

A_TURN = 25
"""Answers read before others have their turn: some take the rules a third of a millisecond."""
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
    """Answers that the rules would read differently; `before` and `after` name the rule and the class.

    `unproven`: how many of them the rule blames on the recipient for good, and cannot prove.
    """

    provider: str
    before: str
    after: str
    count: int
    example: str
    unproven: int = 0

    @property
    def rule(self) -> str:
        """The rule they would be read by."""
        return self.after.rpartition(" (")[0]


def unproven_rules(changes: Iterable[Change]) -> list[str]:
    """The rules by which nobody is suppressed, though they say so."""
    return sorted({one.rule for one in changes if one.unproven})


@dataclass(frozen=True, slots=True)
class Replay:
    """What other rules would have changed: answers `read`, and people written to no more, or again.

    `consequences`: what would have been slowed, rested or held more often, or less often.
    """

    read: int
    changes: tuple[Change, ...]
    would_suppress: int
    would_spare: int
    consequences: tuple[Consequence, ...] = ()


async def review(session: AsyncSession, *, since: datetime) -> list[Unread]:
    """Answers since a moment that no rule knew, the most frequent first."""
    counts: Counter[tuple[str, int | None, str | None, str]] = Counter()
    newest: dict[tuple[str, int | None, str | None, str], Said] = {}
    read = 0
    async for said in replies.answers(session, since=since, unread=True, limit=MOST_READ):
        form = (said.provider, said.code, said.enhanced, skeleton(said.text))
        counts[form] += 1
        read += 1
        if not read % A_TURN:
            await asyncio.sleep(0)
        newest.setdefault(form, said)
    return [
        Unread(*form, count=count, last_at=newest[form].at, example=newest[form].text)
        for form, count in counts.most_common()
    ]


async def replay(
    session: AsyncSession, book: RuleBook, *, since: datetime, routes: Collection[str] = ()
) -> Replay:
    """Read the answers since a moment by `book`; nothing is changed.

    `routes`: the providers that have a server of their own in place of the relay.
    """
    seen, _ = await _read_again(session, book, since, routes)
    return seen


async def carry_out(
    database: Database, book: RuleBook, *, since: datetime, now: datetime, routes: Collection[str] = ()
) -> Replay:
    """Read the answers since a moment by `book`, and act on it: people are suppressed, or spared.

    Each reading that changes is an event of its own, and counts from now on; the old one stays. What was
    carried out already changes nothing, so that it is safe to repeat.
    """
    async with database.read() as session:
        seen, changed = await _read_again(session, book, since, routes)
    for (channel, address), verdicts in changed.items():
        async with database.write() as session:
            for number, verdict in verdicts.items():
                await record_reading(session, number, verdict, now)
            await weigh(session, channel, address, now, why=f"rules {book.version} read it otherwise")
    return seen


async def record_reading(session: AsyncSession, event_id: int, verdict: Verdict, now: datetime) -> bool:
    """Put on record how an event is read from now on; False when it is read so already."""
    event = await session.get(Event, event_id)
    if event is None or event.delivery_id is None:
        return False
    so_far = (await events.rereadings(session, [event.delivery_id])).get(event_id, [])
    if reading_of((so_far or [event])[-1]) == verdict:
        return False
    return await events.append(
        session,
        Event(
            delivery_id=event.delivery_id,
            campaign_id=event.campaign_id,
            identity_id=event.identity_id,
            contact_id=event.contact_id,
            provider=event.provider,
            seed=event.seed,
            kind=EventKind.UNKNOWN,
            permanence=verdict.permanence,
            bounce_class=verdict.bounce_class,
            fault=verdict.fault,
            rule=verdict.rule,
            source=events.REREAD,
            source_id=f"{event_id}/{len(so_far) + 1}",
            details={"event": str(event_id)},
            at=event.at,
            recorded_at=now,
        ),
    )


def reading_of(event: Event | Said) -> Verdict:
    """How an event was read."""
    return Verdict(
        event.bounce_class or BounceClass.UNKNOWN,
        event.fault or Fault.UNKNOWN,
        event.permanence or Permanence.SOFT,
        event.rule,
    )


Changed = dict[tuple[Channel, str], dict[int, Verdict]]
"""What would be read differently of each address, by number of the event."""


async def _read_again(
    session: AsyncSession, book: RuleBook, since: datetime, routes: Collection[str]
) -> tuple[Replay, Changed]:
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    unproven: Counter[tuple[str, str, str]] = Counter()
    changed: Changed = {}
    domains = {one.id: one.dkim_domain or "" for one in await identities.list_identities(session)}
    followed = Consequences(rules_in_force(), book, domains, routes)
    read = 0
    async for said in replies.answers(session, since=since, limit=MOST_READ):
        read += 1
        if not read % A_TURN:
            await asyncio.sleep(0)
        before, after = reading_of(said), _by(book, said)
        followed.note(said, before, after)
        if before == after:
            continue
        form = (said.provider, _name(before), _name(after))
        counts[form] += 1
        unproven[form] += said.kind in FAILURES and is_unproven(after, book)
        examples.setdefault(form, skeleton(said.text))
        if said.kind in FAILURES and said.address and not said.seed:
            changed.setdefault((said.channel, said.address), {})[said.event_id] = after
    would_suppress = would_spare = 0
    for (channel, address), verdicts in changed.items():
        plan = await foresee(session, channel, address, read_as=verdicts)
        would_suppress += plan.missing
        would_spare += len(plan.unfounded)
    changes = tuple(
        Change(*form, count=count, example=examples[form], unproven=unproven[form])
        for form, count in counts.most_common()
    )
    return Replay(read, changes, would_suppress, would_spare, followed.changes()), changed


def skeleton(text: str) -> str:
    """An answer without addresses, numbers and names of queues, so that two of a kind are alike."""
    words = " ".join(text.split())
    for pattern, name in _VARYING:
        words = pattern.sub(name, words)
    return words[:300]


def _by(book: RuleBook, said: Said) -> Verdict:
    reply = Reply(said.code, said.enhanced, said.text)
    permanent = said.kind is EventKind.REFUSED
    return classify_reply(reply, provider=said.provider, channel=said.channel, permanent=permanent, book=book)


def _name(verdict: Verdict) -> str:
    return f"{verdict.rule or 'no rule'} ({verdict.bounce_class.value})"
