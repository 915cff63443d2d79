"""What the sweep puts in order: claims of workers that are gone, what came too late, campaigns at their end.

Each step is a transaction of its own and small: nobody who sends waits for the broom.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.clock import Clock
from models.event import event_about
from models.states import FINAL, WAITING, CampaignState, Channel, DeliveryState, EventKind
from scheduler.campaigns import close_cancelled
from scheduler.gates import TOO_LATE
from scheduler.pacing import Pace
from scheduler.recording import record_abandoned
from scheduler.rests import tell_rests
from scheduler.streams import is_idle
from scheduler.uncertain import reopen
from store import Database, campaigns, claims, deliveries, elections, erasure, events, messages

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """That nobody was lost: who was frozen at the launch, and where each of them stands, seeds aside."""

    frozen: int
    by_state: Mapping[DeliveryState, int]

    @property
    def ended(self) -> int:
        """How many have an end."""
        return sum(count for state, count in self.by_state.items() if state in FINAL)

    @property
    def equal(self) -> bool:
        """Whether every one of the frozen has an end, and nobody else has."""
        return self.frozen == self.ended == sum(self.by_state.values())


async def take_back(
    database: Database, clock: Clock, *, gone: Collection[str] = (), spared: Collection[str] = ()
) -> bool:
    """End or requeue what nobody holds any more; True when there is more of it.

    `gone`: workers known to have ended, whose leases need not run out. Journals come first
    (`scheduler.adoption`): they know more. `spared`: tokens of claims that this very process holds. After a
    sleep longer than their lease it settles them itself, and knows what became of them.
    """
    now = clock.now()
    async with database.write() as session:
        if gone:
            await deliveries.end_leases(session, now, workers=gone)
        await claims.requeue_lapsed(session, now, spared=spared)
        abandoned = await claims.abandon_lapsed(session, now, spared=spared)
        await record_abandoned(session, abandoned, now)
    if abandoned:
        log.warning("deliveries left uncertain by a worker that ended", extra={"deliveries": len(abandoned)})
    async with database.write() as session:
        more_cancelled = await close_cancelled(session, now)
    async with database.write() as session:
        expired = await deliveries.close_waiting(
            session, to=DeliveryState.EXPIRED, now=now, reason=elections.why_too_late(TOO_LATE.reason)
        )
        told = [
            event_about(
                row, EventKind.EXPIRED, source="sweep", source_id=f"{row.id}/expired", at=now, now=now
            )
            for row in expired
        ]
        await events.append_many(session, told)
    return more_cancelled or len(expired) == deliveries.BITE


async def finish_if_done(database: Database, campaign_id: int, clock: Clock) -> None:
    """End a campaign nothing of which waits any more, once its sums are proved."""
    async with database.read() as session:
        if await campaigns.has_waiting(session, campaign_id, tuple(WAITING)):
            return
        if not await is_idle(session, campaign_id, clock.now()):
            return
        proof = await _prove(session, campaign_id)
    now = clock.now()
    async with database.write() as session:
        # Whoever has something wait again does so before this, or finds the campaign at its end.
        await campaigns.hold(session, campaign_id, alone=True)
        if await campaigns.has_waiting(session, campaign_id, tuple(WAITING)):
            return
        ending = CampaignState.FINISHED if proof.equal else CampaignState.INCOMPLETE
        # Paused or cancelled by a person in this very moment: theirs is the word.
        if not await campaigns.move(session, campaign_id, origin=CampaignState.SENDING, to=ending, now=now):
            return
        campaign = await campaigns.get_campaign(session, campaign_id)
        campaign.finished_at, campaign.frozen = now, proof.frozen
        campaign.problem = _what_is_missing(proof)
        campaign.reconciled_at = now if proof.equal else None
        session.add(campaign)
    await erasure.forget(database, campaign_id)


async def reconcile(database: Database, campaign_id: int, clock: Clock) -> Proof:
    """Prove a campaign's sums by counting its rows; one that had ended is finished or incomplete by it."""
    await erasure.forget(database, campaign_id)
    async with database.read() as session:
        proof = await _prove(session, campaign_id)
    now = clock.now()
    right, wrong = CampaignState.FINISHED, CampaignState.INCOMPLETE
    origin, to = (wrong, right) if proof.equal else (right, wrong)
    async with database.write() as session:
        await campaigns.move(session, campaign_id, origin=origin, to=to, now=now)
        campaign = await campaigns.get_campaign(session, campaign_id)
        await session.refresh(campaign)
        if campaign.state in {right, wrong}:
            campaign.problem = _what_is_missing(proof)
            campaign.reconciled_at = now if proof.equal else None
            session.add(campaign)
    return proof


async def reopen_ended(database: Database, clock: Clock) -> int:
    """Let campaigns send on that have ended although something of them waits; how many."""
    async with database.read() as session:
        wrong = await campaigns.ended_with_waiting(session)
    for campaign_id in wrong:
        async with database.write() as session:
            if await reopen(session, campaign_id, clock.now()):
                log.warning("campaign had ended with messages waiting", extra={"campaign_id": campaign_id})
    return len(wrong)


async def reconcile_ended(database: Database, clock: Clock) -> int:
    """Prove every campaign that has ended and is not proved; how many came out right."""
    async with database.read() as session:
        ended = await campaigns.list_in_state(session, CampaignState.FINISHED, CampaignState.INCOMPLETE)
    open_ones = [campaign.id for campaign in ended if campaign.reconciled_at is None]
    proofs = [await reconcile(database, campaign_id, clock) for campaign_id in open_ones]
    return sum(proof.equal for proof in proofs)


async def _prove(session: AsyncSession, campaign_id: int) -> Proof:
    campaign = await campaigns.get_campaign(session, campaign_id)
    if campaign.stream_key is not None:
        frozen = await messages.carried(session, campaign_id)
        return Proof(frozen, await campaigns.count_states(session, campaign_id))
    return Proof(campaign.frozen, await campaigns.count_states(session, campaign_id))


def _what_is_missing(proof: Proof) -> str:
    if proof.equal:
        return ""
    waiting = sum(proof.by_state.values()) - proof.ended
    return (
        f"Frozen at the launch: {proof.frozen:,}, with an end: {proof.ended:,}, waiting: {waiting:,}."
        " Rows are missing or too many. It is counted again every hour, and ends once the sums are right."
    )


def _what_is_held(count: int, reason: str) -> str:
    if count == 1:
        return f"1 message is held back and waits for a person. The reason: {reason}"
    return f"{count:,} messages are held back and wait for a person. One of the reasons: {reason}"


async def tell_problems(
    database: Database,
    sending: Sequence[Campaign],
    obstacles: Mapping[tuple[int, Channel], str],
    *,
    pace: Pace,
    now: datetime,
    zone: str,
) -> None:
    """Say on each campaign that is sending what keeps it from its end, and take it back once it is mended.

    `zone`: of the times told.
    """
    if not sending:
        return
    async with database.read() as session:
        numbers = [campaign.id for campaign in sending]
        held = await campaigns.held(session, numbers)
        senders = await campaigns.senders_of(session, numbers)
        rests = await tell_rests(session, sending, pace, now, zone)
    for campaign in sending:
        told = [obstacles.get((sender, campaign.channel), "") for sender in senders.get(campaign.id, [])]
        if campaign.id in held:
            count, reason = held[campaign.id]
            told.append(_what_is_held(count, reason))
        told += rests.get(campaign.id, ())
        problem = " ".join(dict.fromkeys(text for text in told if text))
        if problem != campaign.problem:
            async with database.write() as session:
                await campaigns.tell_problem(session, campaign.id, problem)
