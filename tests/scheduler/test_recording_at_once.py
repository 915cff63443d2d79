"""Workers that record refusals of the same people at once do not wait for each other in a circle."""

import asyncio

from sqlmodel import col, func, select

from models.contact import Contact
from models.identity import Identity
from models.states import DeliveryState
from models.suppression import Suppression
from models.values import Refused, Reply
from scheduler.recording import Recorder
from scheduler.retry import RetryPolicy
from store import Database
from store.claims import ClaimedDelivery
from tests.clocks import ManualClock
from tests.deliverability.rows import a_contact, a_delivery, an_identity
from tests.scheduler.paces import a_pacer

NO_SUCH_PERSON = Refused(Reply(550, "5.1.1", "5.1.1 no such user here"))
TOKEN = "a" * 32


async def lane_to(
    database: Database, people: list[Contact], state: DeliveryState = DeliveryState.SENDING
) -> tuple[Identity, list[ClaimedDelivery]]:
    """Messages of an identity of its own to these people, all on the wire."""
    async with database.write() as session:
        identity = await an_identity(session)
        found = []
        for person in people:
            row = await a_delivery(session, identity=identity, contact=person, state=state)
            row.claim_token, row.settled_at = TOKEN, None
            found.append(row)
        await session.flush()
        return identity, [ClaimedDelivery.of(row) for row in found]


async def test_refusals_of_the_same_people_in_opposite_orders_are_recorded(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        people = [await a_contact(session) for _ in range(40)]
    lanes = [await lane_to(database, people), await lane_to(database, people[::-1])]
    recorder = Recorder(RetryPolicy(), a_pacer(database, clock))
    begin = asyncio.Barrier(len(lanes))

    async def record(identity: Identity, rows: list[ClaimedDelivery]) -> None:
        await begin.wait()
        async with database.write() as session:
            endings = [(row, NO_SUCH_PERSON) for row in rows]
            await recorder.record(session, endings, token=TOKEN, identity=identity, now=clock.now())

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(record(*lane))
    async with database.read() as session:
        wanted = select(func.count()).select_from(Suppression).where(col(Suppression.lifted_at).is_(None))
        assert (await session.exec(wanted)).one() == len(people)
