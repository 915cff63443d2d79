"""What messages cost, as far as the settings say: text messages are paid by the segment, e-mail is not."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

SCALE: Final = 100_000
"""Costs are kept in hundred-thousandths: carriers charge fractions of a cent."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one segment costs, None where nobody said, in a currency (ISO 4217)."""

    segment: Decimal | None = None
    currency: str = "EUR"

    def of(self, segments: int | None) -> int | None:
        """The cost of so many segments, in hundred-thousandths; None where there is nothing to tell."""
        if segments is None or self.segment is None:
            return None
        return int((self.segment * segments * SCALE).to_integral_value())


UNPRICED: Final = Price()


def say_cost(cost: int | None) -> str | None:
    """A cost as decimal text, at least two places: `0.0491`; None for None."""
    if cost is None:
        return None
    exact = Decimal(cost) / SCALE
    return f"{exact:.2f}" if exact == round(exact, 2) else f"{exact.normalize():f}"
