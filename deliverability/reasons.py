"""The fine reason of a refusal, in the words operators know, beside the verdict and never instead of it.

The verdict (`deliverability.classify`) decides what follows; the reason explains it on a page and can be
compared with other tools. Its table is `rules/reasons.toml`: phrases, not patterns. A phrase is looked for
as it is, `…` in it stands for up to 90 other letters; `near` is any word of one list close to any of
another, in whatever order: what no phrase foresaw is mostly said so. All are found by three of their
letters that few others have: so thousands of them cost less than a few regular expressions, and none can
run away on a stranger's text.
"""

import re
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from models.states import BounceClass, Fault, Permanence
from models.values import Verdict

MAX_TEXT = 1000
_GAP = 90
_REACH = 45
"""How many letters apart two words still speak of each other."""
_IN_NAMES = frozenset("._@/=")
_GOES_ON = re.compile(r"[.@][a-z0-9]")
_SPACES = re.compile(r"\s+")
_LETTERS = str.maketrans(
    {"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"}
)
"""Letters that Unicode does not take for others with a mark."""
_COMMANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "data",
        (
            "end of data",
            "to data command",
            "after data",
            "following data",
            "our final data",
            "our data",
            "failed after i sent the message",
            "(data)",
            "reply to data",
            "pipelined data",
            "text command",
        ),
    ),
    (
        "rcpt",
        (
            "reply to rcpt",
            "[rcpt_to]",
            "rcpt command",
            "after rcpt",
            "our rcpt",
            "progress was rcpt to",
            "does not like recipient",
            "rejected recipient",
            "error from rcpt",
            "while rcpt",
            "(rcpt)",
        ),
    ),
    (
        "mail",
        (
            "reply to mail",
            "after mail from",
            "our mail from",
            "sender was rejected",
            "mail command",
            "[mail_from]",
            "rejected sender",
            "progress was mail from",
        ),
    ),
    (
        "connect",
        (
            "initial connection",
            "after ehlo",
            "after helo",
            "reply to ehlo",
            "reply to helo",
            "our ehlo",
            "helo command",
            "ehlo command",
            "but greeting failed",
            "refused to talk to me",
            "smtp greeting",
        ),
    ),
)
_LAST_SENT = re.compile(r">>> ?(rcpt|data|mail|ehlo|helo|\.)", re.IGNORECASE)


class Reason(StrEnum):
    """Why it was refused, by the field's usual words."""

    USERUNKNOWN = "userunknown"
    HOSTUNKNOWN = "hostunknown"
    HASMOVED = "hasmoved"
    SUSPEND = "suspend"
    FILTERED = "filtered"
    SUPPRESSED = "suppressed"
    MAILBOXFULL = "mailboxfull"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    BADREPUTATION = "badreputation"
    AUTHFAILURE = "authfailure"
    REQUIREPTR = "requireptr"
    POLICYVIOLATION = "policyviolation"
    NORELAYING = "norelaying"
    SECURITYERROR = "securityerror"
    NOTCOMPLIANTRFC = "notcompliantrfc"
    FAILEDSTARTTLS = "failedstarttls"
    SPAMDETECTED = "spamdetected"
    VIRUSDETECTED = "virusdetected"
    CONTENTERROR = "contenterror"
    EMAILTOOLARGE = "emailtoolarge"
    NETWORKERROR = "networkerror"
    EXPIRED = "expired"
    SYSTEMERROR = "systemerror"
    SYSTEMFULL = "systemfull"
    RATELIMITED = "ratelimited"
    MAILERERROR = "mailererror"
    NOTACCEPT = "notaccept"
    SYNTAXERROR = "syntaxerror"
    UNDEFINED = "undefined"
    DELIVERED = "delivered"
    FEEDBACK = "feedback"
    VACATION = "vacation"


CAUSE = "cause"
"""Under this name it stands among the details of a piece of news."""


def cause_of(reason: Reason | None) -> dict[str, str]:
    """The detail that tells a reason; nothing when none is known."""
    return {} if reason in {None, Reason.UNDEFINED} else {CAUSE: str(reason)}


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of one refusal. `host`: who said it; `context`: more of the letter, for its command."""

    text: str
    code: int | None = None
    enhanced: str | None = None
    host: str = ""
    context: str = ""
    is_delay: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    reason: Reason
    phrases: tuple[tuple[str, ...], ...]
    """Each in the parts between its gaps."""
    near: tuple[tuple[str, ...], tuple[str, ...]] | None
    enhanced: re.Pattern[str] | None
    not_enhanced: re.Pattern[str] | None
    codes: frozenset[int]
    commands: frozenset[str]
    hosts: tuple[str, ...]
    temporary: bool | None

    def fits(self, said: Said, command: str, *, temporary: bool) -> bool:
        """Whether all but its phrases fit."""
        status = said.enhanced or ""
        return (
            (not self.codes or said.code in self.codes)
            and (not self.commands or command in self.commands)
            and (self.temporary is None or self.temporary == temporary)
            and (self.enhanced is None or self.enhanced.fullmatch(status) is not None)
            and (self.not_enhanced is None or self.not_enhanced.fullmatch(status) is None)
            and (not self.hosts or any(host in said.host for host in self.hosts))
        )


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows, those without phrases, and which phrases of which rows are looked for at which three letters.

    Phrases of two letters (Japanese, Chinese) stand under "": they are looked for in every text.
    """

    rows: tuple[_Row, ...]
    wordless: frozenset[int]
    by_letters: Mapping[str, tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]]
    """For each number of a row a phrase in its parts, and the words of which one must be near."""

    def said_in(self, text: str) -> set[int]:
        """The numbers of the rows of which a phrase stands in `text`, and of those that have none."""
        found = set(self.wordless)
        seen = {"", *_threes(text)}
        for letters in seen & self.by_letters.keys():
            for number, parts, near in self.by_letters[letters]:
                if (
                    number not in found
                    and parts[0] in text
                    and (len(parts) == 1 or _stands(parts, text))
                    and (not near or _is_near(parts[0], near, text))
                ):
                    found.add(number)
        return found


def reason_of(said: Said) -> Reason:
    """The reason of a refusal; UNDEFINED when nothing in the table speaks of it."""
    text = plain(said.text)
    command = command_in(text) or command_in(plain(said.context))
    status = said.enhanced or ""
    temporary = status.startswith("4") or (not status and said.code is not None and said.code < 500)
    temporary = temporary or said.is_delay
    table = _table()
    for number in sorted(table.said_in(text)):
        if table.rows[number].fits(said, command, temporary=temporary):
            return table.rows[number].reason
    return Reason.UNDEFINED


def command_in(text: str) -> str:
    """At which command of the SMTP dialogue it was refused: connect, mail, rcpt, data, or ""."""
    sent = _LAST_SENT.findall(text)
    if sent:
        word = str(sent[-1]).lower()
        return {"ehlo": "connect", "helo": "connect", ".": "data"}.get(word, word)
    return next((name for name, signs in _COMMANDS if any(sign in text for sign in signs)), "")


def plain(text: str) -> str:
    """Text as phrases are written: one line, lower case, without accents or curly quotes."""
    text = text[:MAX_TEXT]
    if not text.isascii():
        text = text.translate(_LETTERS)
        text = unicodedata.normalize("NFKD", text.replace("\u2019", "'").replace("…", "\0")).replace(
            "\0", "…"
        )
        text = "".join(sign for sign in text if not unicodedata.combining(sign))
    return str(_SPACES.sub(" ", text)).lower()


def _stands(parts: tuple[str, ...], text: str) -> bool:
    place = text.find(parts[0])
    # Each first part is tried once, and the rest within reach of it: linear in the text.
    for _ in range(8):
        end = place + len(parts[0])
        for part in parts[1:]:
            # The gap may be nothing but the blank that both parts end in.
            after = end - 1 if part[0] == text[end - 1] == " " else end
            following = text.find(part, after, end + _GAP + len(part))
            if following < 0:
                break
            end = following + len(part)
        else:
            return True
        place = text.find(parts[0], place + 1)
        if place < 0:
            return False
    return False


def _is_near(word: str, others: tuple[str, ...], text: str) -> bool:
    place = text.find(word)
    for _ in range(8):
        end = place + len(word)
        # Not in the name of a host; a part of a longer word it may be (`Benutzerkonto`).
        if text[place - 1 : place] not in _IN_NAMES and not _GOES_ON.match(text, end):
            around = " " + text[max(0, place - _REACH) : end + _REACH]
            for other in others:
                if other in around and _begins(other, around):
                    return True
        place = text.find(word, place + 1)
        if place < 0:
            return False
    return False


def _begins(word: str, text: str) -> bool:
    """Whether `word`, which is in `text`, is the beginning of a word there at its first two places."""
    place = text.find(word)
    if not text[place - 1].isalnum() or not word[0].isalnum():
        return True
    place = text.find(word, place + 1)
    return place >= 0 and not text[place - 1].isalnum()


def verdict_of(reason: Reason, *, permanent: bool) -> Verdict | None:
    """The verdict that follows from a reason alone; None when none does.

    Words prove nothing against a person: for good, the recipient is blamed by a status only
    (`deliverability.classify`).
    """
    found = _verdicts().get(reason)
    if found is None:
        return None
    bounce_class, fault, stated = found
    permanence = stated or (Permanence.HARD if permanent else Permanence.SOFT)
    if fault is Fault.RECIPIENT and permanence is Permanence.HARD:
        fault = Fault.UNKNOWN
    return Verdict(bounce_class, fault, permanence, f"reason-{reason.value}")


@cache
def _verdicts() -> dict[Reason, tuple[BounceClass, Fault, Permanence | None]]:
    return {
        Reason(name): (
            BounceClass(row["class"]),
            Fault(row["fault"]),
            Permanence(row["permanence"]) if "permanence" in row else None,
        )
        for row in _file()["verdicts"]
        for name in row["reasons"]
    }


@cache
def _file() -> dict[str, Any]:
    text = (resources.files("deliverability") / "rules" / "reasons.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _table() -> _Table:
    rows = tuple(_row(row) for row in _file()["reasons"])
    spoken: list[tuple[int, tuple[str, ...], tuple[str, ...]]]
    spoken = [(number, parts, ()) for number, row in enumerate(rows) for parts in row.phrases]
    spoken += [
        (number, (word,), row.near[1]) for number, row in enumerate(rows) if row.near for word in row.near[0]
    ]
    common = Counter(letters for _, parts, _ in spoken for letters in _threes(parts[0]))
    by_letters: defaultdict[str, list[tuple[int, tuple[str, ...], tuple[str, ...]]]] = defaultdict(list)
    for number, parts, near in spoken:
        rarest = min(_threes(parts[0]), key=lambda letters: (common[letters], letters), default="")
        by_letters[rarest].append((number, parts, near))
    return _Table(
        rows=rows,
        wordless=frozenset(number for number, row in enumerate(rows) if not row.phrases and not row.near),
        by_letters={letters: tuple(found) for letters, found in by_letters.items()},
    )


def _threes(text: str) -> list[str]:
    return [text[place : place + 3] for place in range(len(text) - 2)]


def _words(words: str | list[str]) -> tuple[str, ...]:
    """A list of words, or the one of that name in the file."""
    return tuple(plain(word) for word in (_file()["words"][words] if isinstance(words, str) else words))


def _row(row: dict[str, Any]) -> _Row:
    near = row.get("near")
    return _Row(
        reason=Reason(row["reason"]),
        phrases=tuple(tuple(plain(phrase).split("…")) for phrase in row.get("phrases", ())),
        near=(_words(near[0]), _words(near[1])) if near else None,
        enhanced=re.compile(row["enhanced"]) if "enhanced" in row else None,
        not_enhanced=re.compile(row["not_enhanced"]) if "not_enhanced" in row else None,
        codes=frozenset(row.get("codes", ())),
        commands=frozenset(row.get("commands", ())),
        hosts=tuple(row.get("hosts", ())),
        temporary=row.get("temporary"),
    )
