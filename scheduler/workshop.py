"""Where a chunk of deliveries becomes messages: read who they go to, render, build and sign.

By scribes, which are processes of their own, where there are some. Otherwise here: what is signed, in a few
threads: signing lets go of the interpreter's lock, so two sign while a third renders; what is not, on the
event loop itself, a few messages at a time: a thread that only computes holds the lock for milliseconds,
and the loop would wait for it after every line it writes into the journal.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.fields import values_of
from models.errors import StoreError, TocsinError
from models.states import Channel
from models.values import EmailEnvelope, Envelope
from scheduler import gates
from scheduler.content import Content, content_of, people
from scheduler.gates import Stop
from scheduler.letters import Addresses, Letter, Work, Written
from scheduler.options import DispatchOptions
from scheduler.post import Desk
from scheduler.scribes import Scribes
from store import Database, messages
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
WORTH_A_SCRIBE = 50
"""Letters at a time from which on they are worth the way to another process."""
USUAL_OCTETS = {Channel.EMAIL: 50_000, Channel.SMS: 500}
"""Of a message, before the first one is written."""
Contents = Mapping[int, Content | Stop]


class Workshop:
    """Writes messages, by campaigns that it compiles once."""

    def __init__(self, database: Database, addresses: Addresses, options: DispatchOptions) -> None:
        """Threads and scribes end with `close`."""
        self._database = database
        self._addresses = addresses
        self._options = options
        self._threads = options.threads
        # By campaign; by sender, too, where each is labelled by itself.
        self._contents: OrderedDict[int | tuple[int, int], Content | Stop] = OrderedDict()
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="workshop")
        self._scribes = Scribes(addresses, options.scribes)
        self._octets = dict(USUAL_OCTETS)

    def octets(self, channel: Channel) -> int:
        """How large messages are: those of the chunk that was written last, on average."""
        return self._octets[channel]

    async def write(
        self, desk: Desk, rows: Sequence[ClaimedDelivery], now: datetime
    ) -> tuple[Contents, dict[int, Envelope], dict[int, Stop]]:
        """What the campaigns say, the messages, and those that could not be written with the reason."""
        persons, contents, said = await self._materials(rows)
        unwritten = {row.id: stop for row in rows if isinstance(stop := contents[row.campaign_id], Stop)}
        letters = _letters(rows, contents, persons, said)
        written = Written({}, {})
        if len(letters) >= WORTH_A_SCRIBE and letters[0].channel is Channel.EMAIL:
            wordings = {
                number: content.wording
                for number, content in contents.items()
                if isinstance(content, Content) and content.wording is not None
            }
            written = await self._scribes.write(desk.pen, wordings, letters, now)
        done = written.envelopes.keys() | written.unwritten.keys()
        rest = [letter for letter in letters if letter.id not in done] if done else letters
        if rest:
            await self._write_here(desk, contents, rest, now, written)
        unwritten.update({number: gates.hold(reason) for number, reason in written.unwritten.items()})
        if written.envelopes:
            sizes = [_octets(envelope) for envelope in written.envelopes.values()]
            self._octets[letters[0].channel] = sum(sizes) // len(sizes)
        return contents, written.envelopes, unwritten

    async def close(self) -> None:
        """End the threads and the scribes once they have done what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        await self._scribes.close()

    async def _write_here(
        self, desk: Desk, contents: Contents, letters: Sequence[Letter], now: datetime, written: Written
    ) -> None:
        """Write in this process."""
        said = {
            number: (content.campaign_name, content.compiled)
            for number, content in contents.items()
            if isinstance(content, Content)
        }
        work = Work(desk.pen, said, self._addresses, now)

        def write_some(some: Sequence[Letter]) -> None:
            one = work.write_all(some)
            written.envelopes.update(one.envelopes)
            written.unwritten.update(one.unwritten)

        done = 0 if desk.signs else await _write_in_turns(write_some, letters)
        rest = letters[done:]
        size = max(SLICE, -(-len(rest) // self._threads))
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, write_some, rest[start : start + size])
                for start in range(0, len(rest), size)
            )
        )

    async def _materials(
        self, rows: Sequence[ClaimedDelivery]
    ) -> tuple[dict[int, tuple[Person, list[str]]], Contents, Mapping[int, Mapping[str, str]]]:
        """Who the deliveries go to, what their campaigns say, and what programs say of single messages."""
        async with self._database.read(at_once=True) as session:
            contents = {
                number: await self._content(session, number, sender=rows[0].identity_id)
                for number in {row.campaign_id for row in rows}
            }
            tagged = any(isinstance(content, Content) and content.tagged for content in contents.values())
            numbers = [row.contact_id for row in rows if row.contact_id is not None]
            persons = await people(session, numbers, tagged=tagged)
            asked_for = [row.message_id for row in rows if row.message_id]
            said = await messages.values_of(session, asked_for) if asked_for else {}
        return persons, contents, said

    async def _content(self, session: AsyncSession, campaign_id: int, *, sender: int) -> Content | Stop:
        known = self._contents.pop(campaign_id, None) or self._contents.pop((campaign_id, sender), None)
        if not isinstance(known, Content):
            try:
                known = await content_of(
                    session,
                    campaign_id,
                    language=self._options.language,
                    windows=self._options.windows,
                    place_is_free=self._options.place_is_free,
                    sender=sender,
                )
            except StoreError:
                raise
            except TocsinError as error:
                known = gates.hold(str(error))
        alone = isinstance(known, Content) and known.alone
        self._contents[(campaign_id, sender) if alone else campaign_id] = known
        if len(self._contents) > CONTENTS_KEPT:
            self._contents.popitem(last=False)
        return known


def _letters(
    rows: Sequence[ClaimedDelivery],
    contents: Contents,
    persons: Mapping[int, tuple[Person, list[str]]],
    said: Mapping[int, Mapping[str, str]],
) -> list[Letter]:
    """What is to be written; who is gone is left out, and the gate says so.

    What a program says of a message goes before what is known of its person.
    """
    letters: list[Letter] = []
    for row in rows:
        content = contents[row.campaign_id]
        if isinstance(content, Stop):
            continue
        values: Mapping[str, str] | None = None
        if row.contact_id is not None:
            found = persons.get(row.contact_id)
            if found is None:
                continue
            values = values_of(*found, content.compiled.fields)
        if row.message_id:
            values = {**(values or {}), **said.get(row.message_id, {})}
        letters.append(
            Letter(
                row.id,
                row.campaign_id,
                row.channel,
                row.address,
                row.not_after,
                values,
            )
        )
    return letters


def _octets(envelope: Envelope) -> int:
    return len(envelope.data) if isinstance(envelope, EmailEnvelope) else USUAL_OCTETS[Channel.SMS]


async def _write_in_turns(write: Callable[[Sequence[Letter]], None], rows: Sequence[Letter]) -> int:
    """Write on the loop, a handful at a time; how many were, before it took too long."""
    for start in range(0, len(rows), HANDFUL):
        begun = time.perf_counter()
        write(rows[start : start + HANDFUL])
        if time.perf_counter() - begun > LONG_S:
            return start + HANDFUL
        await asyncio.sleep(0)
    return len(rows)
