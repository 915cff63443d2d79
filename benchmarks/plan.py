"""What to measure: the wishes typed after `tocsin bench send`, checked."""

from dataclasses import dataclass
from enum import StrEnum

from models.errors import BadInputError


class Signing(StrEnum):
    """Who signs: the product (DKIM, RSA-2048), or a relay behind it, which gets the messages unsigned."""

    PRODUCT = "product"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class SendPlan:
    """One configuration to measure. `database_url`: a PostgreSQL server's; empty for a SQLite file.

    `threads` and `scribes`: those of a sending process that build and sign, 0 and None for the product's own
    choice. `round_trip_ms`: of the wire
    to the relay. `run_recipients` go out in each of `runs` runs, after `warm_up` others; with `growth`, ten
    times as many go out in one more.
    """

    run_recipients: int = 10_000
    runs: int = 5
    warm_up: int = 2_000
    database_url: str = ""
    processes: int = 1
    threads: int = 0
    scribes: int | None = None
    connections: int = 10
    signing: Signing = Signing.PRODUCT
    ed25519: bool = False
    tls: bool = False
    round_trip_ms: float = 0
    nodemailer: bool = False
    yardsticks: bool = True
    growth: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """The recipients of each run; with `growth` a last one ten times as large."""
        return (self.run_recipients,) * self.runs + ((self.run_recipients * 10,) if self.growth else ())

    @property
    def total(self) -> int:
        """Everybody who will be written to."""
        return self.warm_up + sum(self.sizes)

    def __post_init__(self) -> None:
        """BadInputError for what cannot be measured."""
        if self.processes > 1 and not self.database_url:
            raise BadInputError(
                "Several processes on one database need PostgreSQL.", "Give --database-url postgresql://…"
            )
        if min(self.run_recipients, self.runs, self.processes, self.connections) < 1:
            raise BadInputError("Recipients, runs, processes and connections are at least one each.")
