"""What became of messages: one, many by what tells them apart, their events; and taking one back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.addresses import AddressError, read_email, read_phone
from models.delivery import Delivery
from models.errors import NotFoundError
from models.magic import NUMBERS
from models.message import Message
from models.states import DeliveryState
from store import message_pages, messages
from store.event_pages import WantedEvents
from store.event_pages import page as page_of_events
from store.message_pages import Wanted, is_visible
from store.message_status import MessageStatus
from web.api.auth import Caller, ReadsMessages, SendsMessages
from web.api.event_schemas import EventOut
from web.api.events import answer_events
from web.api.ids import Kind
from web.api.message_schemas import MessageOut, MessageRow
from web.api.messages import base
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import Line, Moment, problems
from web.api.wishes import template_named

router = APIRouter(tags=["messages"])
MessageId = Annotated[str, Path(max_length=40, examples=["msg_aeaaaaaaaaaaaaaaaaaaaaaa"])]


@router.get("/messages", response_model=PageOut[MessageRow], responses=problems("invalid", "not_found"))
async def list_messages(
    caller: ReadsMessages,
    *,
    reference: Annotated[Line, Query(max_length=200, description="Your own name for it.")] = "",
    status: Annotated[MessageStatus | None, Query(description="Where it stands now.")] = None,
    to: Annotated[Line, Query(max_length=320, description="An address, or the id of a contact.")] = "",
    template: Annotated[Line, Query(max_length=200, description="The id or the name of a template.")] = "",
    since: Annotated[Moment | None, Query(description="Handed over at that moment or later.")] = None,
    until: Annotated[Moment | None, Query(description="Handed over before that moment.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """Messages that programs handed over, the newest first. Those of campaigns are not among them."""
    paging = Paging(caller, limit, cursor)
    contact, address = _recipient(caller, to)
    async with caller.context.database.read() as session:
        wanted = Wanted(
            mode=caller.key.mode,
            key_id=caller.key.id,
            reference=reference,
            status=status,
            address=address,
            contact_id=contact,
            template_id=(await template_named(caller, session, template, "template")).id
            if template
            else None,
            since=since,
            until=until,
        )
        before = None if paging.after is None else int(paging.after[0])
        rows = await message_pages.page(session, wanted, limit=paging.wanted, before=before)
        told = await MessageRow.all_of(
            session, caller.ids, rows, base(caller), knows_people=caller.knows_people
        )
    both = list(zip(rows, told, strict=True))
    return paging.answer(both, lambda one: (one[0][0].id,), MessageRow, lambda one: one[1], fields)


@router.get("/messages/{message_id}", responses=problems("not_found"))
async def look(caller: ReadsMessages, message_id: MessageId) -> MessageOut:
    """One message and where it stands."""
    async with caller.context.database.read() as session:
        return await _tell(caller, session, await _get(caller, session, message_id))


@router.get(
    "/messages/{message_id}/events",
    response_model=PageOut[EventOut],
    responses=problems("invalid", "not_found"),
)
async def events_of_message(
    caller: ReadsMessages,
    message_id: MessageId,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """What happened to one message, from its beginning."""
    paging = Paging(caller, limit, cursor)
    async with caller.context.database.read() as session:
        message, delivery = await _get(caller, session, message_id)
        wanted = WantedEvents(mode=message.mode, delivery_id=0 if delivery is None else delivery.id)
        after = None if paging.after is None else int(paging.after[0])
        found = await page_of_events(session, wanted, limit=paging.wanted, after=after, oldest=True)
    return answer_events(caller, paging, found, fields)


@router.post(
    "/messages/{message_id}:cancel", responses=problems("not_found", "conflict", "identity_not_allowed")
)
async def cancel(caller: SendsMessages, message_id: MessageId) -> MessageOut:
    """Take back one that has not left; 409 once it has, or while it is leaving. Twice does what once does."""
    async with caller.context.database.write() as session:
        message, delivery = await _get(caller, session, message_id)
        if caller.key.identity_ids and message.identity_id not in caller.key.identity_ids:
            raise ApiProblemError(
                "identity_not_allowed", "This key may not take back what that identity says."
            )
        if delivery is None:
            raise ApiProblemError("conflict", "It was never to leave: its person must not be written to.")
        if delivery.state is not DeliveryState.CANCELLED:
            now = caller.context.clock.now()
            if not await message_pages.cancel(session, delivery, now):
                await session.refresh(delivery)
                stands = (await _tell(caller, session, (message, delivery))).status
                raise ApiProblemError("conflict", f"It cannot be taken back any more: it is {stands}.")
        return await _tell(caller, session, (message, delivery))


async def _get(caller: Caller, session: AsyncSession, message_id: str) -> tuple[Message, Delivery | None]:
    message, delivery = await messages.get(session, caller.ids.read(Kind.MESSAGE, message_id))
    if not is_visible(message, caller.key.mode, caller.key.id):
        raise NotFoundError("There is no such message for this key.")
    return message, delivery


async def _tell(caller: Caller, session: AsyncSession, row: tuple[Message, Delivery | None]) -> MessageOut:
    (told,) = await MessageOut.all_of(
        session, caller.ids, [row], base(caller), knows_people=caller.knows_people
    )
    return told


def _recipient(caller: Caller, to: str) -> tuple[int | None, str]:
    """The number of a contact, or an address in its normal form; neither when nobody is named."""
    if not to:
        return None, ""
    if to.startswith(f"{Kind.CONTACT}_"):
        return caller.ids.read(Kind.CONTACT, to), ""
    try:
        if "@" in to:
            return None, read_email(to)
        # A plus sign that was not escaped arrives as a blank.
        phone = (f"+{to[1:]}" if to.startswith(" ") else to).replace(" ", "")
        return None, phone if phone in NUMBERS else read_phone(phone)
    except AddressError as error:
        raise ApiProblemError("invalid", str(error), [Fault("to", "invalid", str(error))]) from error
