"""Where messages arrived, what people did with them there: the map of a period, and files to take away."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.territory import DEPARTEMENTS
from deliverability.places import PlaceReport, campaign_places, period_places, places_csv, places_json
from store.campaigns import get_campaign
from web.access import Reader, Visit
from web.pages.deliverability import PERIODS, days_of
from web.place_map import PlacesView, view_of
from web.report_paper import attachment
from web.view import page

router = APIRouter()


async def places_of(visit: Visit, session: AsyncSession, campaign_id: int) -> PlacesView:
    """The places of a campaign for the page of its report."""
    return view_of(await campaign_places(session, campaign_id, visit.context.clock.now()), visit.tongue)


@router.get("/deliverability/map")
async def map_page(visit: Reader) -> Response:
    """All e-mail campaigns of a period on one map."""
    report = await _of_period(visit)
    return page(
        visit,
        "map.html",
        places=view_of(report, visit.tongue),
        campaigns=report.places.campaigns,
        periods=PERIODS,
        days=days_of(visit),
    )


@router.get("/deliverability/map.json")
async def map_as_json(visit: Reader) -> Response:
    """The same for programs."""
    report, days = await _of_period(visit), days_of(visit)
    since = report.made_at - timedelta(days=days)
    about = {"period": {"since": since.isoformat(), "until": report.made_at.isoformat()}}
    return _json(report, about, attachment(f"map {days} days", 0, "json"))


@router.get("/deliverability/map.csv")
async def map_as_csv(visit: Reader) -> Response:
    """The same for spreadsheets."""
    report = await _of_period(visit)
    return _csv(report, attachment(f"map {days_of(visit)} days", 0, "csv"))


@router.get("/campaigns/{campaign_id}/places.json")
async def places_as_json(visit: Reader, campaign_id: int) -> Response:
    """The places of one campaign for programs."""
    name, report = await _of_campaign(visit, campaign_id)
    about = {"campaign": {"id": campaign_id, "name": name, "channel": report.channel.value}}
    return _json(report, about, attachment(f"{name} map", campaign_id, "json"))


@router.get("/campaigns/{campaign_id}/places.csv")
async def places_as_csv(visit: Reader, campaign_id: int) -> Response:
    """The places of one campaign for spreadsheets."""
    name, report = await _of_campaign(visit, campaign_id)
    return _csv(report, attachment(f"{name} map", campaign_id, "csv"))


async def _of_period(visit: Visit) -> PlaceReport:
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        return await period_places(session, now - timedelta(days=days_of(visit)), now)


async def _of_campaign(visit: Visit, campaign_id: int) -> tuple[str, PlaceReport]:
    async with visit.context.database.read() as session:
        campaign = await get_campaign(session, campaign_id)
        return campaign.name, await campaign_places(session, campaign_id, visit.context.clock.now())


def _json(report: PlaceReport, about: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(
        places_json(report, DEPARTEMENTS, about), media_type="application/json", headers=dict(headers)
    )


def _csv(report: PlaceReport, headers: Mapping[str, str]) -> Response:
    # The mark at its head tells spreadsheets that it is UTF-8.
    text = f"\ufeff{places_csv(report, DEPARTEMENTS)}"
    return Response(text, media_type="text/csv; charset=utf-8", headers=dict(headers))
