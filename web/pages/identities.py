"""Sender identities: who people see, and the DNS records that make receivers believe it."""

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.dns_checks import DnsResolver, Finding, Level, check_identity
from deliverability.dns_records import records_to_publish
from store import identities
from web.access import Editor, Reader, Visit
from web.view import page

router = APIRouter()
LEVEL_TONES = {Level.FINE: "good", Level.ADVICE: "warn", Level.PROBLEM: "bad"}


@router.get("/identities")
async def list_page(visit: Reader) -> Response:
    """Every identity."""
    async with visit.context.database.read() as session:
        found = await identities.list_identities(session)
    return page(visit, "identities.html", identities=found)


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
    return await _show(visit, identity_id, await check_identity(identity, keys, DnsResolver()))


async def _show(visit: Visit, identity_id: int, findings: list[Finding] | None) -> Response:
    async with visit.context.database.read() as session:
        identity = await identities.get_identity(session, identity_id)
        keys = await identities.keys_of(session, identity_id)
    return page(
        visit,
        "identity.html",
        identity=identity,
        records=records_to_publish(identity, keys) if identity.from_email else [],
        findings=findings,
        tones_by_level=LEVEL_TONES,
    )
