"""Who holds which deliveries: claimed in bulk, marked, given back, all under a token that fences.

What a worker needs of a delivery is copied out as a small frozen value: rows that an object mapper keeps
watch over cost more than everything else that is done with them.
"""

from dataclasses import dataclass
from datetime import datetime

from models.delivery import Delivery
from models.states import Channel


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery as it was claimed; `attempts` are those before this one."""

    id: int
    campaign_id: int
    contact_id: int | None
    seed_id: int | None
    channel: Channel
    identity_id: int
    provider: str
    address: str
    due_at: datetime
    not_after: datetime | None
    exempt: bool
    attempts: int
    first_attempt_at: datetime | None

    @classmethod
    def of(cls, row: Delivery) -> "ClaimedDelivery":
        """The value of a row."""
        return cls(*(getattr(row, name) for name in cls.__slots__))
