"""Links in messages: to the address the campaign holds under that number, and nowhere else.

The link carries no address, so that it cannot be made to lead elsewhere. A click counts once for each
delivery and link, apart for people and for machines, which open every link to look for malware.
"""

import re
from datetime import datetime, timedelta

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audience.fields import contact_values
from deliverability.feedback import apply
from models.delivery import Delivery
from models.errors import NotFoundError, TemplateError
from models.states import EventKind
from models.tokens import TokenPurpose
from models.values import Signal
from scheduler.letters import sender_values
from store import campaigns, contacts, identities
from store import templates as template_rows
from templates import render_target
from web.door import front_door
from web.public.letters import NOWHERE, PERHAPS_CUT, contact_behind, delivery_behind, read_token

router = APIRouter()
MOST_LINKS = 10_000
MACHINES = re.compile(
    r"bot\b|crawl|spider|preview|scan|barracuda|mimecast|proofpoint|urldefense|safelinks|fortiguard|trendmicro"
    r"|bitdefender|googleimageproxy|headless|curl/|wget/|python-requests|go-http-client|facebookexternalhit",
    re.IGNORECASE,
)
"""Words in the User-Agent of programs that open links for somebody."""


@router.api_route("/c/{token}/{index}", methods=["GET", "HEAD"])
async def follow(request: Request, token: str, index: str) -> Response:
    """Lead the person on, and record the click; a HEAD is a machine asking and is not recorded."""
    context = front_door(request).context
    delivery_id = read_token(request, TokenPurpose.VISIT, token)
    position = int(index) if index.isascii() and index.isdigit() and len(index) < 6 else MOST_LINKS
    async with context.database.read() as session:
        delivery = await delivery_behind(session, delivery_id)
        target = await _target(session, delivery, position)
    if request.method == "GET":
        now = context.clock.now()
        signal = click_signal(
            delivery, position, machine_reason(request, delivery, now, context.machine_span), now
        )
        async with context.database.write() as session:
            await apply(session, signal, now)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(target, status_code=302, headers=headers)


async def _target(session: AsyncSession, delivery: Delivery, position: int) -> str:
    target = await campaigns.link_target(session, delivery.campaign_id, position)
    if target is None:
        raise NotFoundError(NOWHERE, PERHAPS_CUT)
    campaign = await campaigns.get_campaign(session, delivery.campaign_id)
    version = await template_rows.get_version(session, campaign.template_version_id)
    identity = await identities.get_identity(session, delivery.identity_id)
    contact = await contact_behind(session, delivery)
    person: dict[str, str] = {}
    if contact is not None:
        tags = await contacts.tags_of(session, [contact.id])
        person = contact_values(contact, tags.get(contact.id, []))
    values = {**person, **sender_values(identity), "campaign_name": campaign.name}
    try:
        return render_target(target, values, version.fallbacks)
    except TemplateError as error:
        raise NotFoundError(NOWHERE) from error


def machine_reason(request: Request, delivery: Delivery, now: datetime, span: timedelta) -> str:
    """Why this looks like a machine, empty when it does not.

    A person takes longer than `span` from the arrival of a mail to a link in it; zero: do not ask.
    """
    if MACHINES.search(request.headers.get("user-agent", "")):
        return "agent"
    purpose = request.headers.get("sec-purpose", request.headers.get("purpose", ""))
    if "prefetch" in purpose or "preview" in purpose:
        return "prefetch"
    if span and (delivery.settled_at is None or now - delivery.settled_at < span):
        return "too soon"
    return ""


def click_signal(delivery: Delivery, position: int, machine: str, now: datetime) -> Signal:
    """The click as news; the same person on the same link again is the same news."""
    return Signal(
        kind=EventKind.CLICKED,
        channel=delivery.channel,
        source="click",
        source_id=f"{delivery.id}/{position}/{'machine' if machine else 'person'}",
        at=now,
        delivery_id=delivery.id,
        link_index=position,
        details={"machine": machine} if machine else {},
    )
