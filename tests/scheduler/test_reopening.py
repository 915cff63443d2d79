"""Several who open a stream anew at the same moment, each in a process, do not wait for each other."""

import asyncio

import sqlalchemy as sa

from models.campaign import Campaign
from scheduler.accepting import Acceptor
from scheduler.asked import Asker
from scheduler.calendar import UsualWindows
from scheduler.forms import Forms
from store import Database
from store.idempotency import Answered
from tests.clocks import ManualClock
from tests.scheduler.program_desks import Desk


async def test_a_finished_stream_is_opened_by_several_at_once(database: Database, clock: ManualClock) -> None:
    desk = await Desk(database, clock).open()
    await desk.ask(desk.wish())
    others = [Acceptor(database, clock, Forms(database, "fr"), UsualWindows(), "UTC") for _ in range(4)]
    for _ in range(5):
        async with database.write() as session:
            await session.exec(sa.update(Campaign).values(state="finished"))
        # Where two wait for each other, the database ends one of them: it would raise here.
        told = await asyncio.gather(
            *(one.accept(Asker(desk.key), [desk.wish()], lambda _: (202, "taken")) for one in others)
        )
        assert told == [Answered(202, "taken", fresh=True)] * 4
    assert len(await desk.rows()) == 21
