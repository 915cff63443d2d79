"""From the outbox to notices: what each endpoint is to be told, written down once.

The rows leave the outbox in the transaction that writes the notices, so that a crash loses nothing and tells
nothing twice. What a notice says is fixed here: it is the same in every try.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from models.campaign import Campaign
from models.clock import Clock
from models.public_ids import Ids, Kind
from models.states import CampaignState, EventKind
from models.webhook import NoticeState, WebhookEndpoint
from models.webhook_types import OF_CAMPAIGNS, PING, VERSION
from store import Database, webhook_news, webhook_notices, webhooks
from store.webhook_news import Happened
from store.webhook_notices import Noted

AT_ONCE = 500
_OF_CAMPAIGNS = frozenset(OF_CAMPAIGNS.values())
_REFUSALS = frozenset({EventKind.REFUSED, EventKind.BOUNCED, EventKind.DEFERRED})
_STATES = {told: state for state, told in OF_CAMPAIGNS.items()}


async def tell_noted(database: Database, clock: Clock, ids: Ids) -> int:
    """Make notices of what stands in the outbox, at most `AT_ONCE`; how many were taken out of it."""
    async with database.read() as session:
        if not await webhook_notices.is_noted(session):
            return 0
    async with database.write() as session:
        noted = await webhook_notices.take_noted(session, AT_ONCE)
        endpoints = await webhooks.hearing(session)
        of_campaigns = {one.subject_id for one in noted if one.event_type in _OF_CAMPAIGNS}
        of_events = {one.subject_id for one in noted if one.event_type not in _OF_CAMPAIGNS}
        happened = await webhook_news.happenings(session, of_events)
        named = await webhook_news.campaigns_of(session, of_campaigns)
        now = clock.now()
        rows = [
            row for one in noted for row in _rows(one, endpoints, happened, named, ids=ids, now=now)
        ]  # fmt: skip
        await webhook_notices.add_notices(session, rows)
    return len(noted)


def ping(endpoint: WebhookEndpoint, now: datetime) -> dict[str, Any]:
    """A notice that only tries the way."""
    number = f"ping_{endpoint.id}_{int(now.timestamp() * 1000)}"
    body = _body(
        PING, now, endpoint.mode.value, {"message": "This is a test: webhooks of Tocsin arrive here."}
    )
    return _row(endpoint.id, number, PING, body, contact_id=None, now=now)


def _rows(
    noted: Noted,
    endpoints: Sequence[WebhookEndpoint],
    happened: Mapping[int, Happened],
    named: Mapping[int, Campaign],
    *,
    ids: Ids,
    now: datetime,
) -> list[dict[str, Any]]:
    """A notice for each endpoint that hears of it; none of what is gone."""
    hearing = [
        one
        for one in endpoints
        if one.mode == noted.mode and (not one.event_types or noted.event_type in one.event_types)
    ]
    if not hearing:
        return []
    contact_id = None
    if noted.event_type in _OF_CAMPAIGNS:
        campaign = named.get(noted.subject_id)
        if campaign is None:
            return []
        at = noted.at or now
        state = _STATES[noted.event_type]
        number = f"{ids.write(Kind.CAMPAIGN, campaign.id)}_{state}_{int(at.timestamp() * 1000)}"
        body = _body(noted.event_type, at, noted.mode, data_of_campaign(campaign, state, ids))
    else:
        what = happened.get(noted.subject_id)
        if what is None:
            return []
        contact_id, number = what.event.contact_id, ids.write(Kind.EVENT, what.event.id)
        body = _body(noted.event_type, what.event.at, noted.mode, data_of_event(what, ids))
    return [_row(one.id, number, noted.event_type, body, contact_id=contact_id, now=now) for one in hearing]


def _row(
    endpoint_id: int, number: str, event_type: str, body: str, *, contact_id: int | None, now: datetime
) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint_id,
        "webhook_id": number,
        "event_type": event_type,
        "contact_id": contact_id,
        "body": body,
        "state": NoticeState.PENDING,
        "attempts": 0,
        "next_at": now,
        "problem": "",
        "created_at": now,
    }


def _body(event_type: str, at: datetime, mode: str, data: Mapping[str, Any]) -> str:
    told = {"type": event_type, "timestamp": moment(at), "version": VERSION, "mode": mode, "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def moment(at: datetime) -> str:
    """As RFC 3339 has it, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def data_of_campaign(campaign: Campaign, state: CampaignState, ids: Ids) -> dict[str, Any]:
    """What is told of a campaign."""
    return {
        "campaign": ids.write(Kind.CAMPAIGN, campaign.id),
        "name": campaign.name,
        "state": state.value,
        "channel": campaign.channel.value,
        "people": campaign.frozen,
    }


def data_of_event(what: Happened, ids: Ids) -> dict[str, Any]:
    """What is told of an event, as the API's list of events has it; parts that are not known are left out."""
    event, delivery, message, campaign = what.event, what.delivery, what.message, what.campaign
    told: dict[str, Any] = {
        "id": ids.write(Kind.EVENT, event.id),
        "at": moment(event.at),
        "recorded_at": moment(event.recorded_at),
        "provider": event.provider or None,
    }
    if message is not None:
        told["message"] = ids.write(Kind.MESSAGE, message.id)
        told["reference"], told["metadata"] = message.reference or None, message.details or None
    elif campaign is not None and campaign.stream_key is None:
        told["campaign"] = ids.write(Kind.CAMPAIGN, campaign.id)
    if event.contact_id is not None:
        told["contact"], told["external_id"] = ids.write(Kind.CONTACT, event.contact_id), what.external_id
    if what.identity is not None:
        told["identity"] = what.identity.key
    if delivery is not None:
        told["channel"], told["to"] = delivery.channel.value, delivery.address or None
    told |= _more(what)
    return {name: value for name, value in told.items() if value is not None}


def _more(what: Happened) -> dict[str, Any]:
    """What only some kinds tell."""
    event = what.event
    match event.kind:
        case kind if kind in _REFUSALS:
            return {"answer": _answer(what) or None}
        case EventKind.CLICKED:
            return {"link": what.link, "machine": "machine" in event.details}
        case EventKind.OPENED:
            return {"machine": "machine" in event.details}
        case EventKind.SUPPRESSED | EventKind.CAPPED | EventKind.EXPIRED | EventKind.CANCELLED:
            return {"reason": (what.delivery.reason if what.delivery else "") or event.kind.value}
        case EventKind.UNSUBSCRIBED | EventKind.RESUBSCRIBED:
            return {"via": event.details.get("via")}
        case EventKind.RESOLVED:
            return {"decision": event.details.get("decision")}
        case _:
            return {}


def _answer(what: Happened) -> dict[str, Any]:
    """What the other side said, and how it is read."""
    event = what.event
    read = {
        "permanence": event.permanence and event.permanence.value,
        "class": event.bounce_class and event.bounce_class.value,
        "fault": event.fault and event.fault.value,
        "code": event.code,
        "enhanced": event.enhanced,
        "text": event.text or None,
    }
    return {name: value for name, value in read.items() if value is not None}
