"""What keeps a delivery from leaving, asked last thing before it would.

Each guard is a sentence, each no has a reason; asked in the order in which they stand here.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from models.contact import Contact
from models.delivery import Delivery
from models.segment_tree import day_years_before
from models.states import Channel, ConsentStatus, DeliveryState, EventKind
from scheduler.calendar import SendingWindows, opens
from scheduler.frequency import FrequencyPolicy, next_eligible
from scheduler.silence import Silence
from store.audiences import OLD_ENOUGH
from store.claims import ClaimedDelivery
from store.elections import IN_SILENCE
from store.people import Standing


@dataclass(frozen=True, slots=True)
class Stop:
    """A delivery that does not leave: where it goes instead, and why."""

    state: DeliveryState
    kind: EventKind
    reason: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """A delivery whose hours have not come: when they do."""

    due_at: datetime


MOST_REASON = 200
TOO_LATE = Stop(DeliveryState.EXPIRED, EventKind.EXPIRED, "its time had passed")
CLOSED_TO_THE_END = Stop(
    DeliveryState.EXPIRED, EventKind.EXPIRED, "its sending hours come again only after its time has passed"
)
SUPPRESSED = Stop(
    DeliveryState.SUPPRESSED, EventKind.SUPPRESSED, "the address was suppressed after the launch"
)
WITHDRAWN = Stop(DeliveryState.SUPPRESSED, EventKind.SUPPRESSED, "consent was withdrawn after the launch")
NOT_TO_BE_CHOSEN = Stop(
    DeliveryState.SUPPRESSED,
    EventKind.SUPPRESSED,
    "consent to targeting was withdrawn after the launch",
)
NEVER_TO_BE_CHOSEN = Stop(DeliveryState.SUPPRESSED, EventKind.SUPPRESSED, "there is no consent to targeting")
TOO_YOUNG = Stop(DeliveryState.SUPPRESSED, EventKind.SUPPRESSED, "the person is too young for targeting")
GONE = Stop(DeliveryState.CANCELLED, EventKind.CANCELLED, "the contact or its address is gone")


def stop_if_too_late(delivery: ClaimedDelivery, now: datetime) -> Stop | None:
    """Past `not_after` nothing leaves, retries included."""
    return TOO_LATE if delivery.not_after is not None and delivery.not_after <= now else None


def stop_in_silence(silence: Silence | None, now: datetime) -> Stop | None:
    """Before a vote nothing that is propaganda reaches who votes, however long it has waited to leave."""
    if silence is None:
        return None
    begun = "since" if silence.starts_at <= now else "from"
    reason = f"{IN_SILENCE} {begun} {silence.since()} ({silence.name})"
    return Stop(DeliveryState.EXPIRED, EventKind.EXPIRED, reason[:MOST_REASON])


def stop_if_suppressed(fingerprint: str, suppressed: Collection[str]) -> Stop | None:
    """An address suppressed since the launch is not written to, though it was queued."""
    return SUPPRESSED if fingerprint in suppressed else None


def stop_if_gone(delivery: ClaimedDelivery | Delivery, contact: Contact | Standing | None) -> Stop | None:
    """A person erased since the launch, or whose address changed, is not written to at the old one."""
    # Neither a seed nor who a program writes to is necessarily somebody we know.
    if delivery.seed_id is not None or (delivery.contact_id is None and delivery.message_id):
        return None
    address = None
    if contact is not None:
        address = contact.email if delivery.channel is Channel.EMAIL else contact.phone
    return GONE if address != delivery.address else None


def stop_if_withdrawn(contact: Contact | Standing | None, channel: Channel) -> Stop | None:
    """Who took back their consent since the launch is not written to."""
    if contact is None:
        return None
    consent = contact.email_consent if channel is Channel.EMAIL else contact.sms_consent
    return WITHDRAWN if consent is ConsentStatus.WITHDRAWN else None


def stop_if_withdrawn_since(delivery: ClaimedDelivery, withdrawn: Collection[str]) -> Stop | None:
    """Somebody unknown when a program asked, whose address is of one by now who takes no messages."""
    return WITHDRAWN if delivery.contact_id is None and delivery.address in withdrawn else None


def stop_if_not_to_be_chosen(contact: Standing | None) -> Stop | None:
    """Who takes back the consent to targeting gets nothing more that is chosen by their data."""
    if contact is None or contact.targeting_consent is not ConsentStatus.WITHDRAWN:
        return None
    return NOT_TO_BE_CHOSEN


def stop_if_never_to_be_chosen(contact: Standing | None, now: datetime) -> Stop | None:
    """A launch leaves out who may not be chosen by their data; a program's message is asked here first."""
    if contact is None:
        return None
    if contact.birth_date is not None and contact.birth_date > day_years_before(now, OLD_ENOUGH):
        return TOO_YOUNG
    return None if contact.targeting_consent is ConsentStatus.GRANTED else NEVER_TO_BE_CHOSEN


def stop_outside_hours(
    delivery: ClaimedDelivery, windows: SendingWindows, zone: str, now: datetime
) -> Stop | PutOff | None:
    """Nothing arrives outside the hours of its window, on the recipient's clock."""
    opens_at = opens(windows, zone, now)
    if opens_at <= now:
        return None
    if delivery.not_after is not None and opens_at >= delivery.not_after:
        return CLOSED_TO_THE_END
    return PutOff(opens_at)


def stop_if_capped(
    delivery: ClaimedDelivery,
    touches: Iterable[tuple[Channel, datetime]],
    policy: FrequencyPolicy,
    *,
    zone: str,
    now: datetime,
) -> Stop | None:
    """Who has had enough messages lately gets no further one; the reason names when the next may come."""
    again = next_eligible(list(touches), delivery.channel, now, policy)
    if again is None:
        return None
    local = again.astimezone(ZoneInfo(zone))
    return Stop(
        DeliveryState.CAPPED,
        EventKind.CAPPED,
        f"the person has had enough messages lately; the next may leave from {local:%Y-%m-%d %H:%M}",
    )


def hold(reason: str) -> Stop:
    """A delivery that a person must look at: its message could not be made."""
    return Stop(DeliveryState.HELD, EventKind.HELD, reason)
