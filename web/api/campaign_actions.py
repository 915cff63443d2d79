"""What is done with a campaign: scheduled once its checks are clear, paused, resumed, let go, cancelled.

Each does what the button of the page does, by the same functions. That two people let a campaign leave in
election silence is not among them: a key is no person.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import BadInputError
from models.states import CampaignState
from scheduler import campaigns as conduct
from scheduler import canary
from scheduler.preflight import GoPast, LintFinding, StandsInTheWayError, require_clear
from scheduler.preflight.findings import blockers, from_rows
from scheduler.preflight.gate import look as look_before_sending
from scheduler.preflight.gate import require_schedulable
from store import campaigns, preflights
from store.campaign_pages import own_campaign
from web.api.auth import Caller
from web.api.campaign_parts import may_override, missing_override, require_identities
from web.api.campaign_schemas import (
    CampaignOut,
    FindingOut,
    FindingsOut,
    ScheduleIn,
    tell_campaign,
    tell_finding,
)
from web.api.campaigns import CampaignId, WritesCampaigns, is_test
from web.api.ids import Kind
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import problems
from web.i18n import Tongue

router = APIRouter(tags=["campaigns"])
STALE = timedelta(minutes=1)
"""A start that far in the past is a slip: whoever means now gives none."""
Deed = Callable[[AsyncSession, int, datetime], Awaitable[object]]
_KEEP = problems("not_found", "conflict", "identity_not_allowed")


@router.post(
    "/campaigns/{campaign_id}:schedule",
    responses=problems("invalid", "not_found", "checks_in_the_way", "conflict", "identity_not_allowed"),
)
async def schedule(caller: WritesCampaigns, campaign_id: CampaignId, body: ScheduleIn) -> CampaignOut:
    """Set when it starts, once it was looked at.

    409 `checks_in_the_way` with every finding while something blocks, unless `override_reason` goes past it.
    """
    number = await _own(caller, campaign_id)
    if body.override_reason is not None and not may_override(caller):
        raise missing_override("Going past the checks")
    context, now = caller.context, caller.context.clock.now()
    async with context.database.write() as session:
        local, zone = _start(body, (await campaigns.get_campaign(session, number)).zone, now)
        starts_at = await require_schedulable(session, number, local, zone, now)
    past = None if body.override_reason is None else GoPast(caller.name, body.override_reason)
    means = context.lint.means_of(context)
    try:
        await require_clear(context.database, number, means, past=past, starts_at=starts_at)
    except StandsInTheWayError as error:
        raise await _in_the_way(caller, number, error) from error
    return await _do(
        caller, number, lambda session, its, now: conduct.schedule(session, its, local, zone, now)
    )


@router.post("/campaigns/{campaign_id}:check", responses=problems("not_found", "conflict"))
async def check(caller: WritesCampaigns, campaign_id: CampaignId) -> FindingsOut:
    """Look at it as scheduling would, and tell all that was found. Takes a while: the DNS is asked."""
    number = await _own(caller, campaign_id)
    async with caller.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, number)
    if campaign.state not in {CampaignState.DRAFT, CampaignState.BLOCKED, CampaignState.SCHEDULED}:
        raise ApiProblemError("conflict", f"It is {campaign.state}: only what is to be sent is looked at.")
    means = caller.context.lint.means_of(caller.context)
    findings = await look_before_sending(caller.context.database, number, means, starts_at=campaign.starts_at)
    return FindingsOut(clear=not blockers(findings), findings=_told(findings))


@router.post("/campaigns/{campaign_id}:unschedule", responses=_KEEP)
async def unschedule(caller: WritesCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """Take the schedule away, before the launch: it is a draft again."""
    return await _do(caller, await _own(caller, campaign_id), conduct.unschedule)


@router.post("/campaigns/{campaign_id}:pause", responses=_KEEP)
async def pause(caller: WritesCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """Let nothing more leave."""
    return await _do(caller, await _own(caller, campaign_id), conduct.pause)


@router.post("/campaigns/{campaign_id}:resume", responses=_KEEP)
async def resume(caller: WritesCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """Go on after a pause; what a canary holds back follows, too."""
    return await _do(
        caller,
        await _own(caller, campaign_id),
        lambda session, its, now: conduct.resume(session, its, now, by=caller.name),
    )


@router.post("/campaigns/{campaign_id}:approve", responses=_KEEP)
async def approve(caller: WritesCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """Let the rest follow its first messages, without waiting for what they show, or in spite of it."""
    return await _do(
        caller,
        await _own(caller, campaign_id),
        lambda session, its, now: canary.release(session, its, now, by=caller.name),
    )


@router.post("/campaigns/{campaign_id}:release", responses=_KEEP)
async def release(caller: WritesCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """Try again what was held back, once its reason is mended."""
    return await _do(caller, await _own(caller, campaign_id), conduct.release)


@router.post("/campaigns/{campaign_id}:cancel", responses=_KEEP)
async def cancel(caller: WritesCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """Stop it for good: what has not left never will."""
    return await _do(caller, await _own(caller, campaign_id), conduct.cancel)


async def _own(caller: Caller, campaign_id: str) -> int:
    """The number of a campaign that this key may do something with."""
    number = caller.ids.read(Kind.CAMPAIGN, campaign_id)
    async with caller.context.database.read() as session:
        await own_campaign(session, number, test=is_test(caller))
        senders = await campaigns.identities_of(session, number)
    require_identities(caller, (one.id for one in senders))
    return number


async def _do(caller: Caller, number: int, deed: Deed) -> CampaignOut:
    async with caller.context.database.write() as session:
        await deed(session, number, caller.context.clock.now())
        campaign = await campaigns.get_campaign(session, number)
        await session.refresh(campaign)
        told = await tell_campaign(session, caller.ids, campaign)
    await caller.context.wake()
    return told


def _start(body: ScheduleIn, zone: str, now: datetime) -> tuple[datetime, str]:
    """The start as a wall clock of the zone shows it; ApiProblemError for one that is past."""
    zone = body.zone or zone
    starts_at = body.starts_at or now
    if starts_at < now - STALE:
        problem = "This moment is past: give a later one, or none for now."
        raise ApiProblemError("invalid", problem, [Fault("starts_at", "invalid", problem)])
    try:
        conduct.instant(datetime(2026, 1, 1), zone)  # noqa: DTZ001 - only the zone is asked for
    except BadInputError as error:
        raise ApiProblemError("invalid", str(error), [Fault("zone", "invalid", str(error))]) from error
    return starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), zone


async def _in_the_way(caller: Caller, number: int, error: StandsInTheWayError) -> ApiProblemError:
    """All that was found, what blocks first."""
    async with caller.context.database.read() as session:
        kept = await preflights.find_preflight(session, number)
    rest = [] if kept is None else from_rows([*kept.findings, *kept.seeds])
    told = _told([*error.found, *(one for one in rest if one not in error.found)])
    faults = [
        Fault("campaign", one.code, f"{one.message} {one.advice}".strip()) for one in _told(error.found)
    ]
    more = {"findings": [one.model_dump(mode="json") for one in told]}
    return ApiProblemError("checks_in_the_way", str(error), faults, more=more)


def _told(findings: "list[LintFinding] | tuple[LintFinding, ...]") -> list[FindingOut]:
    # In English, as the API is: programs act on the code.
    tongue = Tongue("en", UTC)
    return [tell_finding(tongue, one) for one in findings]
