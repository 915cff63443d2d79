"""What people do with a sender identity: prove it, change its keys, suspend it, let it go on, retire it."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from models.values import Accepted
from scheduler import lifecycle, signing_keys
from scheduler.ownership_letter import PostRoom, send_link
from store import identities
from web.access import Admin, Editor, Visit
from web.view import go

router = APIRouter()


@router.post("/identities/{identity_id}/letter")
async def letter(visit: Editor, identity_id: int) -> Response:
    """Send the letter with the link to the identity's own address."""
    context = visit.context
    room = PostRoom(
        context.database,
        context.clock,
        context.transports,
        context.keyring,
        context.tokens,
        context.public_url,
        context.language,
    )
    outcome = await send_link(room, identity_id)
    said = "identity-letter-sent" if isinstance(outcome, Accepted) else "identity-letter-refused"
    return go(f"/identities/{identity_id}", said)


@router.post("/identities/{identity_id}/keys")
async def begin(visit: Admin, identity_id: int) -> Response:
    """Make the keys that are to follow."""
    async with visit.context.database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        await signing_keys.begin_rotation(session, identity, visit.context.keyring, visit.context.clock.now())
        identity.look_at = None
        session.add(identity)
    return go(f"/identities/{identity_id}", "identity-keys-made")


@router.post("/identities/{identity_id}/keys/cancel")
async def cancel(visit: Admin, identity_id: int) -> Response:
    """Forget new keys that do not sign yet."""
    async with visit.context.database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        await signing_keys.cancel_rotation(session, identity)
    return go(f"/identities/{identity_id}", "identity-keys-cancelled")


@router.post("/identities/{identity_id}/keys/switch")
async def switch(visit: Admin, identity_id: int) -> Response:
    """Sign with the new keys now, without waiting out the hour."""
    async with visit.context.database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        await signing_keys.switch(session, identity, visit.context.clock.now())
    return go(f"/identities/{identity_id}", "identity-keys-switched")


@router.post("/identities/{identity_id}/suspend")
async def suspend(visit: Editor, identity_id: int) -> Response:
    """Let nothing of it leave until somebody resumes it."""
    return await _step(visit, identity_id, lifecycle.suspend, "identity-suspended")


@router.post("/identities/{identity_id}/resume")
async def resume(visit: Admin, identity_id: int) -> Response:
    """End a suspension: what waited goes on."""
    return await _step(visit, identity_id, lifecycle.resume, "identity-resumed")


@router.post("/identities/{identity_id}/retire")
async def retire(visit: Admin, identity_id: int) -> Response:
    """Let it never send again."""
    return await _step(visit, identity_id, lifecycle.retire, "identity-retired")


async def _step(visit: Visit, identity_id: int, take: Callable[..., Awaitable[None]], said: str) -> Response:
    context = visit.context
    async with context.database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        await take(
            session,
            identity,
            by=visit.user.email if visit.user else "",
            reason=visit.form.text("reason", 300),
            now=context.clock.now(),
        )
    await context.wake()
    return go(f"/identities/{identity_id}", said)
