"""What of a campaign waits for something else than its turn: for what its canary shows, or for a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import UNTIL_TOLD
from models.canary import CLOSED, CanaryStage
from scheduler.flow import Queue
from store import canaries, throttles
from store.queues import Waiting


@dataclass(frozen=True, slots=True)
class Holds:
    """From when on it may go: a campaign's lanes that were halted, and the rest behind a canary."""

    lanes: Mapping[tuple[int, int, str], datetime]
    rests: Mapping[int, datetime]

    def begins_at(self, row: Waiting) -> datetime:
        """When it may leave; `UNTIL_TOLD`: when a person says so."""
        lane = self.lanes.get((row.campaign_id, row.identity_id, row.provider), row.due_at)
        rest = self.rests.get(row.campaign_id, row.due_at) if row.held else row.due_at
        return max(row.due_at, lane, rest)


async def holds_of(session: AsyncSession, campaign_ids: Collection[int], now: datetime) -> Holds:
    """Those of campaigns that were launched. A slice that is still leaving is taken to be out at once."""
    halted = {
        (lane.campaign_id, lane.identity_id, lane.provider): lane.halted_until or now
        for lane in await throttles.halted_lanes(session, campaign_ids, now)
    }
    rests = {}
    for gate in await canaries.of_campaigns(session, campaign_ids):
        if gate.stage is CanaryStage.HELD:
            rests[gate.campaign_id] = UNTIL_TOLD
        elif gate.stage in CLOSED:
            rests[gate.campaign_id] = max(now, (gate.sent_at or now) + timedelta(seconds=gate.wait_seconds))
    return Holds(halted, rests)


async def behind_the_canary(
    session: AsyncSession, campaign_id: int, expected: Sequence[Queue]
) -> list[Queue]:
    """What a campaign would hold at its launch, the rest apart that would wait for its canary."""
    gate = await canaries.find(session, campaign_id)
    people = sum(queue.count for queue in expected)
    if gate is None or people <= gate.people:
        return list(expected)
    wait = timedelta(seconds=gate.wait_seconds)
    split = []
    for queue in expected:
        # Drawn by chance: of each lane about as large a part.
        first = round(queue.count * gate.people / people)
        split += [replace(queue, count=first), replace(queue, count=queue.count - first, after=wait)]
    return [queue for queue in split if queue.count]
