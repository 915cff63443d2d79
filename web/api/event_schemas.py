"""Events as JSON: what happened to a message, in the words that webhooks use, too."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from models.webhook_types import OF_EVENTS
from store.webhook_news import Happened
from web.api.ids import Ids, Kind
from web.api.paging import Pickable
from web.api.schemas import Told


class EventType(StrEnum):
    """What happened; the types that webhooks subscribe to."""

    SENT = "message.sent"
    DELIVERED = "message.delivered"
    DEFERRED = "message.deferred"
    BOUNCED = "message.bounced"
    UNCERTAIN = "message.uncertain"
    RESOLVED = "message.resolved"
    COMPLAINED = "message.complained"
    UNSUBSCRIBED = "message.unsubscribed"
    RESUBSCRIBED = "message.resubscribed"
    REPLIED = "message.replied"
    OPENED = "message.opened"
    CLICKED = "message.clicked"
    SUPPRESSED = "message.suppressed"
    EXPIRED = "message.expired"
    CANCELLED = "message.cancelled"


def kinds_of(types: list[EventType]) -> frozenset[EventKind]:
    """The kinds that are told under these types."""
    return frozenset(kind for kind, word in OF_EVENTS.items() if word in {one.value for one in types})


class AnswerOut(Told):
    """What the other side said when it refused, or gave a message back. `class` and `fault`: our reading."""

    permanence: Permanence | None = None
    bounce_class: BounceClass | None = Field(default=None, serialization_alias="class")
    fault: Fault | None = None
    code: int | None = Field(default=None, examples=[550])
    enhanced: str | None = Field(default=None, examples=["5.1.1"])
    text: str = ""


class EventOut(Pickable):
    """One thing that happened. `message` is null for messages of campaigns; a `stream` is no campaign.

    `at`: when it happened by its source's account; `recorded_at`: when it was learnt. `machine`: a machine
    followed that link, or opened that message.
    """

    type: EventType
    at: datetime
    recorded_at: datetime
    message: str | None = None
    campaign: str | None = None
    contact: str | None = None
    external_id: str | None = None
    identity: str | None = None
    channel: Channel | None = None
    to: str | None = None
    provider: str = ""
    reference: str | None = None
    metadata: dict[str, str] | None = None
    answer: AnswerOut | None = None
    link: str | None = None
    machine: bool = False


def told_event(ids: Ids, happened: Happened) -> EventOut:
    """An event as programs are told it."""
    event, delivery, message, campaign = (
        happened.event,
        happened.delivery,
        happened.message,
        happened.campaign,
    )
    own = campaign is not None and campaign.stream_key is None
    return EventOut(
        id=ids.write(Kind.EVENT, event.id),
        type=EventType(OF_EVENTS[EventKind(event.kind)]),
        at=event.at,
        recorded_at=event.recorded_at,
        message=None if message is None else ids.write(Kind.MESSAGE, message.id),
        campaign=ids.write(Kind.CAMPAIGN, campaign.id) if campaign is not None and own else None,
        contact=None if event.contact_id is None else ids.write(Kind.CONTACT, event.contact_id),
        external_id=happened.external_id,
        identity=None if happened.identity is None else happened.identity.key,
        channel=None if delivery is None else delivery.channel,
        to=None if delivery is None else delivery.address or None,
        provider=event.provider,
        reference=None if message is None else message.reference or None,
        metadata=None if message is None else message.details or None,
        answer=_answer(happened),
        link=happened.link,
        machine="machine" in event.details,
    )


def _answer(happened: Happened) -> AnswerOut | None:
    event = happened.event
    said = event.code is not None or event.text or event.bounce_class is not None
    return AnswerOut.model_validate(event) if said else None
