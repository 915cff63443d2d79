"""Incidents: what went wrong with a sender, what was done about it, and how it ended.

Whoever does something by itself that people would want to know of (a breaker, a canary, the daily look at an
identity) opens an incident in the transaction that does it. However many workers see the same, one is
opened; the others refresh it. It ends by itself, or by a person with a name, who may undo what was done.

`reason` is a code of the words on the pages (`hard_rate`), or a plain sentence. In `evidence`, beside what
its kind tells: `examples` (what was said, how often), `undo` (what a person's "let it go on" takes back, see
`scheduler.undoing`) and `steps` (what happened when, by whom).
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.incident import Incident, IncidentDeed, IncidentKind, IncidentLevel
from store import incidents

log = logging.getLogger(__name__)

MOST_STEPS: Final = 40
_WORSE = {level: place for place, level in enumerate((IncidentLevel.AMBER, IncidentLevel.RED))}
_STRONGER = {deed: place for place, deed in enumerate(IncidentDeed)}


async def open_incident(
    session: AsyncSession,
    kind: IncidentKind,
    level: IncidentLevel,
    *,
    now: datetime,
    identity_id: int | None = None,
    provider: str = "",
    campaign_id: int | None = None,
    part: int = 0,
    whole: int = 0,
    reason: str = "",
    deed: IncidentDeed = IncidentDeed.TOLD,
    until: datetime | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Incident | None:
    """Open an incident, once for its kind, identity, provider and campaign; None: one is open, and refreshed.

    To be called last in a transaction: on PostgreSQL another that opens the same waits for its end.
    """
    scope = incidents.scope_of(kind, identity_id=identity_id, provider=provider, campaign_id=campaign_id)
    opened = Incident(
        scope=scope,
        kind=kind,
        level=level,
        identity_id=identity_id,
        provider=provider,
        campaign_id=campaign_id,
        began_at=now,
        seen_at=now,
        deed=deed,
        until=until,
        part=part,
        whole=whole,
        reason=reason[:500],
        evidence={**(evidence or {}), "steps": [_step(now, "opened", level=level.value, deed=deed.value)]},
    )
    number = await incidents.insert_open(session, opened)
    if number is not None:
        log.warning("incident", extra={"incident": number, "kind": kind.value, "level": level.value})
        return await incidents.get_incident(session, number)
    known = await incidents.open_in(session, scope)
    if known is not None:
        _refresh(known, opened, now)
        session.add(known)
        await session.flush()
    return None


def _refresh(known: Incident, seen: Incident, now: datetime) -> None:
    """What was seen again: the latest figures, the worse level, the stronger deed."""
    known.seen_at = now
    known.part, known.whole = (
        (seen.part, seen.whole) if seen.whole or seen.part else (known.part, known.whole)
    )
    worse = _WORSE[seen.level] > _WORSE[known.level]
    stronger = _STRONGER[seen.deed] > _STRONGER[known.deed]
    longer = seen.until is not None and (known.until is None or seen.until > known.until)
    evidence = {**known.evidence, **{key: value for key, value in seen.evidence.items() if key != "steps"}}
    evidence["undo"] = joined(known.evidence.get("undo", ()), seen.evidence.get("undo", ()))
    known.evidence = evidence
    if worse:
        known.level = seen.level
    if worse or stronger:
        add_step(known, now, "worse", level=known.level.value, deed=seen.deed.value)
    if stronger:
        known.deed = seen.deed
    if longer:
        known.until = seen.until


def joined(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    """Both, without what is there twice."""
    return [*first, *(one for one in second if one not in first)]


def _step(now: datetime, what: str, **values: str | int) -> dict[str, str | int]:
    return {"at": now.isoformat(), "what": what, **values}


def add_step(incident: Incident, now: datetime, what: str, **values: str | int) -> None:
    """Note what happened, for the incident's page."""
    steps = [*incident.evidence.get("steps", ()), _step(now, what, **values)]
    if len(steps) > MOST_STEPS:
        steps = [steps[0], *steps[1 - MOST_STEPS :]]
    incident.evidence = {**incident.evidence, "steps": steps}


async def close_incident(
    session: AsyncSession, incident_id: int, *, by: str, now: datetime, note: str = ""
) -> bool:
    """End an incident, `by` a person or by itself (""); False when it had ended.

    What was done stays done (but see `scheduler.undoing`); what was counted until now counts no more.
    """
    incident = await incidents.hold_incident(session, incident_id)
    if incident.ended_at is not None:
        return False
    end(incident, now, by=by, what="closed" if by else "recovered", note=note)
    session.add(incident)
    await session.flush()
    return True


def end(incident: Incident, now: datetime, *, by: str, what: str, note: str = "") -> None:
    """Mark an incident as over; `what`: the step that ended it."""
    add_step(incident, now, what, **({"by": by} if by else {}), **({"note": note[:500]} if note else {}))
    incident.ended_at, incident.ended_by = now, by[:254]
    incident.evidence = {**incident.evidence, "rebase": True}
