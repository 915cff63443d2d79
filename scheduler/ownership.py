"""How somebody shows that a sender's domain and address are theirs: a record in the DNS, a link in a letter.

Both are asked for as soon as an identity has an address, and again when it gets another one. A record that
was there is looked for every day; that it is gone counts once three looks in a day or more have said so.
"""

import secrets
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.health.proofs import Seen, draw_token
from models.errors import BadInputError, ConflictError
from models.health import IdentityProof, ProofKind
from models.identity import Identity
from models.providers import is_anybody_s
from models.tokens import TokenPurpose, Tokens
from scheduler.lifecycle import is_shown, subject_of
from store import health

MISSES = 3
MISSING_FOR = timedelta(hours=24)
LINK_LIFE = timedelta(days=3)
LETTERS_APART = timedelta(minutes=5)
NUMBER_BITS = 47
"""Of a mailbox token's own number: as much as fits beside the sign in six octets."""


def require_own_domain(address: str) -> None:
    """BadInputError for a From address under a domain at which anybody may have one."""
    domain = address.rpartition("@")[2].lower()
    if is_anybody_s(domain):
        raise BadInputError(
            f"{address}: nobody can send campaigns as an address at {domain}. It belongs to a mailbox"
            " provider, and others refuse or hide such mail when it is not that provider who sends it.",
            "Take an address under a domain of your own, as contact@news.your-domain.example.",
        )


async def ensure_proofs(
    session: AsyncSession, identity: Identity, now: datetime
) -> dict[ProofKind, IdentityProof]:
    """What is asked of the identity's owner; asked anew where the address is another one by now."""
    proofs = await health.proofs_of(session, identity.id)
    if identity.from_email is None:
        return proofs
    for kind in ProofKind:
        subject, proof = subject_of(identity, kind), proofs.get(kind)
        if proof is not None and proof.subject == subject:
            continue
        token = draw_token() if kind is ProofKind.DNS else _draw_number()
        if proof is not None:
            await session.delete(proof)
            await session.flush()
        proofs[kind] = IdentityProof(
            identity_id=identity.id, kind=kind, subject=subject, token=token, asked_at=now
        )
        session.add(proofs[kind])
    await session.flush()
    return proofs


def note_record(proof: IdentityProof, seen: Seen, now: datetime) -> None:
    """Write down what a look saw of the record; a look that saw nothing changes nothing."""
    if seen is Seen.UNKNOWN:
        return
    if seen is Seen.THERE:
        proof.proven_at = proof.proven_at or now
        proof.misses, proof.missing_since, proof.lost_at = 0, None, None
    elif proof.proven_at is not None:
        proof.misses += 1
        proof.missing_since = proof.missing_since or now
        if proof.misses >= MISSES and now - proof.missing_since >= MISSING_FOR:
            proof.lost_at = proof.lost_at or now
    proof.checked_at = now


def has_expired(proof: IdentityProof, now: datetime) -> bool:
    """Whether the link of a mailbox proof is too old to be followed."""
    # The number is drawn before its letter leaves, and the letter before may have left long ago.
    return (
        proof.proven_at is None and now - max(proof.mailed_at or proof.asked_at, proof.asked_at) > LINK_LIFE
    )


async def draw_link(
    session: AsyncSession, identity: Identity, tokens: Tokens, now: datetime
) -> tuple[IdentityProof, str]:
    """A fresh token for the letter to the identity's address; what was sent before is worth nothing now.

    ConflictError when there is nothing to show, or the last letter has only just left.
    """
    proofs = await ensure_proofs(session, identity, now)
    proof = proofs.get(ProofKind.MAILBOX)
    if proof is None:
        raise ConflictError(
            f"The identity {identity.key!r} has no e-mail address.", "There is nothing to show."
        )
    if is_shown(identity, ProofKind.MAILBOX, proof):
        raise ConflictError(f"{identity.from_email} is confirmed already.")
    if proof.mailed_at is not None and now - proof.mailed_at < LETTERS_APART:
        raise ConflictError(
            f"A letter to {identity.from_email} left a moment ago.",
            "Look into its mailbox, also under spam; another can be sent in five minutes.",
        )
    proof.token, proof.asked_at = _draw_number(), now
    session.add(proof)
    await session.flush()
    return proof, tokens.make(TokenPurpose.MAILBOX, int(proof.token))


async def proof_of_link(session: AsyncSession, tokens: Tokens, token: str) -> IdentityProof | None:
    """The proof that a link leads to; None for anything that this installation did not send, or sent anew."""
    number = tokens.read(TokenPurpose.MAILBOX, token)
    if number is None:
        return None
    return await health.proof_by_token(session, ProofKind.MAILBOX, str(number))


def _draw_number() -> str:
    return str(secrets.randbits(NUMBER_BITS))
