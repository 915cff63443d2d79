"""Parcels that note what becomes of them, for tests that count."""

from collections.abc import Callable
from dataclasses import dataclass, field

from models.values import Outcome
from sender import Parcel
from sender.transport import Transport
from tests.sender.conftest import a_letter


@dataclass
class Ledger:
    """Who was on the wire and what came of it, in order; `undecided` is who is between the two."""

    told: dict[str, list[Outcome | None]] = field(default_factory=dict)
    wired: list[str] = field(default_factory=list)
    undecided: set[str] = field(default_factory=set)
    most_undecided: int = 0

    def parcel(
        self,
        recipient: str,
        *,
        provider: str = "other",
        size: int = 0,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Parcel:
        self.told[recipient] = []

        def on_wire() -> None:
            self.wired.append(recipient)
            self.undecided.add(recipient)
            self.most_undecided = max(self.most_undecided, len(self.undecided))

        def done(outcome: Outcome | None) -> None:
            self.told[recipient].append(outcome)
            self.undecided.discard(recipient)

        data = bytes(a_letter().data) + (b"." + b"x" * 70 + b"\r\n") * (size // 73)
        return Parcel(a_letter(recipient=recipient, data=data), provider, on_wire, done, is_wanted)

    def offer(self, transport: Transport, count: int, *, size: int = 0) -> list[str]:
        """Offer so many parcels, numbered; their recipients."""
        recipients = [f"p{len(self.told) + number}@inbox.test" for number in range(count)]
        for recipient in recipients:
            transport.offer(self.parcel(recipient, size=size))
        return recipients

    @property
    def outcomes(self) -> list[Outcome | None]:
        return [outcome for told in self.told.values() for outcome in told]
