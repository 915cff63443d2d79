"""The page behind the link in the letter to a sender's own address: one button shows whose mailbox it is.

Looking changes nothing: scanners open every address of a message, and press no button. The link is signed,
good for three days, and for one press.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from models.errors import NotFoundError
from models.health import IdentityProof, ProofKind
from models.identity import Identity
from models.tokens import TokenPurpose
from scheduler.lifecycle import subject_of
from scheduler.lookout import settle_now
from scheduler.ownership import has_expired, proof_of_link
from store import health, identities
from web.door import front_door
from web.i18n import N_
from web.public.letters import read_token
from web.view import public_page

router = APIRouter()
NOWHERE = N_("This link leads nowhere, or a newer letter has taken its place.")


@router.api_route("/mailbox/{token}", methods=["GET", "HEAD"])
async def mailbox_page(request: Request, token: str) -> Response:
    """One button."""
    context = front_door(request).context
    read_token(request, TokenPurpose.MAILBOX, token)
    async with context.database.read() as session:
        proof = await proof_of_link(session, context.tokens, token)
        if proof is None:
            raise NotFoundError(NOWHERE)
        identity = await identities.get_identity(session, proof.identity_id)
    return _show(request, token, identity, proof)


@router.post("/mailbox/{token}")
async def confirm(request: Request, token: str) -> Response:
    """Show it: once, and in time."""
    context = front_door(request).context
    now = context.clock.now()
    read_token(request, TokenPurpose.MAILBOX, token)
    async with context.database.write() as session:
        proof = await proof_of_link(session, context.tokens, token)
        if proof is None:
            raise NotFoundError(NOWHERE)
        identity = await identities.get_identity(session, proof.identity_id)
        timely = not has_expired(proof, now) and proof.subject == subject_of(identity, ProofKind.MAILBOX)
        if timely and await health.prove_once(session, proof, now):
            await session.refresh(proof)
            await settle_now(session, context.lookout, identity, now)
    await context.wake()
    return _show(request, token, identity, proof)


def _show(request: Request, token: str, identity: Identity, proof: IdentityProof) -> Response:
    now = front_door(request).context.clock.now()
    stale = has_expired(proof, now) or proof.subject != subject_of(identity, ProofKind.MAILBOX)
    return public_page(
        request,
        "mailbox.html",
        token=token,
        name=identity.name,
        organisation=identity.organisation,
        address=proof.subject,
        shown=proof.proven_at is not None,
        stale=stale and proof.proven_at is None,
    )
