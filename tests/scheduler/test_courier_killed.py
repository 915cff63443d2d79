"""A process that is killed between a post and its record: another posts it again, under the same number."""

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

from models.webhook import NoticeState
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.listeners import a_courier, an_endpoint, happen, notices
from tests.servers.hook_taker import HookTaker

ROOT = Path(__file__).parents[2]
DOOMED = """
import asyncio, sys
from scheduler.courier import Courier
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.listeners import a_courier

async def never(self, told):
    await asyncio.sleep(3600)

async def main():
    Courier._record = never
    await a_courier(Database(sys.argv[1]), ManualClock()).run()

asyncio.run(main())
"""


async def test_what_a_killed_process_posted_and_did_not_note_is_told_again_under_its_number(
    database: Database, clock: ManualClock, hook_taker: HookTaker, migrated_url: str
) -> None:
    await an_endpoint(database, hook_taker.url)
    await happen(database, times=3)
    doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", DOOMED, migrated_url, cwd=ROOT)
    async with asyncio.timeout(60):
        while len(hook_taker.calls) < 3:
            await asyncio.sleep(0.05)
    doomed.send_signal(signal.SIGKILL)
    await doomed.wait()
    assert {one.state for one in await notices(database)} == {NoticeState.PENDING}
    courier = a_courier(database, clock)
    await courier.settle()
    assert len(hook_taker.calls) == 3, "held until the lease ends"
    clock.advance(timedelta(seconds=60))
    await courier.settle()
    first, again = hook_taker.calls[:3], hook_taker.calls[3:]
    assert {headers["webhook-id"] for headers, _ in first} == {headers["webhook-id"] for headers, _ in again}
    assert sorted(body for _, body in first) == sorted(body for _, body in again)
    assert {one.state for one in await notices(database)} == {NoticeState.DELIVERED}
