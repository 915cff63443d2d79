"""What a breaker does: half the pace, a rest, a halt of a campaign at a provider, a pause of a campaign.

Brakes are the rows that single answers move, too (`scheduler.brakes`): what rests already is not laid to
rest twice, and a rest that is longer than the one under way lengthens it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.breaker_rules import Answer, Breaker, Step, breakers_in_force
from deliverability.reputation import Place
from models.campaign import UNTIL_TOLD
from models.incident import Incident, IncidentDeed
from models.pace import BreakerState, Throttle
from models.states import CampaignState, Channel
from scheduler import throttle
from scheduler.brakes import brake_of, write_brake
from scheduler.incidents import end
from scheduler.pacing import Pace, lane_key, provider_rate, scopes_of
from scheduler.throttle import Brake, Cause
from store import Database, campaigns, identities, incidents, rates, throttles
from store.deliveries import Lane

TOO_MUCH_CAME_BACK = (
    "Too much of what it sent came back, so it waits for you: see the incident, then resume it or cancel it."
)


@dataclass(slots=True)
class Plan:
    """What is about to be done, and how a person takes it back."""

    deed: IncidentDeed
    until: datetime | None = None
    undo: list[dict[str, Any]] = field(default_factory=list)
    brake: tuple[Throttle, Brake] | None = None
    halted: tuple[int, Lane, datetime] | None = None
    paused: int | None = None

    async def leave(self, session: AsyncSession) -> None:
        """Do nothing after all: rows that were made to be held go again."""
        if self.brake is not None and brake_of(self.brake[0]).is_free:
            await throttles.remove(session, [self.brake[0].key])


async def plan_for(
    session: AsyncSession, step: Step | None, place: Place, breaker: Breaker, now: datetime
) -> Plan:
    """What a step means at a place, its rows held until the transaction ends; None: people are told."""
    if step is None:
        return Plan(IncidentDeed.TOLD)
    match step.answer:
        case Answer.TELL:
            return Plan(IncidentDeed.TOLD)
        case Answer.SLOW | Answer.REST if place.identity_id is not None:
            return await _brake(session, step, Lane(place.identity_id, place.provider), breaker, now)
        case Answer.HALT if place.identity_id is not None and place.campaign_id is not None:
            return _halt(step, place.campaign_id, Lane(place.identity_id, place.provider), now)
        case Answer.PAUSE if place.campaign_id is not None:
            return await _pause(session, place.campaign_id)
        case Answer.SLOW | Answer.REST | Answer.HALT | Answer.PAUSE:
            return Plan(IncidentDeed.TOLD)
        case _:
            assert_never(step.answer)


async def _brake(session: AsyncSession, step: Step, lane: Lane, breaker: Breaker, now: datetime) -> Plan:
    key = lane_key(lane.identity_id, lane.provider)
    wider = await _resting_until(session, lane, now)
    row = (await throttles.hold(session, [key], now))[key]
    brake = throttle.at(brake_of(row), now)
    cause = Cause(f"breaker:{breaker.name}"[:100], "")
    base = provider_rate(lane.provider, Pace())
    undo = [{"do": "brake", "key": key}]
    resting = brake.opens_at if brake.state is BreakerState.OPEN else None
    if step.answer is Answer.SLOW:
        if resting or wider:
            return Plan(IncidentDeed.PAUSED, resting or wider, undo if resting else [], (row, brake))
        return Plan(IncidentDeed.SLOWED, None, undo, (row, throttle.slow(brake, now, cause, base=base)))
    until = now + (step.span or throttle.LONGEST_REST)
    if resting is not None:
        brake = replace(brake, opens_at=max(resting, until))
    else:
        brake = throttle.trip(brake, now, cause, base=base, span=until - now, jitter=0.0, too_fast=False)
    return Plan(IncidentDeed.STOPPED, brake.opens_at, undo, (row, brake))


async def _resting_until(session: AsyncSession, lane: Lane, now: datetime) -> datetime | None:
    """Until when a scope that is wider than the lane rests already."""
    sender = await identities.get_identity(session, lane.identity_id)
    scopes = scopes_of(Channel.EMAIL, lane.identity_id, lane.provider, sender.dkim_domain or "", "")
    wider = [key for key in (scopes.identity, scopes.provider, scopes.domain) if key]
    found = [throttle.at(brake_of(row), now) for row in await throttles.known(session, wider)]
    return max(
        (one.opens_at for one in found if one.state is BreakerState.OPEN and one.opens_at), default=None
    )


def _halt(step: Step, campaign_id: int, lane: Lane, now: datetime) -> Plan:
    until = UNTIL_TOLD if step.span is None else now + step.span
    undo = {"do": "halt", "campaign": campaign_id, "identity": lane.identity_id, "provider": lane.provider}
    return Plan(
        IncidentDeed.STOPPED,
        None if step.span is None else until,
        [undo],
        halted=(campaign_id, lane, until),
    )


async def _pause(session: AsyncSession, campaign_id: int) -> Plan:
    # Held before the incident is opened, in the order of those who pause after an answer.
    await campaigns.hold(session, campaign_id, alone=True)
    states = await rates.campaigns_left(session, [campaign_id])
    if states.get(campaign_id) is not CampaignState.SENDING:
        return Plan(IncidentDeed.TOLD)
    return Plan(IncidentDeed.PAUSED, None, [{"do": "pause", "campaign": campaign_id}], paused=campaign_id)


async def carry_out(session: AsyncSession, plan: Plan, now: datetime) -> None:
    """Write what was planned."""
    if plan.brake is not None:
        row, brake = plan.brake
        write_brake(row, brake)
        if brake.is_free:
            await throttles.remove(session, [row.key])
        else:
            await throttles.put(session, [row])
    if plan.halted is not None:
        await throttles.halt_lane(session, *plan.halted)
    if plan.paused is not None:
        await throttles.hold_campaign(session, plan.paused, TOO_MUCH_CAME_BACK, now)


async def end_what_is_over(database: Database, now: datetime) -> int:
    """End incidents that nothing measures any more; how many.

    Those that an answer opened, once their brake is gone or their campaign goes on; those of a breaker whose
    campaigns are no longer in view.
    """
    async with database.read() as session:
        candidates = await incidents.list_incidents(session, open_only=True, limit=1000)
        finished = await _over(session, candidates, now)
    for incident_id in finished:
        async with database.write() as session:
            incident = await incidents.hold_incident(session, incident_id)
            if incident.ended_at is None:
                end(incident, now, by="", what="recovered")
                session.add(incident)
    return len(finished)


async def _over(session: AsyncSession, open_ones: Sequence[Incident], now: datetime) -> list[int]:
    """Which open incidents nothing keeps open any more."""
    keys = {key for one in open_ones if (key := one.evidence.get("brake"))}
    brakes = {row.key: throttle.at(brake_of(row), now) for row in await throttles.known(session, keys)}
    concerned = {number for one in open_ones for number in _campaigns_of(one)}
    states = await rates.campaigns_left(session, concerned)
    in_view = {one.id for one in await rates.in_view(session, now - breakers_in_force().longest)}
    ended = []
    for one in open_ones:
        if one.until is not None and one.until > now:
            continue
        if key := one.evidence.get("brake"):
            brake = brakes.get(key)
            if brake is None or brake.state is BreakerState.CLOSED:
                ended.append(one.id)
        elif "breaker" in one.evidence:
            if not set(one.evidence.get("campaigns", ())) & in_view:
                ended.append(one.id)
        elif one.evidence.get("held") and states.get(one.campaign_id or 0) is not CampaignState.PAUSED:
            ended.append(one.id)
    return ended


def _campaigns_of(incident: Incident) -> set[int]:
    return {incident.campaign_id} if incident.campaign_id is not None else set()
