"""Leaving a list: one click in the mail program (RFC 8058), or one button on a page.

Looking changes nothing: mail scanners and link previews open every address of a message. Only a POST
acts, it may be repeated, and the page offers to take it back. Who stays may take back the consent to being
chosen by their data alone.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from audience.targeting import record_targeting
from deliverability.unsubscribe import is_unsubscribed, resubscribe, unsubscribe
from models.states import ConsentStatus
from models.tokens import TokenPurpose
from store import campaigns
from web.door import front_door
from web.public.letters import contact_behind, delivery_behind, read_token, tongue_for
from web.view import public_page

router = APIRouter()
OWN_LINK = "the link in a message"
ONE_CLICK_FIELD, ONE_CLICK_VALUE = "List-Unsubscribe", "One-Click"


@router.api_route("/u/{token}", methods=["GET", "HEAD"])
async def leave_page(request: Request, token: str) -> Response:
    """One button, in the person's language; nothing is changed by looking."""
    return await _show(request, read_token(request, TokenPurpose.LEAVE, token), token)


@router.post("/u/{token}")
async def leave(request: Request, token: str) -> Response:
    """Leave. Mail programs are answered in plain text, people with a page."""
    context = front_door(request).context
    delivery_id = read_token(request, TokenPurpose.LEAVE, token)
    # Mail programs may send either kind of form (RFC 8058 section 3.1 asks for multipart or urlencoded).
    form = await request.form(max_files=0, max_fields=20)
    one_click = form.get(ONE_CLICK_FIELD) == ONE_CLICK_VALUE
    async with context.database.write() as session:
        await unsubscribe(session, delivery_id, "one_click" if one_click else "page", context.clock.now())
    if one_click:
        return PlainTextResponse("Unsubscribed.\n")
    return await _show(request, delivery_id, token)


@router.post("/u/{token}/undo")
async def undo(request: Request, token: str) -> Response:
    """Take it back: for who pressed the button by mistake."""
    context = front_door(request).context
    delivery_id = read_token(request, TokenPurpose.LEAVE, token)
    async with context.database.write() as session:
        if await is_unsubscribed(session, delivery_id):
            await resubscribe(session, delivery_id, "page", context.clock.now())
    return await _show(request, delivery_id, token, undone=True)


@router.post("/u/{token}/targeting")
async def choose_no_more(request: Request, token: str) -> Response:
    """Take back the consent to targeting, as easily as it was given; messages to everybody go on."""
    context = front_door(request).context
    delivery_id = read_token(request, TokenPurpose.LEAVE, token)
    now = context.clock.now()
    async with context.database.write() as session:
        contact = await contact_behind(session, await delivery_behind(session, delivery_id))
        if contact is not None:
            await record_targeting(
                *(session, contact.id, ConsentStatus.WITHDRAWN), source=OWN_LINK, given_at=now, now=now
            )
    return await _show(request, delivery_id, token, unchosen=True)


async def _show(
    request: Request, delivery_id: int, token: str, *, undone: bool = False, unchosen: bool = False
) -> Response:
    async with front_door(request).context.database.read() as session:
        delivery = await delivery_behind(session, delivery_id)
        contact = await contact_behind(session, delivery)
        identities = {one.id: one for one in await campaigns.identities_of(session, delivery.campaign_id)}
        gone = await is_unsubscribed(session, delivery_id)
    sender = identities.get(delivery.identity_id)
    return public_page(
        request,
        "unsubscribe.html",
        tongue=tongue_for(request, contact),
        token=token,
        gone=gone,
        undone=undone and not gone,
        unchosen=unchosen,
        chosen=contact is not None and contact.targeting_consent is ConsentStatus.GRANTED,
        channel=delivery.channel,
        organisation=(sender.organisation or sender.name) if sender else "",
        address=hide_address(delivery.address),
    )


def hide_address(address: str) -> str:
    """Enough of an address for its owner to know it: `c…@example.org`, `… 78`. Messages are forwarded."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}" if at else f"… {address[-2:]}"
