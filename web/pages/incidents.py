"""Incidents: what went wrong with a sender, what was done by itself, and letting it go on."""

from fastapi import APIRouter
from starlette.responses import Response

from models.incident import Alert, AlertWay, IncidentKind
from scheduler.incidents import close_incident
from scheduler.undoing import let_go_on, what_stands
from store import alerts, identities, incidents
from web.access import Editor, Reader, Visit
from web.incident_view import kinds_in, lines_of
from web.incident_words import said_in
from web.view import go, page

router = APIRouter()
A_PAGE = 50


@router.get("/incidents")
async def list_page(visit: Reader) -> Response:
    """The open ones first, then what is over."""
    kind = visit.query.text("kind", 40)
    identity = visit.query.number("identity")
    open_only = visit.query.text("open", 5) == "1"
    start = max(0, visit.query.number("from") or 0)
    async with visit.context.database.read() as session:
        found = await incidents.list_incidents(
            session,
            identity_id=identity,
            kind=IncidentKind(kind) if kind in set(IncidentKind) else None,
            open_only=open_only,
            limit=A_PAGE + 1,
            offset=start,
        )
        lines = await lines_of(session, found[:A_PAGE], visit.tongue)
        senders = await identities.list_identities(session)
    return page(
        visit,
        "incidents.html",
        lines=lines,
        senders=senders,
        kinds=kinds_in(visit.tongue),
        kind=kind,
        identity=identity,
        open_only=open_only,
        chosen=bool(kind or identity or open_only),
        start=start,
        following=start + A_PAGE if len(found) > A_PAGE else 0,
    )


@router.get("/incidents/{incident_id}")
async def one_page(visit: Reader, incident_id: int) -> Response:
    """One incident: what happened when, what was said, what was done, who was told."""
    async with visit.context.database.read() as session:
        found = await incidents.get_incident(session, incident_id)
        (line,) = await lines_of(session, [found], visit.tongue)
        told = await alerts.of_incidents(session, [incident_id])
        left = await what_stands(session, found, visit.context.clock.now()) if found.ended_at else []
    return page(
        visit,
        "incident.html",
        line=line,
        incident=found,
        examples=[(one, said_in(one)) for one in found.evidence.get("examples", ())],
        undoes=bool(left if found.ended_at else found.evidence.get("undo")),
        alerts=[(one, shown_target(one)) for one in told.get(incident_id, ())],
    )


def shown_target(alert: Alert) -> str:
    """Who was told: an address, or the host of a webhook, whose path may hold a key."""
    return alert.target if alert.way is AlertWay.MAIL else alert.target.split("/")[2]


@router.post("/incidents/{incident_id}/go-on")
async def go_on(visit: Editor, incident_id: int) -> Response:
    """Take back what was done, and end the incident."""
    async with visit.context.database.write() as session:
        await let_go_on(
            session,
            incident_id,
            by=_name_of(visit),
            now=visit.context.clock.now(),
            note=visit.form.text("note", 500),
        )
    await visit.context.wake()
    return go(f"/incidents/{incident_id}", "incident-undone")


@router.post("/incidents/{incident_id}/close")
async def close(visit: Editor, incident_id: int) -> Response:
    """End the incident; what was done stays done."""
    async with visit.context.database.write() as session:
        await close_incident(
            session,
            incident_id,
            by=_name_of(visit),
            now=visit.context.clock.now(),
            note=visit.form.text("note", 500),
        )
    return go(f"/incidents/{incident_id}", "incident-closed")


def _name_of(visit: Visit) -> str:
    user = visit.user
    return "" if user is None else user.name or user.email
