"""A plan's days, and how often people are written to, for spreadsheets; the page is the identity's own."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.burden import Burden, burden_of
from deliverability.pressure_files import pressure_csv, volume_csv
from store.identities import get_identity
from web.access import Reader, Visit
from web.pages.deliverability import days_of
from web.report_paper import attachment

router = APIRouter()


@router.get("/deliverability/identities/{identity_id}/volume.csv")
async def volume_file(visit: Reader, identity_id: int) -> Response:
    """What was sent each day, beside what the plans allowed."""
    name, found = await _read(visit, identity_id)
    return _file(volume_csv(found.plans), f"volume {name}", identity_id)


@router.get("/deliverability/identities/{identity_id}/pressure.csv")
async def pressure_file(visit: Reader, identity_id: int) -> Response:
    """How often people are written to, and what they do; shares are fractions between 0 and 1."""
    name, found = await _read(visit, identity_id)
    return _file(pressure_csv(found.pressure), f"pressure {name}", identity_id)


async def _read(visit: Visit, identity_id: int) -> tuple[str, Burden]:
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        identity = await get_identity(session, identity_id)
        since = now - timedelta(days=days_of(visit))
        return identity.name, await burden_of(session, identity_id, since, now, visit.context.zone)


def _file(text: str, name: str, number: int) -> Response:
    headers = attachment(name, number, "csv")
    return Response(f"\ufeff{text}", media_type="text/csv; charset=utf-8", headers=headers)
