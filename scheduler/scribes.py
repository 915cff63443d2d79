"""Processes that write letters beside this one, which then has its hands free for the wire and the ledger.

Python runs one thread at a time; two thirds of what a message costs is writing and signing it. A scribe
(`scheduler.scribe`) does that on a core of its own. None is needed: where there are none, where one has
died, or while one starts, letters are written in this process, and are the same.
"""

import asyncio
import logging
import os
import pickle
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple, cast

from models.errors import TocsinError
from models.signing import EmailSender
from models.values import EmailEnvelope, Envelope
from scheduler.letters import Addresses, Letter, Letterhead, Pen, Wording, Written
from scheduler.scribe import LENGTH_OCTETS, READY, Delivered, Office, Order, pack
from scheduler.shelf import Shelf

log = logging.getLogger(__name__)

SHEETS = 50
"""Letters given to a scribe at a time: the first come back while the last are being written."""
WORTH_HIRING = 100
"""Letters at once from which on scribes are started: a process takes a second, and its memory."""
WORDINGS_KEPT = 32
MOST_DEATHS = 5
"""Of scribes within `MOURNING_S`: no more are started then, since something here kills them."""
MOURNING_S = 600.0
IDLE_S = 60.0
"""After so long without a letter they are sent home."""
LAST_ORDERS_S = 2.0
PATIENCE_S = 20.0
"""A scribe that says nothing for so long, while something is asked of it, is taken for dead."""
HOUSE = Path(__file__).resolve().parent.parent


class ScribeGoneError(TocsinError):
    """The scribe ended before it had written what was asked of it."""


class Scribes:
    """Up to `most` scribes, who are there while there is something for them to do."""

    def __init__(self, addresses: Addresses, most: int) -> None:
        """`most`: 0 for none."""
        self._office = Office(addresses.public_url, dict(addresses.tokens.keys), addresses.relay)
        self._most = most
        self._staff: list[_Line] = []
        self._hirings: set[asyncio.Task[None]] = set()
        self._partings: set[asyncio.Task[None]] = set()
        self._coming = 0
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._bell: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many there are at present."""
        return len(self._staff)

    async def write(
        self, pen: Pen, wordings: Mapping[int, Wording], letters: Sequence[Letter], now: datetime
    ) -> Written:
        """Have letters written; those of a scribe that is not there, or dies, are in neither part."""
        if len(letters) >= WORTH_HIRING:
            self._hire()
        written = Written({}, {})
        if not self._staff:
            return written
        self._put_off_closing_time()
        errands = []
        for start in range(0, len(letters), SHEETS):
            line, part = self._least_busy(), letters[start : start + SHEETS]
            errand = asyncio.ensure_future(line.order(pen, wordings, part, now))
            # Counted from now on, lest all of them go to the same one; and also if it never begins.
            line.outstanding += len(part)
            errand.add_done_callback(partial(line.done_with, len(part)))
            errands.append(errand)
        for answer in await asyncio.gather(*errands, return_exceptions=True):
            match answer:
                case _Answer(failure=""):
                    written.envelopes.update(answer.envelopes)
                    written.unwritten.update(answer.unwritten)
                case _Answer():
                    log.warning("letters not written by a scribe", extra={"failure": answer.failure})
                case ScribeGoneError():
                    log.warning("a scribe ended, its letters are written here")
                case BaseException():
                    raise answer
        return written

    async def close(self) -> None:
        """Send everybody home, for good."""
        self._most = 0
        if self._bell is not None:
            self._bell.cancel()
        for hiring in self._hirings:
            hiring.cancel()
        # Who is being parted from is waited for: a process that nobody waits for stays.
        await asyncio.gather(*self._hirings, *self._partings, return_exceptions=True)
        await self._send_home()

    def _least_busy(self) -> "_Line":
        return min(self._staff, key=lambda line: line.outstanding)

    def _hire(self) -> None:
        """Start those who are missing, beside everything else."""
        now = asyncio.get_running_loop().time()
        if len(self._deaths) == MOST_DEATHS and now - self._deaths[0] < MOURNING_S:
            return
        while len(self._staff) + self._coming < self._most:
            self._coming += 1
            _run(self._start(), self._hirings)

    async def _start(self) -> None:
        line = _Line(self._lost)
        try:
            await line.open(self._office)
            self._staff.append(line)
        except (OSError, ScribeGoneError) as error:
            self._deaths.append(asyncio.get_running_loop().time())
            log.warning("no scribe can be started", extra={"problem": str(error)})
            await line.close()
        except asyncio.CancelledError:
            await line.close()
            raise
        finally:
            self._coming -= 1

    def _lost(self, line: "_Line") -> None:
        if line in self._staff:
            self._staff.remove(line)
            self._deaths.append(asyncio.get_running_loop().time())
            _run(line.close(), self._partings)

    def _put_off_closing_time(self) -> None:
        if self._bell is not None:
            self._bell.cancel()
        self._bell = asyncio.get_running_loop().call_later(
            IDLE_S, lambda: _run(self._send_home(), self._partings)
        )

    async def _send_home(self) -> None:
        if any(line.outstanding for line in self._staff):
            self._put_off_closing_time()
            return
        staff, self._staff = self._staff, []
        await asyncio.gather(*(line.close() for line in staff))


def _run(errand: Coroutine[None, None, None], among: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(errand)
    among.add(task)
    task.add_done_callback(among.discard)


class _Answer(NamedTuple):
    """What a scribe has made of an order; `failure`: of all of it, in words for a log."""

    envelopes: Mapping[int, Envelope]
    unwritten: Mapping[int, str]
    failure: str


@dataclass(slots=True)
class _Told:
    """What one scribe has been told."""

    pens: dict[str, tuple[Letterhead, EmailSender | None]]
    wordings: "OrderedDict[int, Wording]"


class _Line(asyncio.BufferedProtocol):
    """The line to one scribe."""

    def __init__(self, lost: Callable[["_Line"], None]) -> None:
        """`lost` hears of a scribe that ends without having been told to."""
        self._lost = lost
        self._process: Process | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._told = _Told({}, OrderedDict())
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}
        self._room = bytearray(1 << 20)
        self._have, self._length = 0, -1
        self._shelf = _shelf()
        self._lent: dict[int, list[int]] = {}
        self._closing = False
        self._heard_at = 0.0
        self.outstanding = 0

    async def open(self, office: Office) -> None:
        """Start the scribe, and come back once it can write; OSError or ScribeGoneError when it cannot."""
        ready: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[READY] = ready
        ours, its = socket.socketpair()
        shelf = -1 if self._shelf is None else self._shelf.file
        with its:
            ours.settimeout(0)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                # Imported, not run as a module: what it sends is then called by the names it has here.
                # -P: from where this process has it, not from the folder it stands in.
                *("-P", "-c", "from scheduler.scribe import main; main()", str(its.fileno()), str(shelf)),
                pass_fds=(its.fileno(),) if shelf < 0 else (its.fileno(), shelf),
                stdin=DEVNULL,
                # Neither the secret nor the database's address: it is given what it needs.
                env={name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
                | {"PYTHONPATH": str(HOUSE)},
            )
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        self._write(office)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ready
        except TimeoutError as error:
            raise ScribeGoneError("It did not begin.") from error
        del self._waiting[READY]

    async def order(
        self, pen: Pen, wordings: Mapping[int, Wording], letters: Sequence[Letter], now: datetime
    ) -> _Answer:
        """Have letters written; ScribeGoneError when nobody will."""
        if self._transport is None or self._transport.is_closing():
            self._lost(self)
            raise ScribeGoneError("It was gone already.")
        number = next(self._numbers)
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._write(self._as_order(number, pen, wordings, letters, now))
            delivered = await self._hear(answer)
        finally:
            self._waiting.pop(number, None)
        if delivered.failure:
            # It has forgotten everything, lest it write with what was to be replaced.
            self._told = _Told({}, OrderedDict())
        return delivered

    def done_with(self, count: int, _errand: object) -> None:
        """So many letters are not asked of it any more."""
        self.outstanding -= count

    async def _hear(self, answer: "asyncio.Future[_Answer]") -> _Answer:
        loop = asyncio.get_running_loop()
        while not answer.done():
            await asyncio.wait({answer}, timeout=PATIENCE_S)
            if not answer.done() and loop.time() - self._heard_at >= PATIENCE_S:
                self._lost(self)
                raise ScribeGoneError("It says nothing any more.")
        return answer.result()

    def _as_order(
        self,
        number: int,
        pen: Pen,
        wordings: Mapping[int, Wording],
        letters: Sequence[Letter],
        now: datetime,
    ) -> Order:
        held = (pen.letterhead, pen.sender)
        key = pen.letterhead.key
        known = self._told.pens.get(key) == held
        self._told.pens[key] = held
        news, old = {}, []
        wanted = {letter.campaign_id for letter in letters}
        for campaign_id in wanted:
            wording = wordings[campaign_id]
            if self._told.wordings.get(campaign_id) != wording:
                self._told.wordings[campaign_id] = news[campaign_id] = wording
            self._told.wordings.move_to_end(campaign_id)
        while len(self._told.wordings) > max(WORDINGS_KEPT, len(wanted)):
            old.append(self._told.wordings.popitem(last=False)[0])
        places: list[int] = []
        if self._shelf is not None:
            places = self._lent[number] = self._shelf.lend(len(letters))
        plain = [tuple(letter) for letter in letters]
        return Order(number, now, key, None if known else held, news, old, plain, places)

    def _write(self, news: Office | Order) -> None:
        if self._transport is not None:
            self._transport.writelines(pack(news))

    async def close(self) -> None:
        """Hang up, upon which the scribe ends; one that does not is ended."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()
        if self._shelf is not None:
            self._shelf.close()
        if self._process is None:
            return
        try:
            async with asyncio.timeout(LAST_ORDERS_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    # --- what the event loop calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line stands."""
        self._transport = transport  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes next belongs."""
        del sizehint
        wanted = LENGTH_OCTETS if self._length < 0 else self._length
        return memoryview(self._room)[self._have : wanted]

    def buffer_updated(self, nbytes: int) -> None:
        """So much of it has come."""
        self._have += nbytes
        if self._length < 0:
            if self._have == LENGTH_OCTETS:
                self._length, self._have = int.from_bytes(self._room[:LENGTH_OCTETS], "big"), 0
                if self._length > len(self._room):
                    self._room = bytearray(self._length)
        elif self._have == self._length:
            # Written by the process this one has started, over a socket of their own.
            told: Delivered = pickle.loads(memoryview(self._room)[: self._length])  # noqa: S301
            self._have, self._length = 0, -1
            self._heard_at = asyncio.get_running_loop().time()
            answer, envelopes = self._waiting.get(told.number), self._envelopes(told)
            if answer is not None and not answer.done():
                answer.set_result(_Answer(envelopes, told.unwritten, told.failure))

    def _envelopes(self, told: Delivered) -> dict[int, Envelope]:
        """What was delivered, the places that were not needed given back."""
        unused = set(self._lent.pop(told.number, ()))
        envelopes: dict[int, Envelope] = {}
        for number, return_path, recipient, data, proven in told.sheets:
            octets: bytes | memoryview
            if isinstance(data, bytes):
                octets = data
            else:
                unused.remove(data[0])
                octets = cast("Shelf", self._shelf).take(*data)
            envelope = EmailEnvelope(return_path, recipient, octets)
            envelopes[number] = envelope.vouched() if proven else envelope
        if self._shelf is not None:
            self._shelf.give_back(unused)
        return envelopes

    def connection_lost(self, exc: Exception | None) -> None:
        """The scribe has ended, or we have hung up."""
        del exc
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ScribeGoneError("It ended in the middle of its work."))
        if not self._closing:
            self._lost(self)


def _shelf() -> Shelf | None:
    try:
        return Shelf()
    except (OSError, AttributeError):
        return None  # not on every system: letters are carried, then
