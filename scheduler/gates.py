"""What keeps a delivery from leaving, asked last thing before it would.

Each guard is a sentence, each no has a reason.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from models.contact import Contact
from models.delivery import Delivery
from models.states import Channel, ConsentStatus, DeliveryState, EventKind


@dataclass(frozen=True, slots=True)
class Stop:
    """A delivery that does not leave: where it goes instead, and why."""

    state: DeliveryState
    kind: EventKind
    reason: str


def stop_if_too_late(delivery: Delivery, now: datetime) -> Stop | None:
    """Past `not_after` nothing leaves, retries included."""
    if delivery.not_after is not None and delivery.not_after <= now:
        return Stop(DeliveryState.EXPIRED, EventKind.EXPIRED, "its time had passed")
    return None


def stop_if_suppressed(fingerprint: str, suppressed: Collection[str]) -> Stop | None:
    """An address suppressed since the launch is not written to, though it was queued."""
    if fingerprint in suppressed:
        return Stop(
            DeliveryState.SUPPRESSED, EventKind.SUPPRESSED, "the address was suppressed after the launch"
        )
    return None


def stop_if_withdrawn(contact: Contact | None, channel: Channel) -> Stop | None:
    """Who took back their consent since the launch is not written to."""
    if contact is None:
        return None
    consent = contact.email_consent if channel is Channel.EMAIL else contact.sms_consent
    if consent is ConsentStatus.WITHDRAWN:
        return Stop(DeliveryState.SUPPRESSED, EventKind.SUPPRESSED, "consent was withdrawn after the launch")
    return None


def stop_if_gone(delivery: Delivery, contact: Contact | None) -> Stop | None:
    """A person erased since the launch, or whose address changed, is not written to at the old one."""
    if delivery.seed_id is not None:
        return None
    address = None
    if contact is not None:
        address = contact.email if delivery.channel is Channel.EMAIL else contact.phone
    if address != delivery.address:
        return Stop(DeliveryState.CANCELLED, EventKind.CANCELLED, "the contact or its address is gone")
    return None


def hold(reason: str) -> Stop:
    """A delivery that a person must look at: its message could not be made."""
    return Stop(DeliveryState.HELD, EventKind.HELD, reason)
