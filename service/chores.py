"""What is done regularly beside sending: weighing, counting, looking at senders, telling of incidents."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from deliverability.pressure import count_pressure
from models.clock import Clock
from models.errors import StoreError
from models.keyring import Keyring
from models.states import Channel
from scheduler.alerts import tell_alerts
from scheduler.breakers import Scales
from scheduler.bulk_imports import BulkReader
from scheduler.forgetting import Forgetting
from scheduler.jobs import Chore
from scheduler.lookout import look_after_identities
from scheduler.new_domains import NewDomains
from scheduler.rehearsals import Rehearsals
from sender import Transport
from service.identity_watch import lookout_of
from service.settings import Settings
from store import Database, idempotency, incidents

log = logging.getLogger(__name__)

WEIGH_EVERY = timedelta(seconds=10)
"""Soon after a batch of bad news; while none comes, it costs one row."""
PAUSE, LONGEST_PAUSE_S = 20, 60.0
"""Where very much is in view, weighing takes a twentieth of the time at most, and happens once a minute."""
TELL_EVERY = timedelta(seconds=5)
FORGET_EVERY = timedelta(hours=6)
INCIDENTS_KEPT = timedelta(days=400)
"""After their end: a little over a year, so that this spring's can be laid beside last spring's."""
COUNT_EVERY = timedelta(minutes=1)
COUNT_PAUSE, LONGEST_COUNT_PAUSE_S = 60, 3600.0
"""The same for how often people are written to: a sixtieth of the time, and at least once an hour."""
FORGET_ANSWERS_EVERY = timedelta(minutes=10)
READ_FILES_EVERY = timedelta(seconds=2)
LOOK_UP_EVERY = timedelta(seconds=10)
REHEARSE_EVERY = timedelta(seconds=2)
LOOK_EVERY = timedelta(minutes=5)
"""How often it is asked whose look is due; that is once a day, or once an hour."""


def watch_chores(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    transports: Mapping[Channel, Transport],
    keyring: Keyring,
) -> Sequence[Chore]:
    """Breakers, looks at identities where name servers are asked, and alerts if anybody is to be told."""
    scales = Scales(database)

    ready_at = 0.0

    async def weigh() -> None:
        nonlocal ready_at
        began = time.monotonic()
        if began >= ready_at:
            await scales.weigh(clock.now())
            ready_at = time.monotonic() + min(LONGEST_PAUSE_S, PAUSE * (time.monotonic() - began))

    chores = [
        Chore("weigh", WEIGH_EVERY, weigh),
        _incidents(database, clock),
        _answers(database, clock),
        _said(settings, database, clock),
        _pressure(database, clock),
        _rehearsals(database, clock),
        _files(settings, database, clock),
        Chore("new domains", LOOK_UP_EVERY, NewDomains(database, clock).look),
    ]
    lookout = lookout_of(settings)
    if lookout.resolver is not None:

        async def look() -> None:
            await look_after_identities(database, clock, lookout)

        chores.append(Chore("look_after_identities", LOOK_EVERY, look))
    if settings.alert_mailboxes or settings.alert_urls:
        # Loaded only where somebody is told.
        from service.alerting import AlertPost

        desk = AlertPost(settings, database, clock, transports=transports, keyring=keyring).desk()

        async def tell() -> None:
            await tell_alerts(database, clock, desk)

        chores.append(Chore("alerts", TELL_EVERY, tell))
    return chores


def _incidents(database: Database, clock: Clock) -> Chore:
    """Those that ended long ago are forgotten."""

    async def forget() -> None:
        async with database.write() as session:
            await incidents.forget(session, clock.now() - INCIDENTS_KEPT)

    return Chore("old incidents", FORGET_EVERY, forget)


def _pressure(database: Database, clock: Clock) -> Chore:
    """How often people are written to is counted; the more people, the more seldom."""
    ready_at = 0.0

    async def count() -> None:
        nonlocal ready_at
        began = time.monotonic()
        if began >= ready_at:
            await count_pressure(database, clock.now())
            took = time.monotonic() - began
            ready_at = time.monotonic() + min(LONGEST_COUNT_PAUSE_S, COUNT_PAUSE * took)

    return Chore("pressure", COUNT_EVERY, count)


def _files(settings: Settings, database: Database, clock: Clock) -> Chore:
    """Files of people that programs handed over are read, one after the other."""
    reader = BulkReader(database, clock, settings.data_dir)

    async def read() -> None:
        while await reader.read_next():
            pass

    return Chore("files of people", READ_FILES_EVERY, read)


async def read_files_here(settings: Settings, database: Database, clock: Clock) -> None:
    """The same for ever beside pages that have no worker: what came to this machine, another may not see."""
    reader = BulkReader(database, clock, settings.data_dir)
    while True:
        try:
            while await reader.read_next():
                pass
        except StoreError as error:
            log.warning("files of people not read", extra={"problem": error.problem})
        except Exception:
            # A folder that cannot be read must not take the pages along.
            log.exception("files of people not read")
        await asyncio.sleep(READ_FILES_EVERY.total_seconds())


def _rehearsals(database: Database, clock: Clock) -> Chore:
    """What follows test messages is told soon after they were taken."""
    rehearsals = Rehearsals(database, clock)

    async def tell() -> None:
        await rehearsals.tell()

    return Chore("rehearsals", REHEARSE_EVERY, tell)


def _answers(database: Database, clock: Clock) -> Chore:
    """What programs were answered is forgotten once they may not ask for it again, a few at a time."""

    async def forget() -> None:
        gone = 1
        while gone:
            async with database.write() as session:
                gone = await idempotency.forget(session, clock.now())

    return Chore("old answers", FORGET_ANSWERS_EVERY, forget)


def _said(settings: Settings, database: Database, clock: Clock) -> Chore:
    """What programs gave to be said is forgotten some time after it was."""
    after = timedelta(days=settings.keep_messages_days)
    return Chore("old messages", FORGET_EVERY, Forgetting(database, clock, after).forget)
