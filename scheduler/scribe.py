"""A process that writes letters for another one, which has given it a socket and a shelf.

It renders, builds and signs, and touches neither the database nor the network; it holds the keys it was
given for that and nothing else. It ends when the other end of its socket does, however that ended.
"""

import gc
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from models.errors import TocsinError
from models.signing import EmailSender
from models.tokens import TokenPurpose, Tokens
from models.values import EmailEnvelope, Envelope
from scheduler.letters import Addresses, Letter, Letterhead, Pen, Wording, Work
from scheduler.shelf import Counter
from sender.relays import ProviderRelay
from templates import CompiledEmail, CompiledSms

log = logging.getLogger(__name__)

LENGTH_OCTETS = 8
"""Before each piece of news in either direction stands how long it is."""
NICE = 10
"""By how much a scribe's claim to a processor is lower than that of the process it writes for.

That one is what everything waits for: it sends and records. Who writes for it has a chunk of time in hand.
"""
READY = 0
"""The number of no order: what a scribe says once it can begin."""
Sheet = tuple[int, str, str, bytes | tuple[int, int], bool]
"""An envelope on its way: the number of its letter, return path, recipient, data, whether it is proven.

The data themselves, or where on the shelf they lie and how long they are.
"""


class Office(NamedTuple):
    """What a scribe is told first: what the addresses in messages are made of."""

    public_url: str
    token_keys: Mapping[TokenPurpose, bytes]
    relay: ProviderRelay | None = None


class Order(NamedTuple):
    """Letters to be written, and what the scribe has not been told yet, or need not know any more.

    `letters` are `Letter`s as plain tuples, which are carried in half the time. `pen`: None for the same as
    last time under that key. `places`: of the shelf, to lay letters on.
    """

    number: int
    now: datetime
    pen_key: str
    pen: tuple[Letterhead, EmailSender | None] | None
    wordings: Mapping[int, Wording]
    forgotten: Sequence[int]
    letters: Sequence[tuple[Any, ...]]
    places: Sequence[int] = ()


class Delivered(NamedTuple):
    """What has become of an order; `failure`: of all of it, in words for a log."""

    number: int
    sheets: Sequence[Sheet]
    unwritten: Mapping[int, str]
    failure: str = ""


class Scribe:
    """What a scribe knows by heart."""

    def __init__(self, office: Office, counter: Counter | None = None) -> None:
        """Nobody's pen and no campaign yet; without a `counter` all letters are carried."""
        self._counter = counter
        self._addresses = Addresses(Tokens(office.token_keys), office.public_url, office.relay)
        self._pens: dict[str, Pen] = {}
        self._contents: dict[int, tuple[str, CompiledEmail | CompiledSms]] = {}

    def carry_out(self, order: Order) -> Delivered:
        """Write what is ordered."""
        try:
            for number in order.forgotten:
                self._contents.pop(number, None)
            for number, wording in order.wordings.items():
                self._contents[number] = wording.campaign_name, wording.compile()
            if order.pen is not None:
                self._pens[order.pen_key] = Pen.of(*order.pen)
            work = Work(self._pens[order.pen_key], self._contents, self._addresses, order.now)
            written = work.write_all([Letter._make(letter) for letter in order.letters])
            if self._counter is not None:
                self._counter.lend(order.places)
            sheets = [self._sheet(number, envelope) for number, envelope in written.envelopes.items()]
            return Delivered(order.number, sheets, written.unwritten)
        except (TocsinError, LookupError, TypeError, ValueError) as error:
            # What was to replace it may not be here: nothing is written with what is out of date.
            self._pens.clear()
            self._contents.clear()
            return Delivered(order.number, (), {}, failure=f"{type(error).__name__}: {error}")

    def _sheet(self, number: int, envelope: Envelope) -> Sheet:
        if not isinstance(envelope, EmailEnvelope):
            raise TypeError("A scribe writes e-mails only.")
        data = bytes(envelope.data)
        # What is not proven is looked through once more, and altered where need be.
        laid = self._counter.lay(data) if self._counter is not None and envelope.proven else None
        return number, envelope.return_path, envelope.recipient, laid or data, envelope.proven


def pack(news: object) -> tuple[bytes, bytes]:
    """A piece of news as it goes over the socket: how long it is, and itself."""
    octets = pickle.dumps(news, protocol=5)
    return len(octets).to_bytes(LENGTH_OCTETS, "big"), octets


def _receive(line: socket.socket, room: bytearray) -> memoryview | None:
    """The next piece of news, in `room`; None when the other end is gone."""
    if not _fill(line, memoryview(room)[:LENGTH_OCTETS]):
        return None
    length = int.from_bytes(room[:LENGTH_OCTETS], "big")
    if length > len(room):
        room.extend(bytes(length - len(room)))
    whole = memoryview(room)[:length]
    return whole if _fill(line, whole) else None


def _fill(line: socket.socket, place: memoryview) -> bool:
    while place:
        count = line.recv_into(place)
        if not count:
            return False
        place = place[count:]
    return True


def serve(line: socket.socket, counter: Counter | None) -> None:
    """Carry out orders until the other end is gone."""
    room = bytearray(1 << 16)
    scribe: Scribe | None = None
    while (news := _receive(line, room)) is not None:
        # What is read here was written by the process that started this one, over a socket of their own.
        told = pickle.loads(news)  # noqa: S301
        news.release()
        if scribe is None:
            scribe = Scribe(told, counter)
            line.sendall(b"".join(pack(Delivered(READY, (), {}))))
        else:
            for part in pack(scribe.carry_out(told)):
                line.sendall(part)


def main() -> None:
    """Write for whoever holds the other end: the numbers of a socket and of a shelf, -1 for none."""
    # Stopped together with its employer, who may still want a letter: the end of the socket is the end.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    os.nice(NICE)
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    shelf = int(sys.argv[2])
    counter = Counter(shelf) if shelf >= 0 else None
    with socket.socket(fileno=int(sys.argv[1])) as line, suppress(ConnectionError):
        # The other end may go in mid-sentence.
        serve(line, counter)
