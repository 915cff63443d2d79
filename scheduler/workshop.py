"""Where a chunk of deliveries becomes messages: read who they go to, render, build and sign.

What is signed, in a few threads: signing lets go of the interpreter's lock, so two sign while a third
renders. What is not, on the event loop itself, a few messages at a time: a thread that only computes holds
the lock for milliseconds, and the loop would wait for it after every line it writes into the journal.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import StoreError, TocsinError
from models.values import Envelope
from scheduler import gates
from scheduler.calendar import UsualWindows
from scheduler.content import Addresses, Content, content_of, people
from scheduler.gates import Stop
from scheduler.post import Desk, write_envelope
from store import Database
from store.claims import ClaimedDelivery
from store.people import Person

log = logging.getLogger(__name__)

CONTENTS_KEPT = 32
"""Compiled campaigns kept at hand; one more, and the one used longest ago is compiled anew when needed."""
SLICE = 25
"""Messages a thread takes at least: fewer are not worth another thread."""
HANDFUL = 8
"""Messages written on the loop before others have their turn: half a millisecond."""
LONG_S = 0.02
"""A handful that takes longer is that of a laborious template, which is left to a thread."""
Contents = Mapping[int, Content | Stop]


@dataclass(frozen=True, slots=True)
class _Order:
    """A chunk to be written: what it takes, and what has been made of it by delivery number."""

    desk: Desk
    persons: Mapping[int, tuple[Person, list[str]]]
    contents: Contents
    now: datetime
    envelopes: dict[int, Envelope] = field(default_factory=dict)
    unwritten: dict[int, Stop] = field(default_factory=dict)


class Workshop:
    """Writes messages, by campaigns that it compiles once."""

    def __init__(
        self, database: Database, addresses: Addresses, *, language: str, windows: UsualWindows, threads: int
    ) -> None:
        """`windows`: the hours of campaigns without their own. The threads end with `close`."""
        self._database = database
        self._addresses = addresses
        self._language = language
        self._windows = windows
        self._threads = threads
        self._contents: OrderedDict[int, Content | Stop] = OrderedDict()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="workshop")

    async def write(
        self, desk: Desk, rows: Sequence[ClaimedDelivery], now: datetime
    ) -> tuple[Contents, dict[int, Envelope], dict[int, Stop]]:
        """What the campaigns say, the messages, and those that could not be written with the reason."""
        persons, contents = await self._materials(rows)
        order = _Order(desk, persons, contents, now)

        def write_some(some: Sequence[ClaimedDelivery]) -> None:
            self._write_some(order, some)

        done = 0 if desk.signs else await _write_in_turns(write_some, rows)
        rest = rows[done:]
        size = max(SLICE, -(-len(rest) // self._threads))
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, write_some, rest[start : start + size])
                for start in range(0, len(rest), size)
            )
        )
        return contents, order.envelopes, order.unwritten

    def close(self) -> None:
        """End the threads once they have done what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _materials(
        self, rows: Sequence[ClaimedDelivery]
    ) -> tuple[dict[int, tuple[Person, list[str]]], Contents]:
        """Who the deliveries go to, and what their campaigns say."""
        async with self._database.read() as session:
            contents = {
                number: await self._content(session, number) for number in {row.campaign_id for row in rows}
            }
            tagged = any(isinstance(content, Content) and content.tagged for content in contents.values())
            numbers = [row.contact_id for row in rows if row.contact_id is not None]
            persons = await people(session, numbers, tagged=tagged)
        return persons, contents

    async def _content(self, session: AsyncSession, campaign_id: int) -> Content | Stop:
        known = self._contents.pop(campaign_id, None)
        if not isinstance(known, Content):
            try:
                known = await content_of(session, campaign_id, language=self._language, windows=self._windows)
            except StoreError:
                raise
            except TocsinError as error:
                known = gates.hold(str(error))
        self._contents[campaign_id] = known
        if len(self._contents) > CONTENTS_KEPT:
            self._contents.popitem(last=False)
        return known

    def _write_some(self, order: _Order, rows: Sequence[ClaimedDelivery]) -> None:
        desk, contents, now = order.desk, order.contents, order.now
        envelopes, unwritten = order.envelopes, order.unwritten
        for row in rows:
            person = order.persons.get(row.contact_id) if row.contact_id is not None else None
            if person is None and row.contact_id is not None:
                continue  # gone: the gate says so
            content = contents[row.campaign_id]
            if isinstance(content, Stop):
                unwritten[row.id] = content
                continue
            try:
                envelopes[row.id] = write_envelope(
                    desk, row, content=content, person=person, addresses=self._addresses, now=now
                )
            except TocsinError as error:
                unwritten[row.id] = gates.hold(str(error))
            except Exception as error:  # one message must not hold up its lane for ever
                log.exception("message not written", extra={"delivery_id": row.id})
                unwritten[row.id] = gates.hold(f"the message cannot be written: {type(error).__name__}")


async def _write_in_turns(
    write: Callable[[Sequence[ClaimedDelivery]], None], rows: Sequence[ClaimedDelivery]
) -> int:
    """Write on the loop, a handful at a time; how many were, before it took too long."""
    for start in range(0, len(rows), HANDFUL):
        begun = time.perf_counter()
        write(rows[start : start + HANDFUL])
        if time.perf_counter() - begun > LONG_S:
            return start + HANDFUL
        await asyncio.sleep(0)
    return len(rows)
