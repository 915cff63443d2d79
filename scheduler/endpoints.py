"""What people and programs do with endpoints: make them, change them, give them new secrets, try them.

A secret is drawn here, shown once by whoever asked for it, and kept sealed.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import KeyMode
from models.errors import BadInputError, ConflictError
from models.keyring import Keyring
from models.webhook import EndpointState, WebhookEndpoint, WebhookNotice
from models.webhook_types import TYPES
from scheduler.courier import end_incident
from scheduler.telling import ping
from store import webhook_notices, webhooks

SECRET_OCTETS: Final = 32
"""Standard Webhooks asks for 24 to 64."""
OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=7)
LONGEST_URL: Final = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint as somebody wants it; no `event_types`: all of them."""

    url: str
    event_types: Sequence[str] = ()
    description: str = ""


WHERE = "Name an https address of the internet; for rehearsals, TOCSIN_WEBHOOK_HTTP lets it be this machine."


def draw_secret() -> str:
    """A new one: `whsec_` and 256 bits of chance."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_OCTETS)).decode()


def check_wanted(wanted: Wanted, *, loopback: bool) -> None:
    """BadInputError for an address that nothing may be posted to, and for types there are not."""
    # Megabytes, for whoever only looks.
    from sender.webhook import ForbiddenAddressError, check_address  # noqa: PLC0415

    if len(wanted.url) > LONGEST_URL:
        raise BadInputError(f"The address is too long: {LONGEST_URL} characters are the most.")
    try:
        check_address(wanted.url, loopback=loopback)
    except ForbiddenAddressError as error:
        raise BadInputError(f"Nothing can be posted there. {error}", WHERE) from error
    unknown = sorted(set(wanted.event_types) - set(TYPES))
    if unknown:
        raise BadInputError(f"There is no event type {', '.join(unknown)}.", f"There are {', '.join(TYPES)}.")


async def make_endpoint(
    session: AsyncSession,
    wanted: Wanted,
    *,
    mode: KeyMode,
    keyring: Keyring,
    by: str,
    now: datetime,
    loopback: bool = False,
) -> tuple[WebhookEndpoint, str]:
    """A new one, and its secret; BadInputError, and ConflictError where the address has one already."""
    check_wanted(wanted, loopback=loopback)
    secret = draw_secret()
    made = await webhooks.add_endpoint(
        session,
        url=wanted.url,
        mode=mode,
        event_types=wanted.event_types,
        description=wanted.description,
        sealed_secret=keyring.encrypt(secret),
        by=by,
        now=now,
    )
    return made, secret


async def change_endpoint(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    wanted: Wanted,
    *,
    by: str,
    now: datetime,
    loopback: bool = False,
) -> None:
    """Another address, other types, other words; what waits goes to the new address."""
    check_wanted(wanted, loopback=loopback)
    await webhooks.one_by_one(session)
    others = await webhooks.list_endpoints(session, endpoint.mode)
    if any(one.url == wanted.url and one.id != endpoint.id for one in others):
        raise ConflictError("There is a webhook to that address already.", "Change that one.")
    if endpoint.url != wanted.url:
        # Whatever was wrong was wrong with the other address.
        await end_incident(session, endpoint, by=by, now=now)
        endpoint.failing_since = endpoint.resting_until = None
    endpoint.url, endpoint.description = wanted.url, wanted.description[:200]
    endpoint.event_types = sorted(set(wanted.event_types))
    session.add(endpoint)
    await session.flush()


async def rotate_secret(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    *,
    keyring: Keyring,
    now: datetime,
    overlap: timedelta = OVERLAP,
) -> str:
    """A new secret; the one before signs as well during the `overlap`, none of those before it."""
    secret = draw_secret()
    kept = min(max(overlap, timedelta()), LONGEST_OVERLAP)
    endpoint.sealed_before, endpoint.before_until = endpoint.sealed_secret, now + kept
    endpoint.sealed_secret = keyring.encrypt(secret)
    session.add(endpoint)
    await session.flush()
    return secret


async def enable(session: AsyncSession, endpoint: WebhookEndpoint, *, by: str, now: datetime) -> None:
    """Tell it again, with a clean slate; what waited when it was disabled is told, too."""
    await end_incident(session, endpoint, by=by, now=now)
    await webhooks.set_state(session, endpoint.id, EndpointState.ENABLED)


async def disable(session: AsyncSession, endpoint: WebhookEndpoint, *, by: str, now: datetime) -> None:
    """Tell it nothing; what happens meanwhile is not noted for it."""
    await end_incident(session, endpoint, by=by, now=now)
    await webhooks.set_state(session, endpoint.id, EndpointState.DISABLED, reason=by)


async def remove(session: AsyncSession, endpoint: WebhookEndpoint, *, by: str, now: datetime) -> None:
    """With its log."""
    await end_incident(session, endpoint, by=by, now=now)
    await webhooks.remove_endpoint(session, endpoint.id)


async def try_out(session: AsyncSession, endpoint: WebhookEndpoint, now: datetime) -> WebhookNotice:
    """Have it told something that means nothing, to see whether it arrives; ConflictError when disabled."""
    if endpoint.state is EndpointState.DISABLED:
        raise ConflictError("This webhook is disabled.", "Enable it first.")
    await webhook_notices.add_notices(session, [ping(endpoint, now)])
    # Tried at once, also where it rests after a failure.
    await webhooks.wake(session, endpoint.id)
    (notice,) = await webhook_notices.list_notices(session, endpoint.id, limit=1)
    return notice


async def tell_again(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    *,
    now: datetime,
    notice_id: int | None = None,
    since: datetime | None = None,
    failed_only: bool = False,
) -> int:
    """Have one notice, or all since a moment, told anew, at once; how many. ConflictError when disabled."""
    if endpoint.state is EndpointState.DISABLED:
        raise ConflictError("This webhook is disabled.", "Enable it first.")
    many = await webhook_notices.again(
        session, endpoint.id, now=now, notice_id=notice_id, since=since, failed_only=failed_only
    )
    if many:
        await webhooks.wake(session, endpoint.id)
    return many
