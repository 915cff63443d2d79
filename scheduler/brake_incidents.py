"""What single answers made the brakes do, told as incidents: rests that matter, and campaigns that were held.

A lane that slows down, or rests for minutes, is at its ordinary business; one whose sender is refused, or
that rests for long, is what people want to know of (`deliverability/rules/breakers.toml`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.breaker_rules import breakers_in_force
from models.errors import NotFoundError
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.pace import BreakerState
from scheduler import throttle
from scheduler.incidents import open_incident
from scheduler.pacing import Scopes
from scheduler.reactions import Demand
from scheduler.throttle import Brake
from store import identities
from store.rates import SHUT_OUT

A_STOP = timedelta(hours=12)
"""A rest as long as this is a stop."""


async def tell_of_rests(
    session: AsyncSession,
    called: Sequence[Demand],
    before: Mapping[str, Brake],
    changed: Mapping[str, Brake],
    *,
    scopes: Scopes,
    now: datetime,
) -> None:
    """Open an incident for each scope that was laid to rest just now, if the rest is worth telling."""
    for key, brake in sorted(changed.items()):
        rested = throttle.at(before[key], now).state is BreakerState.OPEN
        demand = next((one for one in called if one.key == key), None)
        if rested or brake.state is not BreakerState.OPEN or brake.opens_at is None or demand is None:
            continue
        if key == scopes.relay:
            continue  # our own way out says nothing of a sender
        shut_out = demand.bounce_class in SHUT_OUT
        span = brake.opens_at - now
        if not shut_out and span < breakers_in_force().tell_rests_from:
            continue
        identity_id, provider = _who(key, scopes)
        if not await _is_there(session, identity_id):
            continue  # nobody is left to be told of
        await open_incident(
            session,
            IncidentKind.BLOCKED if shut_out else IncidentKind.DEFERRALS,
            IncidentLevel.RED if shut_out else IncidentLevel.AMBER,
            identity_id=identity_id,
            provider=provider,
            part=demand.count,
            reason="answers",
            deed=IncidentDeed.STOPPED if span >= A_STOP else IncidentDeed.PAUSED,
            until=brake.opens_at,
            evidence=_evidence(demand, provider) | {"brake": key, "undo": [{"do": "brake", "key": key}]},
            now=now,
        )


async def tell_of_hold(session: AsyncSession, demand: Demand, scopes: Scopes, now: datetime) -> None:
    """Open an incident for a campaign that waits because a provider takes its messages ill."""
    identity_id, provider = _who(scopes.lane, scopes)
    await open_incident(
        session,
        IncidentKind.BLOCKED,
        IncidentLevel.RED,
        identity_id=identity_id,
        provider=provider,
        campaign_id=demand.campaign_id,
        part=demand.count,
        reason="held",
        deed=IncidentDeed.PAUSED,
        evidence=_evidence(demand, provider)
        | {"held": True, "undo": [{"do": "pause", "campaign": demand.campaign_id}]},
        now=now,
    )


async def _is_there(session: AsyncSession, identity_id: int | None) -> bool:
    """Whether a sender exists: what became of messages is recorded even if theirs is gone."""
    if identity_id is None:
        return True
    try:
        await identities.get_identity(session, identity_id)
    except NotFoundError:
        return False
    return True


def _who(key: str, scopes: Scopes) -> tuple[int | None, str]:
    """The identity and the provider a scope is about; None and "": any."""
    scope = key.partition(":")[0]
    identity = int(scopes.lane.split(":")[1])
    provider = scopes.provider.removeprefix("provider:")
    match scope:
        case "provider":
            return None, provider
        case "identity":
            return identity, ""
        case _:
            return identity, provider


def _evidence(demand: Demand, provider: str) -> dict[str, object]:
    said = {
        "provider": provider,
        "class": demand.bounce_class.value,
        "code": None,
        "enhanced": None,
        "text": demand.cause.reason,
        "count": demand.count,
    }
    return {"rule": demand.cause.rule, "examples": [said]}
