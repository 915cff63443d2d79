"""A person's "let it go on": what was done by itself in an incident is taken back, and the incident ends."""

import logging
from collections.abc import Mapping
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
from scheduler.incidents import end
from store import campaigns, canaries, incidents, throttles
from store.deliveries import Lane

log = logging.getLogger(__name__)


async def let_go_on(
    session: AsyncSession, incident_id: int, *, by: str, now: datetime, note: str = ""
) -> Incident:
    """Take back what was done, and end the incident; ConflictError when it had ended.

    A brake goes, a halted lane flows, a paused campaign resumes; what is gone already stays gone. What was
    counted until now is not held against anybody again.
    """
    incident = await incidents.get_incident(session, incident_id)
    # Brakes and campaigns first, the incident last: in the order of those who open one.
    if incident.ended_at is None:
        for one in incident.evidence.get("undo", ()):
            await _undo(session, incident, one, by=by, now=now)
    incident = await incidents.hold_incident(session, incident_id)
    if incident.ended_at is not None:
        raise ConflictError("This incident has ended already.", "Nothing needs to be undone.")
    end(incident, now, by=by, what="let_go_on", note=note)
    session.add(incident)
    await session.flush()
    log.info("incident undone", extra={"incident": incident.id})
    return incident


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
