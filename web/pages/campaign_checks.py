"""The look at a campaign before it is sent: what stands in its way, what is risky, what is in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from deliverability.health import HealthCode
from models.access import Role
from models.campaign import Campaign
from models.preflight import LintLevel, Preflight, PreflightOverride
from models.states import CampaignState, Channel
from scheduler.preflight import GoPast, LintFinding
from scheduler.preflight.examination import fingerprint
from scheduler.preflight.findings import HEALTH, from_rows
from scheduler.preflight.gate import look
from scheduler.preflight.reading import read_campaign
from scheduler.preflight.seeds import try_seeds
from store import campaigns, preflights, seeds
from web.access import Editor, Reader, Visit
from web.health_words import PARTS
from web.lint_words import say_advice, say_fine, say_what
from web.view import go, page

router = APIRouter()
LOOKED_AT = frozenset({CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.BLOCKED})
"""States in which it is worth looking: later, what has left has left."""


@dataclass(frozen=True, slots=True)
class Line:
    """One finding in the reader's words; `where` names identities, if the campaign has several."""

    what: str
    advice: str = ""
    where: str = ""


@router.get("/campaigns/{campaign_id}/checks")
async def checks_page(visit: Reader, campaign_id: int) -> Response:
    """What was found last, or what is being looked at; the campaign's page shows a part of this one."""
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        found = await preflights.find_preflight(session, campaign_id)
        overrides = await preflights.overrides_of(session, campaign_id)
        has_seeds = bool(await seeds.list_active_seeds(session))
        several = len(await campaigns.identities_of(session, campaign_id)) > 1
    stale = found is not None and await _has_changed(visit, found)
    desk = visit.context.lint
    return page(
        visit,
        "campaign_checks.html",
        campaign=campaign,
        found=found,
        stale=stale,
        busy=desk.busy(campaign_id),
        failed=desk.problems.get(campaign_id, ""),
        **_lines_of(visit, found, several=several),
        overrides=[_override(visit, one) for one in overrides],
        may_look=visit.may(Role.EDITOR) and campaign.state in LOOKED_AT,
        gone=campaign.state not in LOOKED_AT,
        seeds=campaign.channel is Channel.EMAIL and Channel.EMAIL in visit.context.transports,
        has_seeds=has_seeds,
    )


@router.post("/campaigns/{campaign_id}/checks")
async def look_again(visit: Editor, campaign_id: int) -> Response:
    """Look at it now; the page follows."""
    context = visit.context
    async with context.database.read() as session:
        await campaigns.get_campaign(session, campaign_id)
    means = context.lint.means_of(context)
    context.lint.begin(campaign_id, lambda: look(context.database, campaign_id, means))
    return go(f"/campaigns/{campaign_id}/checks")


@router.post("/campaigns/{campaign_id}/checks/seeds")
async def send_to_seeds(visit: Editor, campaign_id: int) -> Response:
    """Send the message to the seeds, wait for it and read what their servers say of it."""
    context = visit.context
    async with context.database.read() as session:
        await campaigns.get_campaign(session, campaign_id)
    means = context.lint.means_of(context)
    context.lint.begin(
        campaign_id,
        lambda: try_seeds(context.database, campaign_id, means, transports=context.transports),
    )
    return go(f"/campaigns/{campaign_id}/checks")


def gone_past(visit: Visit) -> GoPast | None:
    """Who goes past what stands in the way, and why; only an administrator may."""
    reason = visit.form.text("past_reason", 500)
    if not reason or visit.user is None or not visit.may(Role.ADMIN):
        return None
    return GoPast(visit.user.email, reason)


async def blocked_now(session: AsyncSession, campaign: Campaign) -> bool:
    """Whether the last look found what keeps the campaign from being scheduled."""
    if campaign.state not in LOOKED_AT:
        return False
    found = await preflights.find_preflight(session, campaign.id)
    return found is not None and any(row["level"] == LintLevel.BLOCK for row in found.findings)


async def _has_changed(visit: Visit, found: Preflight) -> bool:
    context = visit.context
    draft = await read_campaign(context.database, found.campaign_id, context.clock.now())
    return fingerprint(draft) != found.fingerprint


def _lines_of(visit: Visit, found: Preflight | None, *, several: bool) -> dict[str, Sequence[Line]]:
    """Blockers, warnings and what is fine; the test by seeds apart, since it has a moment of its own."""
    findings = from_rows(found.findings) if found else []
    tested = from_rows(found.seeds) if found else []

    def lines(some: Iterable[LintFinding], *levels: LintLevel) -> list[Line]:
        return [_line(visit, one, several=several) for one in some if one.level in levels]

    return {
        "blockers": lines(findings, LintLevel.BLOCK),
        "warnings": lines(findings, LintLevel.WARN),
        "fine": lines(findings, LintLevel.FINE),
        "test_bad": lines(tested, LintLevel.BLOCK, LintLevel.WARN),
        "test_fine": lines(tested, LintLevel.FINE),
    }


def _line(visit: Visit, finding: LintFinding, *, several: bool) -> Line:
    tongue = visit.tongue
    if finding.level is LintLevel.FINE:
        return Line(say_fine(tongue, finding))
    where = ", ".join(finding.where) if several else ""
    return Line(say_what(tongue, finding), say_advice(tongue, finding), where)


def _override(visit: Visit, override: PreflightOverride) -> tuple[str, str, str, list[str]]:
    """When, who, why, and past what."""
    past = list(dict.fromkeys(say_what_short(visit, code) for code in override.codes))
    who, there, _ = override.by.partition(" (command line)")
    by = visit.tongue.say("%(who)s (command line)", who=who) if there else who
    return visit.tongue.moment(override.at), by, override.reason, past


def say_what_short(visit: Visit, code: str) -> str:
    """What a check asks for, as a heading; of the DNS the part: names that were found are not kept."""
    if code.startswith(HEALTH):
        return visit.tongue.say(PARTS[HealthCode(code.removeprefix(HEALTH)).part])
    return say_fine(visit.tongue, LintFinding(LintLevel.BLOCK, code))
