"""Several campaigns and several senders at once: nobody is written to more often than the policy says."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from models.delivery import Delivery
from models.states import Channel, DeliveryState, Purpose
from models.values import Deferred, Outcome, Reply, Uncertain
from scheduler.campaigns import parts_of, schedule, update_campaign
from scheduler.dispatch import Dispatcher
from scheduler.expansion import launch
from scheduler.frequency import FrequencyPolicy, Touch, read_windows
from store import Database, deliveries
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_template, an_identity
from tests.scheduler.desks import TAKEN, ScriptedTransport, a_dispatcher

HOUR = timedelta(hours=1)
POLICY = FrequencyPolicy(read_windows("1/6h 2/24h 4/3d") + read_windows("1/2d", Channel.SMS))
PEOPLE = 15
CAMPAIGNS = 14
FULL = Deferred(Reply(452, "4.2.2", "mailbox full"))
GONE_QUIET = Uncertain(Reply(None, None, "the line dropped"))


class Lots(dict[str, Outcome]):
    """Whatever is asked, the lot answers."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self._draw = draw

    def get(self, recipient: str, default: object = None) -> Outcome:
        return self._draw.choice((TAKEN, TAKEN, TAKEN, TAKEN, FULL, GONE_QUIET))


async def the_campaigns(database: Database, draw: random.Random) -> list[int]:
    """People with two addresses each; campaigns of both channels from several identities, one exempt."""
    async with database.write() as session:
        for number in range(PEOPLE):
            await a_contact(session, email=f"p{number}@gmail.com", phone=f"+3361234{number:04}")
        versions = {channel: await a_template(session, channel=channel) for channel in Channel}
        senders = [await an_identity(session, key=f"i{number}") for number in range(3)]
        numbers = []
        for _ in range(CAMPAIGNS):
            version = versions[draw.choice((Channel.EMAIL, Channel.EMAIL, Channel.SMS))]
            campaign = await a_campaign(
                session, version=version, senders=[draw.choice(senders)], with_seeds=False
            )
            numbers.append(campaign.id)
    return numbers


async def drain_together(
    database: Database,
    workers: Mapping[Channel, Sequence[Dispatcher]],
    clock: ManualClock,
    draw: random.Random,
) -> None:
    """Every worker at every lane with something due, all at once, begun in an order drawn by lot."""
    async with database.read() as session:
        lanes = await deliveries.due_lanes(session, clock.now())
    turns = [
        (worker, lane)
        for lane in lanes
        for worker in workers[Channel.SMS if lane.provider == "sms" else Channel.EMAIL]
    ]
    draw.shuffle(turns)
    await asyncio.gather(*(worker.drain(lane) for worker, lane in turns))


def too_many(got: Sequence[Touch]) -> bool:
    """Whether some span holds more than the policy says, counted from each message on."""
    for window in POLICY.windows:
        moments = [at for by, at in got if window.channel in {None, by}]
        if any(sum(first <= at < first + window.span for at in moments) > window.most for first in moments):
            return True
    return False


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_order_of_campaigns_and_senders_gets_round_the_policy(database: Database, seed: int) -> None:
    draw = random.Random(seed)
    clock = ManualClock()
    waiting = await the_campaigns(database, draw)
    workers = {
        channel: [
            a_dispatcher(
                database,
                ScriptedTransport(channel, Lots(draw)),
                clock,
                frequency=POLICY,
                chunk=draw.choice((3, 200)),
            )
            for _ in range(3)
        ]
        for channel in Channel
    }
    for _ in range(30):
        for _ in range(min(len(waiting), draw.randint(0, 3))):
            number = waiting.pop()
            async with database.write() as session:
                await schedule(session, number, clock.now().replace(tzinfo=None), "UTC", clock.now())
            await launch(database, number, clock.now(), language="fr")
        await drain_together(database, workers, clock, draw)
        clock.advance(draw.choice((0, 0, 1, 5, 6, 7, 12)) * HOUR)
    async with database.read() as session:
        rows = (await session.exec(select(Delivery))).all()
    got: dict[int | None, list[Touch]] = defaultdict(list)
    for row in rows:
        if row.state in {DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN}:
            assert row.settled_at is not None
            got[row.contact_id].append((row.channel, row.settled_at))
    assert not any(too_many(touches) for touches in got.values())
    # It was tight: people were asked for by both channels, capped, and got what the policy allows.
    states = Counter(row.state for row in rows)
    assert states[DeliveryState.CAPPED] > PEOPLE
    assert {row.channel for row in rows} == set(Channel)
    assert max(len(touches) for touches in got.values()) >= 2


async def test_receipts_neither_wait_nor_count(database: Database) -> None:
    clock = ManualClock()
    draw = random.Random(1)
    async with database.write() as session:
        await a_contact(session)
        sender = await an_identity(session)
        receipt = await a_campaign(session, senders=[sender], with_seeds=False)
        wanted = replace(await parts_of(session, receipt), purpose=Purpose.TRANSACTIONAL)
        await update_campaign(session, receipt.id, wanted, START, may_exempt=True)
        letters = [await a_campaign(session, senders=[sender], with_seeds=False) for _ in range(2)]
        for number in (letters[0].id, receipt.id, letters[1].id):
            await schedule(session, number, START.replace(tzinfo=None), "UTC", START)
    workers = {Channel.EMAIL: [a_dispatcher(database, ScriptedTransport(), clock, frequency=POLICY)]}
    states = []
    for number in (receipt.id, letters[0].id, letters[1].id, receipt.id):
        await launch(database, number, clock.now(), language="fr")
        await drain_together(database, workers, clock, draw)
        async with database.read() as session:
            wanted_rows = select(Delivery).where(col(Delivery.campaign_id) == number)
            states.append((await session.exec(wanted_rows)).one().state)
    assert states == [
        DeliveryState.ACCEPTED,
        DeliveryState.ACCEPTED,
        DeliveryState.CAPPED,
        DeliveryState.ACCEPTED,
    ]
