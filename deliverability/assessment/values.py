"""The words and values an assessment is told in: codes, figures and evidence, never sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | int | float
Values = Mapping[str, Value]


class Basis(StrEnum):
    """Where a figure comes from.

    MEASURED: counted by ourselves (seeds read, answers of mail servers). INFERRED: concluded from what
    people did, or a sender's part of what was counted for several. DECLARED: a provider says so. UNKNOWN:
    nobody knows.
    """

    MEASURED = "measured"
    INFERRED = "inferred"
    DECLARED = "declared"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """The traffic light, from good to grave; GREY: nothing is known that would allow a judgement."""

    GREEN = "green"
    GREY = "grey"
    AMBER = "amber"
    RED = "red"

    @property
    def gravity(self) -> int:
        """0 of GREEN, 3 of RED."""
        return _GRAVITY[self]


_GRAVITY: Mapping[Status, int] = {status: place for place, status in enumerate(Status)}


class Word(StrEnum):
    """The verdict on an identity at a provider, in one word.

    The first is good news. NOT_TESTED: no seed there; NOT_ASSESSABLE: too few of everything;
    NOTHING_SENT: no mail went there. The others name what is wrong: PROBABLE_SPAM is inferred from what
    people did not do, SPAM was seen.
    """

    INBOX = "inbox"
    NOTHING_SENT = "nothing_sent"
    NOT_TESTED = "not_tested"
    NOT_ASSESSABLE = "not_assessable"
    DECLARED = "declared"
    BOUNCES = "bounces"
    COMPLAINTS = "complaints"
    UNAUTHENTICATED = "unauthenticated"
    SLOWED = "slowed"
    MISSING = "missing"
    MIXED = "mixed"
    PROBABLE_SPAM = "probable_spam"
    SPAM = "spam"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a verdict: `part` of `whole`, its 95 % interval, and where it comes from.

    `key`: what it is a share of, as the limits name it (inbox, hard, deferred, complaints…). With fewer
    than `fewest` observations it is shown, and not judged. `low`, `high` are None of nothing.
    """

    key: str
    part: int
    whole: int
    low: float | None
    high: float | None
    basis: Basis
    fewest: int = 1

    @property
    def value(self) -> float | None:
        """Between 0 and 1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def assessable(self) -> bool:
        """Whether there are enough observations for a judgement."""
        return self.whole >= self.fewest


class EvidenceKind(StrEnum):
    """What a statement rests on, and where to look: a page can make a link of it."""

    SEEDS = "seeds"
    CLICKS = "clicks"
    REFUSALS = "refusals"
    DEFERRALS = "deferrals"
    BOUNCES = "bounces"
    COMPLAINTS = "complaints"
    DECLARED = "declared"
    AUTHENTICATION = "authentication"
    HEALTH = "health"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of it. `reference`: an incident's number, a declared source, a class of refusals; or ""."""

    kind: EvidenceKind
    basis: Basis
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that was found: a code, the values that belong in its sentence, and what it rests on.

    `word`: the verdict it would be if there were nothing graver.
    """

    code: str
    status: Status
    word: Word
    basis: Basis
    values: Values = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A trap or a gap that belongs beside a figure, and changes no verdict (`declared_rate_blind`…)."""

    code: str
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The verdict on one identity at one provider: the gravest reason, and all the others after it.

    `figures`: everything it was taken from, assessable or not.
    """

    status: Status
    word: Word
    basis: Basis
    reasons: tuple[Reason, ...]
    figures: tuple[Figure, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def reason_key(self) -> str:
        """The code of the gravest reason."""
        return self.reasons[0].code

    @property
    def reason_values(self) -> Values:
        """What belongs in its sentence."""
        return self.reasons[0].values

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What all the reasons rest on, each once, that of the gravest first."""
        return tuple(dict.fromkeys(piece for reason in self.reasons for piece in reason.evidence))

    def figure(self, key: str) -> Figure | None:
        """The figure of that name, if it was taken."""
        return next((figure for figure in self.figures if figure.key == key), None)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next: a code, values, whom it is about, and the evidence; most pressing first.

    `provider` "": not about one. `identity_id` None: the whole campaign or installation.
    """

    code: str
    status: Status
    provider: str = ""
    identity_id: int | None = None
    values: Values = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
