"""Where a chunk of deliveries becomes messages: read who they go to, render, build and sign, in threads.

A few threads and not one: signing lets go of the interpreter's lock, so two sign while a third renders.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
Contents = Mapping[int, Content | Stop]
Written = tuple[dict[int, Envelope], dict[int, Stop]]
"""Envelopes by delivery number, and those that could not be written with the reason."""


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
        size = max(SLICE, -(-len(rows) // self._threads))
        loop = asyncio.get_running_loop()
        parts = await asyncio.gather(
            *(
                loop.run_in_executor(
                    self._pool, self._write_slice, desk, rows[start : start + size], persons, contents, now
                )
                for start in range(0, len(rows), size)
            )
        )
        envelopes: dict[int, Envelope] = {}
        unwritten: dict[int, Stop] = {}
        for written, not_written in parts:
            envelopes |= written
            unwritten |= not_written
        return contents, envelopes, unwritten

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

    def _write_slice(
        self,
        desk: Desk,
        rows: Sequence[ClaimedDelivery],
        persons: Mapping[int, tuple[Person, list[str]]],
        contents: Contents,
        now: datetime,
    ) -> Written:
        envelopes: dict[int, Envelope] = {}
        unwritten: dict[int, Stop] = {}
        for row in rows:
            person = persons.get(row.contact_id) if row.contact_id is not None else None
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
        return envelopes, unwritten
