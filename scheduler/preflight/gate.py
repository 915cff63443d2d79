"""Between a person and the schedule: what stands in the way, and who goes past it for which reason.

Asked where people schedule (pages, command line), before the transaction that does: looking takes a while,
and asks the DNS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import BadInputError
from models.preflight import Preflight, PreflightOverride
from scheduler.campaigns import schedule
from scheduler.preflight.examination import Means, examine, fingerprint
from scheduler.preflight.findings import LintFinding, blockers, from_rows, to_rows
from scheduler.preflight.reading import read_campaign
from store import Database, preflights

MOST_REASON = 500
TEST_HOLDS = timedelta(days=1)
"""How long what the seeds said counts; another test takes its place at once."""


@dataclass(frozen=True, slots=True)
class GoPast:
    """Somebody takes it on themselves; the reason is kept with the campaign."""

    by: str
    reason: str


class StandsInTheWayError(BadInputError):
    """A campaign is not scheduled: checks stand in its way."""

    exit_code = 1

    def __init__(
        self,
        found: Sequence[LintFinding],
        advice: str = "Mend what they say, or go past them with a reason.",
    ) -> None:
        """`found`: the findings that do."""
        super().__init__(
            "The campaign is not scheduled: 1 check stood in its way."
            if len(found) == 1
            else f"The campaign is not scheduled: {len(found)} checks stood in its way.",
            advice,
        )
        self.found = tuple(found)


async def require_schedulable(
    session: AsyncSession, campaign_id: int, local_time: datetime, zone: str, now: datetime
) -> datetime | None:
    """When it would start; errors as `scheduler.campaigns.schedule` would raise. Nothing is changed."""
    attempt = await session.begin_nested()
    try:
        return (await schedule(session, campaign_id, local_time, zone, now)).starts_at
    finally:
        await attempt.rollback()


async def look(
    database: Database, campaign_id: int, means: Means, *, starts_at: datetime | None = None
) -> list[LintFinding]:
    """Look at a campaign and keep what was found, for its page. `starts_at`: as `examine` has it."""
    draft = await read_campaign(database, campaign_id, means.clock.now())
    findings = await examine(database, campaign_id, means, starts_at=starts_at)
    kept = Preflight(
        campaign_id=campaign_id,
        examined_at=means.clock.now(),
        fingerprint=fingerprint(draft),
        findings=to_rows(findings),
    )
    async with database.write() as session:
        await preflights.save_preflight(session, kept, with_seeds=False)
    return findings


async def require_clear(
    database: Database,
    campaign_id: int,
    means: Means,
    *,
    past: GoPast | None = None,
    starts_at: datetime | None = None,
) -> list[LintFinding]:
    """Look at a campaign that somebody wants to schedule for `starts_at`; all that was found.

    StandsInTheWayError while something blocks, unless `past`, now or earlier, named a reason to go past
    these very checks of this very campaign: one that was changed since is asked again. BadInputError for a
    reason that says nothing.
    """
    if past is not None and not past.reason.strip():
        raise BadInputError("Going past the checks needs a reason.", "Say why in a line.")
    findings = await look(database, campaign_id, means, starts_at=starts_at)
    async with database.read() as session:
        kept = await preflights.find_preflight(session, campaign_id)
    if kept is not None and kept.seeds_at is not None and means.clock.now() - kept.seeds_at < TEST_HOLDS:
        findings += from_rows(kept.seeds)
    found = blockers(findings)
    codes = sorted({finding.code for finding in found})
    if not codes:
        return findings
    now_it_is = kept.fingerprint if kept is not None else ""
    async with database.write() as session:
        if past is not None:
            await preflights.add_override(
                session,
                PreflightOverride(
                    campaign_id=campaign_id,
                    at=means.clock.now(),
                    by=past.by[:254],
                    reason=past.reason.strip()[:MOST_REASON],
                    codes=codes,
                    fingerprint=now_it_is,
                ),
            )
            return findings
        gone_past = await preflights.overrides_of(session, campaign_id)
    if any(set(codes) <= set(one.codes) and one.fingerprint == now_it_is for one in gone_past):
        return findings
    raise StandsInTheWayError(found)
