"""The life of a sender identity: which state it belongs in, and the steps people and looks take it through.

What a look does to it is decided in `verdict`, which is pure. A state that an identity came to by itself is
left by itself; one that a person put it in is left by a person. What is not known never changes anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import BadInputError, ConflictError
from models.health import HealthLevel, IdentityProof, ProofKind
from models.identity import Identity
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.states import SENDING, Channel, IdentityState, identity_may_become
from scheduler.incidents import close_incident, open_incident
from store import health, identities, incidents, warmups

Stage = IdentityState
BOTH_PROOFS = frozenset(ProofKind)
APART = timedelta(minutes=55)
"""Two looks nearer to one another than this say no more than one: somebody pressed the button twice."""
SHOWN, FIRST_SENT, PROOF_LOST, MENDED = "shown", "first_sent", "proof_lost", "mended"
WARMING_UP, WARMED_UP = "warming_up", "warmed_up"
"""Reasons of steps taken by themselves; the others are codes of `deliverability.health.HealthCode`."""
NOT_YET = frozenset({Stage.DRAFT, Stage.DNS_PENDING})


class Sight(NamedTuple):
    """What one look says of whether providers take the identity's mail.

    `refused`: codes of what makes them refuse it; `certain`: everything that matters was answered.
    """

    at: datetime
    refused: tuple[str, ...]
    certain: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides where an identity belongs. `sights` are the looks at it, the latest first.

    `lacking`: proofs that are asked for and were not shown; `lost`: one that had been is gone. `origin`: the
    state it was suspended from. `suspends`: whether what providers refuse is suspended by itself.
    """

    state: IdentityState
    by_itself: bool = True
    origin: IdentityState = Stage.ACTIVE
    lacking: frozenset[ProofKind] = frozenset()
    lost: bool = False
    sights: Sequence[Sight] = ()
    warming: bool = False
    has_sent: bool = False
    suspends: bool = True


class Step(NamedTuple):
    """Where an identity goes from where it is, and why."""

    to: IdentityState
    reason: str


def verdict(now: Situation) -> Step | None:
    """The step an identity takes by itself, None when it stays where it is."""
    match now.state:
        case Stage.DRAFT | Stage.RETIRED:
            return None
        case Stage.DNS_PENDING:
            if now.lacking or now.lost or not _is_well(now):
                return None
            return Step(Stage.ACTIVE if now.has_sent else Stage.CONFIRMED, SHOWN)
        case Stage.SUSPENDED:
            if not now.by_itself or now.lost or not _is_well(now):
                return None
            return Step(home(now), MENDED)
        case _:
            return _step_of_a_sender(now)


def _step_of_a_sender(now: Situation) -> Step | None:
    if now.lost:
        return Step(Stage.SUSPENDED, PROOF_LOST)
    if now.suspends and (codes := refused_for_sure(now.sights)):
        return Step(Stage.SUSPENDED, " ".join(codes))
    if now.state is Stage.CONFIRMED and now.has_sent:
        return Step(Stage.ACTIVE, FIRST_SENT)
    return None


def home(now: Situation) -> IdentityState:
    """Where a suspended identity stands when the suspension ends."""
    if now.origin in NOT_YET:
        return Stage.DNS_PENDING
    if now.warming:
        return Stage.WARMING
    return Stage.CONFIRMED if now.origin is Stage.CONFIRMED else Stage.ACTIVE


def refused_for_sure(sights: Sequence[Sight]) -> tuple[str, ...]:
    """What two looks, and none between them, found that providers refuse; nothing as long as it is one."""
    found: tuple[str, ...] = ()
    latest: datetime | None = None
    for sight in sights:
        if sight.refused:
            found, latest = found or sight.refused, latest or sight.at
            if latest - sight.at >= APART:
                return found
        elif sight.certain:
            break
    return ()


def _is_well(now: Situation) -> bool:
    """Whether the last look found that providers take its mail; where none suspends, that is not asked."""
    if not now.suspends:
        return True
    return bool(now.sights) and now.sights[0].certain and not now.sights[0].refused


def may_send(identity: Identity, channel: Channel) -> bool:
    """Whether an identity's state lets a channel's messages leave.

    What is looked for in the DNS is about e-mail: text messages wait for a person's suspension only.
    """
    if identity.state in SENDING:
        return True
    if channel is Channel.EMAIL:
        return False
    return identity.state in NOT_YET or (identity.state is Stage.SUSPENDED and not identity.state_by)


def tell_state(identity: Identity) -> str:
    """Why an identity sends nothing, in a line for the campaigns that wait for it."""
    match identity.state:
        case Stage.DRAFT | Stage.DNS_PENDING:
            return f"The identity {identity.key!r} is not confirmed yet: its page says what is missing."
        case Stage.SUSPENDED:
            return f"The identity {identity.key!r} is suspended: its page says why."
        case _:
            return f"The identity {identity.key!r} is {identity.state}."


async def suspend(session: AsyncSession, identity: Identity, *, by: str, reason: str, now: datetime) -> None:
    """Let nothing of it leave until somebody resumes it; what is queued waits."""
    if identity.state is Stage.SUSPENDED and not identity.state_by:
        # From now on it is a person's: it does not end by itself any more.
        await _move(session, identity, Stage.SUSPENDED, by=by, reason=_said(reason), now=now, again=True)
        return
    await _move(session, identity, Stage.SUSPENDED, by=by, reason=_said(reason), now=now)


async def resume(session: AsyncSession, identity: Identity, *, by: str, reason: str, now: datetime) -> None:
    """End a suspension: it stands again where it would without."""
    if identity.state is not Stage.SUSPENDED:
        raise ConflictError(f"The identity {identity.key!r} is not suspended.")
    situation = await situation_of(session, identity, required=frozenset(), sights=())
    await _move(session, identity, home(situation), by=by, reason=_said(reason), now=now)
    await _end_incident(session, identity, by=by, now=now)


async def retire(session: AsyncSession, identity: Identity, *, by: str, reason: str, now: datetime) -> None:
    """Let it never send again; its history stays. ConflictError while a campaign is under way in its name."""
    under_way = await identities.campaigns_under_way(session, identity.id)
    if under_way:
        raise ConflictError(
            f"The identity {identity.key!r} still has campaigns under way: {', '.join(under_way)}.",
            "Let them end, or cancel them; until then, suspend it.",
        )
    await _move(session, identity, Stage.RETIRED, by=by, reason=_said(reason), now=now)
    await _end_incident(session, identity, by=by, now=now)


async def change_address(
    session: AsyncSession,
    identity: Identity,
    address: str,
    *,
    return_path: str,
    required: frozenset[ProofKind],
    by: str,
    now: datetime,
) -> None:
    """Give it another From address, whose owner is asked anew; ConflictError under a campaign.

    Its keys stay: their records are to be published under the new domain.
    """
    under_way = await identities.campaigns_under_way(session, identity.id)
    if under_way:
        raise ConflictError(
            f"The identity {identity.key!r} still has campaigns under way: {', '.join(under_way)}.",
            "Let them end, or cancel them, before its address changes.",
        )
    if identity.state is Stage.SUSPENDED and identity.state_by:
        raise ConflictError(
            tell_state(identity), "Resume it first: another address does not end a suspension."
        )
    former, identity.from_email = identity.from_email, address
    identity.dkim_domain, identity.return_path_domain = address.rpartition("@")[2], return_path
    identity.health, identity.health_at, identity.look_at = HealthLevel.UNKNOWN, None, None
    session.add(identity)
    await session.flush()
    if required and identity.state in SENDING | {Stage.SUSPENDED}:
        reason = f"{former} → {address}"
        await _move(session, identity, Stage.DNS_PENDING, by=by, reason=reason, now=now)


async def settle(
    session: AsyncSession, identity: Identity, situation: Situation, now: datetime
) -> Step | None:
    """Take the step that `verdict` finds; the step, None for none or when a person was faster."""
    step = verdict(situation)
    if step is None:
        return None
    if not await identities.move(session, identity, step.to, by="", reason=step.reason, now=now):
        return None
    if step.to is Stage.SUSPENDED:
        await open_incident(
            session,
            IncidentKind.HEALTH,
            IncidentLevel.RED,
            identity_id=identity.id,
            reason=tell_state(identity),
            deed=IncidentDeed.STOPPED,
            evidence={"codes": step.reason.split()},
            now=now,
        )
    elif situation.state is Stage.SUSPENDED:
        await _end_incident(session, identity, by="", now=now)
    return step


async def _end_incident(session: AsyncSession, identity: Identity, *, by: str, now: datetime) -> None:
    scope = incidents.scope_of(IncidentKind.HEALTH, identity_id=identity.id, provider="", campaign_id=None)
    known = await incidents.open_in(session, scope)
    if known is not None:
        await close_incident(session, known.id, by=by, now=now)


async def situation_of(
    session: AsyncSession,
    identity: Identity,
    *,
    required: frozenset[ProofKind],
    sights: Sequence[Sight],
    suspends: bool = True,
) -> Situation:
    """What decides about an identity, as the rows have it. `required`: the proofs this installation wants."""
    proofs = await health.proofs_of(session, identity.id)
    plans = await warmups.list_plans(session, identity_id=identity.id)
    origin = Stage.ACTIVE
    if identity.state is Stage.SUSPENDED:
        origin = await _suspended_from(session, identity)
    dns = proofs.get(ProofKind.DNS)
    return Situation(
        state=identity.state,
        by_itself=not identity.state_by,
        origin=origin,
        lacking=frozenset(kind for kind in required if not is_shown(identity, kind, proofs.get(kind))),
        lost=ProofKind.DNS in required and dns is not None and dns.lost_at is not None,
        sights=sights,
        warming=any(plan.state in warmups.CAPPING for plan in plans),
        has_sent=await health.has_sent(session, identity.id),
        suspends=suspends,
    )


def is_shown(identity: Identity, kind: ProofKind, proof: IdentityProof | None) -> bool:
    """Whether the owner has shown what was asked, for the address the identity has now."""
    if proof is None or proof.proven_at is None:
        return False
    return proof.subject == subject_of(identity, kind)


def subject_of(identity: Identity, kind: ProofKind) -> str:
    """What a proof is about: the domain, or the address."""
    address = (identity.from_email or "").lower()
    return address.rpartition("@")[2] if kind is ProofKind.DNS else address


async def _suspended_from(session: AsyncSession, identity: Identity) -> IdentityState:
    for step in await identities.changes_of(session, identity.id):
        if step.state == Stage.SUSPENDED and step.origin != Stage.SUSPENDED:
            return IdentityState(step.origin)
    return Stage.ACTIVE


def _said(reason: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise BadInputError("A reason is missing.", "Say in a few words why: the next person will ask.")
    return text


async def _move(
    session: AsyncSession,
    identity: Identity,
    to: IdentityState,
    *,
    by: str,
    reason: str,
    now: datetime,
    again: bool = False,
) -> None:
    origin = identity.state
    allowed = again or identity_may_become(origin, to)
    if not allowed or not await identities.move(session, identity, to, by=by, reason=reason, now=now):
        await session.refresh(identity)
        raise ConflictError(
            f"The identity {identity.key!r} is {identity.state}: it cannot become {to}.",
            "Look at its page for what it allows now.",
        )
