"""What really happened, counted on the receiving side.

The product counts too; where the two disagree one of them is wrong. So nothing in here is taken from
the product: a message counts when its last byte was answered with 250, a click when the service answered.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class MailTally:
    """Counts of one provider, one sender, or both together.

    `taken` counts distinct messages (Message-ID and recipient). `refused` and `deferred` count answers by
    code and status, as in "550 5.1.1"; `unsubscribes` counts one-click posts by the HTTP status they got;
    `seeds` counts messages to seed mailboxes by folder, which `taken` counts as well.
    """

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    deferred: Counter[str] = field(default_factory=Counter)
    bounces_hard: int = 0
    bounces_soft: int = 0
    complaints: int = 0
    vacations: int = 0
    clicks: int = 0
    scans: int = 0
    unsubscribes: Counter[int] = field(default_factory=Counter)
    seeds: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "MailTally") -> "MailTally":
        """Both together."""
        return MailTally(
            taken=self.taken + other.taken,
            refused=self.refused + other.refused,
            deferred=self.deferred + other.deferred,
            bounces_hard=self.bounces_hard + other.bounces_hard,
            bounces_soft=self.bounces_soft + other.bounces_soft,
            complaints=self.complaints + other.complaints,
            vacations=self.vacations + other.vacations,
            clicks=self.clicks + other.clicks,
            scans=self.scans + other.scans,
            unsubscribes=self.unsubscribes + other.unsubscribes,
            seeds=self.seeds + other.seeds,
        )


@dataclass(slots=True)
class SmsTally:
    """Text messages: what was taken (201), what became of it, what was refused by Twilio error code.

    `doubles` are (number, text) pairs taken more than once. `segments` is what would have been paid for.
    """

    taken: int = 0
    segments: int = 0
    delivered: int = 0
    undelivered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    callbacks: Counter[int] = field(default_factory=Counter)
    stops: int = 0
    answers: int = 0
    doubles: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that should not have been sent like this."""

    message_id: str
    recipient: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A message to somebody who had opted out: `how`, and how many seconds before the message came.

    Fractions of a second mean that it was on the wire when the person opted out.
    """

    address: str
    sender: str
    how: str
    seconds_after: float


@dataclass(frozen=True, slots=True)
class WorldTally:
    """Everything the world saw, up to the moment of asking.

    `rows` is keyed by provider and sender; the sender is the From address, or "@" and the domain of the
    return path for answers given before a message was seen and whose From could not be told. `doubles`
    are (Message-ID, recipient) taken more than once. `asked_again` are addresses refused for good and
    tried again later. `misrouted` are recipients offered to a provider that is not theirs. `dkim` counts
    a sample by "pass", "fail" and "unsigned". `notices` counts reports and answers mailed to the service
    by "sent" and "failed". `problems` are errors of the sandbox itself: none is expected.
    """

    rows: dict[tuple[str, str], MailTally]
    sms: SmsTally
    doubles: tuple[tuple[str, str], ...]
    malformed: tuple[Malformed, ...]
    after_opt_out: tuple[Unwanted, ...]
    asked_again: tuple[str, ...]
    misrouted: tuple[str, ...]
    dkim: Counter[str]
    notices: Counter[str]
    problems: tuple[str, ...]

    @property
    def total(self) -> MailTally:
        """All providers and senders together."""
        return _add_up(self.rows.values())

    @property
    def providers(self) -> dict[str, MailTally]:
        """By provider."""
        return {key: self.of(provider=key) for key in sorted({provider for provider, _ in self.rows})}

    @property
    def senders(self) -> dict[str, MailTally]:
        """By sender."""
        return {key: self.of(sender=key) for key in sorted({sender for _, sender in self.rows})}

    def of(self, *, provider: str | None = None, sender: str | None = None) -> MailTally:
        """One provider, one sender, or one at the other; zeros when nothing was seen."""
        return _add_up(
            row
            for (row_provider, row_sender), row in self.rows.items()
            if provider in {None, row_provider} and sender in {None, row_sender}
        )


def _add_up(rows: Iterable[MailTally]) -> MailTally:
    return sum(rows, MailTally())
