"""Events: everything that happened, in the order it was learnt, for whoever fetches instead of listening."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from models.api import Scope
from models.errors import NotFoundError
from store import campaigns, messages
from store.event_pages import WantedEvents, page
from store.message_pages import is_visible
from store.webhook_news import Happened
from web.api.auth import Caller, may
from web.api.event_schemas import EventOut, EventType, kinds_of, told_event
from web.api.ids import Kind
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging
from web.api.schemas import Moment, problems

router = APIRouter(tags=["events"])
ReadsEvents = Annotated[Caller, may(Scope.EVENTS_READ)]
Since = Annotated[Moment | None, Query(description="Learnt at that moment or later.")]
Until = Annotated[Moment | None, Query(description="Learnt before that moment.")]


@router.get("/events", response_model=PageOut[EventOut], responses=problems("invalid", "not_found"))
async def list_events(
    caller: ReadsEvents,
    *,
    message: Annotated[str | None, Query(max_length=40, description="The id of a message.")] = None,
    campaign: Annotated[str | None, Query(max_length=40, description="The id of a campaign.")] = None,
    contact: Annotated[str | None, Query(max_length=40, description="The id of a contact.")] = None,
    types: Annotated[
        list[EventType] | None, Query(alias="type", description="Only these; may be repeated.")
    ] = None,
    since: Since = None,
    until: Until = None,
    oldest_first: Annotated[bool, Query(description="Begin with what was learnt first.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """What happened to messages, the latest first. A test key sees what became of tests, a live key the rest.

    To follow along, ask with `oldest_first`, and keep `recorded_at` of the last: the next call's `since`.
    Nothing is told about seed mailboxes.
    """
    paging = Paging(caller, limit, cursor)
    async with caller.context.database.read() as session:
        delivery_id: int | None = None
        mode = caller.key.mode
        if message is not None:
            row, delivery = await messages.get(session, caller.ids.read(Kind.MESSAGE, message))
            if not is_visible(row, caller.key.mode, caller.key.id):
                raise NotFoundError("There is no such message for this key.")
            mode = row.mode
            # Who must not be written to has no delivery, and nothing happened to it.
            delivery_id = 0 if delivery is None else delivery.id
        wanted = WantedEvents(
            mode=mode,
            delivery_id=delivery_id,
            campaign_id=None if campaign is None else await _campaign(caller, campaign),
            contact_id=None if contact is None else caller.ids.read(Kind.CONTACT, contact),
            kinds=None if types is None else kinds_of(types),
            since=since,
            until=until,
        )
        after = None if paging.after is None else int(paging.after[0])
        found = await page(session, wanted, limit=paging.wanted, after=after, oldest=oldest_first)
    return answer_events(caller, paging, found, fields)


def answer_events(caller: Caller, paging: Paging, found: list[Happened], fields: str | None) -> Response:
    """A page of events as it is sent."""
    return paging.answer(
        found, lambda one: (one.event.id,), EventOut, lambda one: told_event(caller.ids, one), fields
    )


async def _campaign(caller: Caller, campaign: str) -> int:
    number = caller.ids.read(Kind.CAMPAIGN, campaign)
    async with caller.context.database.read() as session:
        return (await campaigns.get_campaign(session, number)).id
