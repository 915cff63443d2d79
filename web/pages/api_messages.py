"""What programs hand over, message by message: how it flows, and where the latest stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.addresses import AddressError, read_email, read_phone
from models.api import KeyMode
from models.campaign import Campaign
from models.delivery import Delivery
from models.magic import NUMBERS
from models.message import Message
from store import api_keys, campaigns, message_pages
from store.message_pages import Wanted
from store.message_status import statuses_of
from web.access import Reader, Visit
from web.message_words import REASONS, STATUSES
from web.pages.campaigns import Progress
from web.stream_names import titles_of
from web.view import page

router = APIRouter()
A_PAGE = 30
STREAMS = 8
"""How many of the latest streams are shown: each kind of message has one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message as the list shows it."""

    message: Message
    delivery: Delivery | None
    status: str
    tone: str
    reason: str
    what: str
    key: str

    @property
    def test(self) -> bool:
        """Whether it left for nowhere."""
        return self.message.mode is KeyMode.TEST


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of message: what it is called, and how far its messages are."""

    row: Campaign
    what: str
    progress: Progress


@router.get("/api-messages")
async def list_page(visit: Reader) -> Response:
    """The latest messages, or those to one address or of one reference; and what they flow in."""
    sought = visit.query.text("q", 254)
    before = visit.query.number("before")
    async with visit.context.database.read() as session:
        rows = await message_pages.page(session, _wanted(sought), limit=A_PAGE + 1, before=before)
        lines = await _lines(session, visit, rows[:A_PAGE])
        streams = [] if sought or before else await _streams(session)
    return page(
        visit,
        "api_messages.html",
        lines=lines,
        streams=streams,
        sought=sought,
        begun=before is not None,
        following=rows[A_PAGE - 1][0].id if len(rows) > A_PAGE else None,
    )


def _wanted(sought: str) -> Wanted:
    """An address when it is one, a reference otherwise."""
    if not sought:
        return Wanted()
    try:
        if "@" in sought:
            return Wanted(address=read_email(sought))
        plain = sought.replace(" ", "")
        return Wanted(address=plain if plain in NUMBERS else read_phone(plain))
    except AddressError:
        return Wanted(reference=sought)


async def _lines(
    session: AsyncSession, visit: Visit, rows: Sequence[tuple[Message, Delivery | None]]
) -> list[Line]:
    standing = await statuses_of(session, rows)
    keys = {key.id: key.name for key in await api_keys.list_keys(session)}
    what = await titles_of(session, {message.campaign_id for message, _ in rows})
    return [
        Line(
            message=message,
            delivery=delivery,
            status=STATUSES[status][0],
            tone=STATUSES[status][1],
            reason=visit.tongue.say(REASONS[reason]) if reason in REASONS else "",
            what=what[message.campaign_id],
            key=keys.get(message.key_id, ""),
        )
        for (message, delivery), (status, reason) in zip(rows, standing, strict=True)
    ]


async def _streams(session: AsyncSession) -> list[Stream]:
    found = await message_pages.streams(session, limit=STREAMS)
    progress = await campaigns.progress_of(session, [one.id for one in found])
    what = await titles_of(session, {one.id for one in found})
    return [Stream(one, what[one.id], Progress(progress.get(one.id, {}))) for one in found]
