"""The list of campaigns, which is what one comes for; with none yet, the first steps."""

from datetime import datetime

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from store import campaigns, identities, segments, templates
from web.access import Reader
from web.incident_view import open_incidents
from web.pages.campaigns import Progress
from web.pages.contacts import count_contacts
from web.view import go, page

router = APIRouter()
A_PAGE = 30


@router.get("/")
async def first_page(visit: Reader) -> Response:
    """Campaigns are what one comes for."""
    return go("/campaigns", visit.query.text("said", 60))


@router.get("/campaigns")
async def list_page(visit: Reader) -> Response:
    """Every campaign, the newest first; with none, the first steps."""
    async with visit.context.database.read() as session:
        found = await campaigns.list_campaigns(
            session, limit=A_PAGE + 1, before_id=visit.query.number("before")
        )
        launched = [one.id for one in found[:A_PAGE] if one.launched_at is not None]
        progress = {
            number: Progress(states)
            for number, states in (await campaigns.progress_of(session, launched)).items()
        }
        alarms = await open_incidents(session, visit.tongue)
        steps = {} if found else await _steps_done(session, visit.context.clock.now())
    return page(
        visit,
        "campaigns.html",
        campaigns=found[:A_PAGE],
        more=len(found) > A_PAGE,
        progress=progress,
        steps=steps,
        alarms=alarms,
    )


async def _steps_done(session: AsyncSession, now: datetime) -> dict[str, bool]:
    return {
        "identity": bool(await identities.list_identities(session)),
        "contacts": await count_contacts(session, now) > 0,
        "segment": bool(await segments.list_segments(session)),
        "template": bool(await templates.list_templates(session)),
    }
