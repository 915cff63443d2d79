"""One message to one person: everything that was heard of it, with whose doing it was and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.errors import NotFoundError
from models.event import Event
from models.providers import provider_name
from models.states import EventKind
from store import campaigns, contacts, deliveries, identities, messages, originals
from store.events import REREAD, events_of_delivery, rereadings
from web.access import Reader
from web.bounce_words import Explained, explain
from web.pages.incoming import source_name
from web.placement_words import Told, seen_of
from web.stream_names import title_of
from web.view import page

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a history. `explained`: for what came back; `original`: number of the one that is kept.

    `seen`: of a seed's mail, what its mailbox told.
    """

    at: datetime
    recorded_at: datetime
    kind: EventKind
    delivery_id: int | None
    campaign_id: int | None
    source: str
    explained: Explained | None
    original: int | None
    seen: tuple[Told, ...] = ()


@router.get("/deliveries/{delivery_id}")
async def delivery_page(visit: Reader, delivery_id: int) -> Response:
    """One message and its history."""
    async with visit.context.database.read() as session:
        delivery = await deliveries.get_delivery(session, delivery_id)
        if delivery is None:
            raise NotFoundError(f"There is no message number {delivery_id}.")
        campaign = await campaigns.get_campaign(session, delivery.campaign_id)
        title = await title_of(session, campaign)
        handed = (await messages.get(session, delivery.message_id))[0] if delivery.message_id else None
        senders = {one.id: one for one in await identities.list_identities(session)}
        person = await _person(session, delivery.contact_id)
        history = await histories(
            session, await events_of_delivery(session, delivery_id), delivery.contact_id
        )
    return page(
        visit,
        "delivery.html",
        delivery=delivery,
        campaign=campaign,
        title=title,
        handed=handed,
        sender=senders.get(delivery.identity_id),
        person=person,
        history=history,
        provider=provider_name(delivery.provider),
        source_name=source_name,
    )


async def histories(
    session: AsyncSession, events: Sequence[Event], contact_id: int | None
) -> list[Happening]:
    """Events as people read them, in the order given; those that only say how to read others left out."""
    told = [event for event in events if event.source != REREAD]
    later = await rereadings(session, sorted({event.delivery_id for event in told if event.delivery_id}))
    kept = await originals.about(session, contact_id) if contact_id is not None else []
    found = originals.originals_of(told, kept)
    lines = []
    for event in told:
        reread = later.get(event.id, [])
        original = found.get(event.id)
        lines.append(
            Happening(
                event.at,
                event.recorded_at,
                event.kind,
                event.delivery_id,
                event.campaign_id,
                event.source,
                explain(event, reread[-1] if reread else None),
                original.id if original is not None else None,
                seen_of(event),
            )
        )
    return lines


async def _person(session: AsyncSession, contact_id: int | None) -> str:
    """What somebody is called; "" when nobody is left of that number."""
    if contact_id is None:
        return ""
    try:
        contact = await contacts.get_contact(session, contact_id)
    except NotFoundError:
        return ""
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return name or contact.email or contact.phone or str(contact_id)
