"""What every public link has in common: a token we signed, a delivery, and limits against who guesses."""

import math
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request

from models.contact import Contact
from models.delivery import Delivery
from models.errors import NotFoundError
from models.tokens import TokenPurpose
from store import contacts
from store.deliveries import get_delivery
from web.access import tongue_of
from web.door import client_address, front_door
from web.i18n import LANGUAGES, N_, Tongue

NOWHERE = N_("This link leads nowhere.")
PERHAPS_CUT = N_("It may have been cut: copy it whole from the message.")


class TooManyError(HTTPException):
    """One address asked too much of the public pages."""

    def __init__(self, wait: timedelta = timedelta(minutes=1)) -> None:
        """Answered with 429, and how long to `wait`."""
        super().__init__(429, headers={"Retry-After": str(math.ceil(wait.total_seconds()))})


def read_token(request: Request, purpose: TokenPurpose, token: str) -> int:
    """The delivery behind a token; NotFoundError for one that we did not sign, 429 for who tries many."""
    door, client = front_door(request), client_address(request)
    if door.visits.wait(client) or door.forgeries.wait(client):
        raise TooManyError
    door.visits.count(client)
    delivery_id = door.context.tokens.read(purpose, token)
    if delivery_id is None:
        door.forgeries.count(client)
        raise NotFoundError(NOWHERE, PERHAPS_CUT)
    return delivery_id


async def delivery_behind(session: AsyncSession, delivery_id: int) -> Delivery:
    """The delivery of a signed token; NotFoundError when its campaign has been removed since."""
    delivery = await get_delivery(session, delivery_id)
    if delivery is None:
        raise NotFoundError(NOWHERE)
    return delivery


async def contact_behind(session: AsyncSession, delivery: Delivery) -> Contact | None:
    """The person a delivery was for; None for a seed mailbox, or when the person's data were erased."""
    if delivery.contact_id is None:
        return None
    try:
        return await contacts.get_contact(session, delivery.contact_id)
    except NotFoundError:
        return None


def tongue_for(request: Request, contact: Contact | None) -> Tongue:
    """The person's own language where it is one of ours, the browser's otherwise."""
    context = front_door(request).context
    language = contact.language[:2].lower() if contact is not None else ""
    if language in LANGUAGES:
        return Tongue(language, ZoneInfo(context.zone))
    return tongue_of(request, context)
