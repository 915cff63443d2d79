"""Sender identities: who people see, and the DNS records that make receivers believe it."""

from fastapi import APIRouter
from starlette.responses import Response

from audience.territory import DEPARTEMENTS, REGIONS
from deliverability.dns_records import records_to_publish
from deliverability.health import HealthFinding, check_identity
from deliverability.resolver import DnsResolver
from models.identity import Identity, TerritoryKind
from store import identities
from web.access import Editor, Reader, Visit
from web.health_words import LEVELS, advised, said
from web.view import page

router = APIRouter()
PLACES = {TerritoryKind.DEPARTEMENT: DEPARTEMENTS, TerritoryKind.REGION: REGIONS}


@router.get("/identities")
async def list_page(visit: Reader) -> Response:
    """Every identity."""
    async with visit.context.database.read() as session:
        found = await identities.list_identities(session)
    return page(visit, "identities.html", identities=found, place=place)


@router.get("/identities/{identity_id}")
async def one_page(visit: Reader, identity_id: int) -> Response:
    """One identity and the records to publish for it."""
    return await _show(visit, identity_id, None)


@router.post("/identities/{identity_id}/check")
async def check(visit: Editor, identity_id: int) -> Response:
    """Ask the DNS whether the records are there; changes nothing."""
    async with visit.context.database.read() as session:
        identity = await identities.get_identity(session, identity_id)
        keys = await identities.keys_of(session, identity_id)
    lint = visit.context.lint
    found = await check_identity(identity, keys, lint.resolver or DnsResolver(), setup=lint.setup)
    return await _show(visit, identity_id, found)


def place(identity: Identity) -> str:
    """What an identity speaks for, by name where numbers are usual."""
    value = identity.territory_value
    name = PLACES[identity.territory].get(value) if identity.territory in PLACES else None
    return f"{name} ({value})" if name else value


async def _show(visit: Visit, identity_id: int, findings: list[HealthFinding] | None) -> Response:
    async with visit.context.database.read() as session:
        identity = await identities.get_identity(session, identity_id)
        keys = await identities.keys_of(session, identity_id)
    return page(
        visit,
        "identity.html",
        identity=identity,
        place=place,
        records=records_to_publish(identity, keys) if identity.from_email else [],
        findings=findings,
        levels=LEVELS,
        said=lambda finding: said(finding, visit.tongue),
        advised=lambda finding: advised(finding, visit.tongue),
    )
