"""The canary gate: a first slice and the seeds go out, the seeds are read, and by rule the rest follows.

What is outside the slice is frozen as held, so that nothing of the sending knows of the gate; once it is
open the rest goes into the queue, each at the moment it was due. Only counts of the report decide.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.report import ReportRow, campaign_report, wilson_interval
from models.canary import CLOSED, Canary, CanaryDeed, CanaryStage
from models.clock import Clock
from models.errors import ConflictError
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.providers import provider_name
from models.states import CampaignState
from scheduler.campaigns import resume
from scheduler.incidents import close_incident, open_incident
from store import Database, campaigns, canaries, incidents, throttles

_UNDER_WAY: Final = (CampaignState.SENDING, CampaignState.PAUSED)
MOST_HARD: Final = 0.05
"""Share of the slice refused for good from which on it is bad, if chance does not explain it."""


class Sign(StrEnum):
    """What the first slice shows."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SeenAt:
    """The seeds of one provider: where they were found, and how many have not been found yet."""

    provider: str
    inbox: int
    spam: int
    missing: int
    rejected: int
    awaited: int

    @property
    def found(self) -> int:
        """How many have said something; a mail that is missing may be late."""
        return self.inbox + self.spam + self.rejected

    @property
    def bad(self) -> bool:
        """Whether more of them are in spam or refused than in the inbox."""
        return 2 * (self.spam + self.rejected) > self.found


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, by `code` (placement, hard, unseen, unread or fine), and the sentence about it."""

    sign: Sign
    code: str
    reason: str
    seeds: tuple[SeenAt, ...]
    hard: int
    sent: int


def weigh(total: ReportRow, by_provider: Sequence[ReportRow]) -> Finding:
    """Judge a first slice by its report.

    Bad: at a provider most seeds were found in spam or refused, or more than `MOST_HARD` of the people
    were refused for good, by the lower end of Wilson's interval. Unknown: there is no seed, or less than
    half of them were found. Anything else is good.
    """
    seeds = tuple(filter(lambda seen: seen.found + seen.missing + seen.awaited, map(_seen_at, by_provider)))
    counts = total.counts
    hard, sent = counts.refused_hard + counts.bounced_hard, counts.sent
    spoiled = [seen for seen in seeds if seen.bad]
    interval = wilson_interval(hard, max(hard, sent))
    found = sum(seen.found for seen in seeds)
    expected = found + sum(seen.missing + seen.awaited for seen in seeds)

    def say(sign: Sign, code: str, reason: str) -> Finding:
        return Finding(sign, code, reason, seeds, hard, sent)

    if spoiled:
        return say(Sign.BAD, "placement", f"{' '.join(map(_spoiled, spoiled))}")
    if interval is not None and interval[0] > MOST_HARD:
        return say(Sign.BAD, "hard", f"{hard:,} of {sent:,} were refused for good.")
    if not expected:
        return say(Sign.UNKNOWN, "unseen", "There is no seed mailbox that could tell where it lands.")
    if 2 * found < expected:
        return say(Sign.UNKNOWN, "unread", f"Only {found} of {expected} seeds were found so far.")
    return say(Sign.GOOD, "fine", f"{found} of {expected} seeds were found, none of the providers is bad.")


def _seen_at(row: ReportRow) -> SeenAt:
    counts = row.counts
    return SeenAt(
        provider=row.provider or "",
        inbox=counts.placement.part,
        spam=counts.seeds_spam,
        missing=counts.seeds_missing,
        rejected=counts.seeds_refused,
        awaited=counts.seeds_awaited,
    )


def _spoiled(seen: SeenAt) -> str:
    where = f"{seen.spam} of {seen.found} seeds in spam" if seen.spam else ""
    refused = f"{seen.rejected} of {seen.found} seeds refused" if seen.rejected else ""
    return f"{provider_name(seen.provider)}: {', '.join(filter(None, (where, refused)))}."


async def watch_canaries(database: Database, clock: Clock) -> bool:
    """Look after every gate that has something to do; True when somebody of the rest may leave now."""
    async with database.read() as session:
        gates = await canaries.at_work(session)
    opened = False
    for gate in gates:
        match gate.stage:
            case CanaryStage.SENDING:
                await _see_slice_off(database, gate, clock.now())
            case CanaryStage.WAITING:
                opened |= await _decide(database, gate, clock)
            case CanaryStage.PASSED | CanaryStage.RELEASED:
                opened |= await _open(database, gate, clock)
            case CanaryStage.READY | CanaryStage.HELD:
                pass
            case _:
                assert_never(gate.stage)
    return opened


async def _see_slice_off(database: Database, gate: Canary, now: datetime) -> None:
    async with database.write() as session:
        if await canaries.slice_is_out(session, gate.campaign_id):
            await canaries.move(
                *(session, gate.campaign_id),
                origin=CanaryStage.SENDING,
                to=CanaryStage.WAITING,
                sent_at=now,
            )


async def _decide(database: Database, gate: Canary, clock: Clock) -> bool:
    """Decide once all seeds are found, or the time is over; True when the rest may leave."""
    now = clock.now()
    async with database.read() as session:
        report = await campaign_report(session, gate.campaign_id, now)
    finding = weigh(report.total, report.by_provider)
    over = gate.sent_at is None or now - gate.sent_at >= timedelta(seconds=gate.wait_seconds)
    settled = finding.seeds and not any(seen.awaited or seen.missing for seen in finding.seeds)
    if not over and not settled:
        return False
    deed = _deed(gate, finding)
    async with database.write() as session:
        if deed is CanaryDeed.HOLD and not await canaries.holds_any(session, gate.campaign_id):
            deed = CanaryDeed.ALERT  # everybody had it, or the time of the rest is over: nobody could let go
        stage = CanaryStage.HELD if deed is CanaryDeed.HOLD else CanaryStage.PASSED
        moved = await canaries.move(
            *(session, gate.campaign_id),
            origin=CanaryStage.WAITING,
            to=stage,
            decided_at=now,
            reason=finding.reason[:500],
            seen=asdict(finding),
        )
        if moved and stage is CanaryStage.HELD:
            problem = f"The first messages showed something, so the rest waits for you. {finding.reason}"
            await throttles.hold_campaign(session, gate.campaign_id, problem, now)
        if moved and deed is not CanaryDeed.GO_ON:
            await _tell(session, gate.campaign_id, finding, deed, now)
    return moved and stage is CanaryStage.PASSED and await _open(database, gate, clock)


async def _tell(
    session: AsyncSession, campaign_id: int, finding: Finding, deed: CanaryDeed, now: datetime
) -> None:
    held = deed is CanaryDeed.HOLD
    await open_incident(
        session,
        IncidentKind.CANARY,
        IncidentLevel.RED if held else IncidentLevel.AMBER,
        now=now,
        campaign_id=campaign_id,
        part=sum(seen.spam + seen.rejected for seen in finding.seeds),
        whole=sum(seen.found for seen in finding.seeds),
        reason=finding.reason,
        deed=IncidentDeed.PAUSED if held else IncidentDeed.TOLD,
        evidence={
            "seeds": [asdict(seen) for seen in finding.seeds],
            "undo": [{"do": "pause", "campaign": campaign_id}] if held else [],
        },
    )


async def _settle(session: AsyncSession, gate: Canary, now: datetime) -> None:
    """A person let the rest go: what the canary had told is dealt with."""
    scope = incidents.scope_of(
        IncidentKind.CANARY, identity_id=None, provider="", campaign_id=gate.campaign_id
    )
    told = await incidents.open_in(session, scope)
    if told is not None:
        await close_incident(session, told.id, by=gate.decided_by or "a person", now=now)


def _deed(gate: Canary, finding: Finding) -> CanaryDeed:
    match finding.sign:
        case Sign.GOOD:
            return CanaryDeed.GO_ON
        case Sign.BAD:
            return gate.when_bad
        case Sign.UNKNOWN:
            return gate.when_unknown
        case _:
            assert_never(finding.sign)


async def _open(database: Database, gate: Canary, clock: Clock) -> bool:
    """Let the rest go, a bite a transaction: nobody who sends waits for a million rows."""
    if gate.stage is CanaryStage.RELEASED:
        async with database.write() as session:
            await _settle(session, gate, clock.now())
    more = True
    while more:
        async with database.write() as session:
            more = await canaries.open_some(session, gate.campaign_id, clock.now())
    return True


async def release(session: AsyncSession, campaign_id: int, now: datetime, *, by: str = "") -> None:
    """Let the rest go without waiting for the seeds, or in spite of them: a person says so.

    A campaign its canary paused goes on; one that a person paused goes on pausing. ConflictError when
    nothing of the campaign waits for its canary.
    """
    gate = await canaries.find(session, campaign_id)
    campaign = await campaigns.get_campaign(session, campaign_id)
    closed = gate is not None and gate.stage in CLOSED - {CanaryStage.READY}
    if gate is None or not closed or campaign.state not in _UNDER_WAY:
        raise ConflictError(
            f"Nothing of the campaign {campaign.name!r} waits for its first messages.",
            "Look at its page for what it allows now.",
        )
    if gate.stage is CanaryStage.HELD and campaign.state is CampaignState.PAUSED:
        await resume(session, campaign_id, now, by=by)
        return
    await canaries.move(
        *(session, campaign_id),
        origin=gate.stage,
        to=CanaryStage.RELEASED,
        decided_at=now,
        decided_by=by[:254],
    )
