"""A person's "let it go on": what was done by itself in an incident is taken back, and the incident ends."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from models.canary import CanaryStage
from models.errors import ConflictError, NotFoundError
from models.incident import Incident, IncidentKind
from models.states import CampaignState
from scheduler import campaigns as wishes
from scheduler import pace_desk
from scheduler.incidents import add_step, end
from store import campaigns, canaries, incidents, rates, throttles
from store.deliveries import Lane

log = logging.getLogger(__name__)


async def let_go_on(
    session: AsyncSession, incident_id: int, *, by: str, now: datetime, note: str = ""
) -> Incident:
    """Take back what was done, and end the incident; ConflictError when it had ended.

    A brake goes, a halted lane flows, a paused campaign resumes; what is gone already stays gone. What was
    counted until now is not held against anybody again. What another incident that is open did as well stays.
    Of one that was closed, a halt that was left in force can be lifted: nothing else would lift it.
    """
    incident = await incidents.get_incident(session, incident_id)
    was_open = incident.ended_at is None
    undo = incident.evidence.get("undo", ()) if was_open else await what_stands(session, incident, now)
    if not was_open and not undo:
        raise ConflictError("This incident has ended already.", "Nothing needs to be undone.")
    # Brakes and campaigns first, the incident last: in the order of those who open one.
    for one in await _ours_alone(session, incident_id, undo):
        await _undo(session, incident, one, by=by, now=now)
    incident = await incidents.hold_incident(session, incident_id)
    if (incident.ended_at is None) is not was_open:
        raise ConflictError("This incident has ended already.", "Nothing needs to be undone.")
    if was_open:
        end(incident, now, by=by, what="let_go_on", note=note)
    else:
        add_step(incident, now, "let_go_on", by=by, **({"note": note[:500]} if note else {}))
    session.add(incident)
    await session.flush()
    log.info("incident undone", extra={"incident": incident.id})
    return incident


async def what_stands(session: AsyncSession, incident: Incident, now: datetime) -> list[Mapping[str, Any]]:
    """What was done and lasts until a person takes it back: a halt, and while it is open a pause."""
    undo = incident.evidence.get("undo", ())
    numbers = {one["campaign"] for one in undo if "campaign" in one}
    if not numbers:
        return []
    states = await rates.campaigns_left(session, numbers)
    halted = {
        (one.campaign_id, one.identity_id, one.provider)
        for one in await throttles.halted_lanes(session, numbers, now)
    }
    found = []
    for one in undo:
        match one:
            case {"do": "halt", "campaign": campaign, "identity": identity, "provider": provider}:
                stands = (campaign, identity, provider) in halted and states.get(campaign) in rates.UNDER_WAY
            case {"do": "pause", "campaign": campaign}:
                stands = incident.ended_at is None and states.get(campaign) is CampaignState.PAUSED
            case _:
                stands = False
        if stands:
            found.append(one)
    return found


async def _ours_alone(
    session: AsyncSession, incident_id: int, undo: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Of what was done, that which no other open incident did as well."""
    others = await incidents.list_incidents(session, open_only=True, limit=1000)
    theirs = [one for other in others if other.id != incident_id for one in other.evidence.get("undo", ())]
    return [one for one in undo if one not in theirs]


async def _undo(
    session: AsyncSession, incident: Incident, one: Mapping[str, Any], *, by: str, now: datetime
) -> None:
    match one:
        case {"do": "brake", "key": str(key)}:
            with suppress(NotFoundError):  # it went by itself
                await pace_desk.reset(session, key, now)
        case {"do": "halt", "campaign": int(campaign), "identity": int(identity), "provider": str(provider)}:
            await throttles.halt_lane(session, campaign, Lane(identity, provider), None)
        case {"do": "pause", "campaign": int(campaign)}:
            found = await campaigns.get_campaign(session, campaign)
            gate = await canaries.find(session, campaign)
            # What its first messages showed is told in an incident of its own.
            gated = gate is not None and gate.stage is CanaryStage.HELD
            if found.state is CampaignState.PAUSED and (not gated or incident.kind is IncidentKind.CANARY):
                with suppress(ConflictError):
                    await wishes.resume(session, campaign, now, by=by)
        case _:
            log.warning("deed not known", extra={"deed": str(one.get("do", ""))})
