"""A DNS server on the loopback, over UDP and TCP, with zones as data and every way of failing.

It answers as a resolver would that has followed everything: aliases are chased, wildcards expanded (RFC
4592), names without records told from names that do not exist (RFC 2308), answers too long for UDP cut off
so that the asker comes back over TCP (RFC 7766).
"""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from deliverability.dns_records import DnsRecord

STRING_OCTETS = 255
MOST_ALIASES = 12
SMALLEST_UDP = 512
SOA = "ns.{zone}. hostmaster.{zone}. 1 7200 900 1209600 300"


class Fault(StrEnum):
    """How a question can go wrong; TRUNCATED only over UDP."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    SILENT = "silent"
    TRUNCATED = "truncated"
    # Delegated to a server that knows nothing of the zone: no error, no answer, nothing authoritative.
    LAME = "lame"
    GARBAGE = "garbage"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it was heard."""

    name: str
    kind: str
    way: str


class DnsServer:
    """Answers from its zones; `faults` by name, or name and kind; `asked` is what it heard.

    With `follows` off it gives an alias and no more, as a server does that does not hold the other zone.
    `slow_seconds`: what a SLOW question waits. With `behind` it is a cache that asks another server once and
    never again, as long as negative answers may live.
    """

    def __init__(self, *, behind: "DnsServer | None" = None) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.faults: dict[tuple[str, str], Fault] = {}
        self.asked: list[Question] = []
        self.slow_seconds = 0.2
        self.follows = True
        self.port = 0
        self._behind = behind
        self._cache: dict[tuple[str, str], dns.message.Message] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, name: str, kind: str, *values: str) -> None:
        """Set the records of a name, in the form of a zone file."""
        self.records[_key(name), kind] = list(values)

    def publish_text(self, name: str, *texts: str) -> None:
        """Set TXT records, each in strings of 255 octets."""
        self.publish(name, "TXT", *(quoted(text) for text in texts))

    def publish_records(self, records: Iterable[DnsRecord]) -> None:
        """Add records as a person would type them into a form; what was under the name goes."""
        found: dict[tuple[str, str], list[str]] = {}
        for record in records:
            value = quoted(record.value) if record.type == "TXT" else record.value
            if record.type in {"MX", "CNAME", "PTR", "NS"}:
                value = value.rstrip(".") + "."
            found.setdefault((record.name, record.type), []).append(value)
        for (name, kind), values in found.items():
            self.publish(name, kind, *values)

    def publish_zone(self, zone: str) -> None:
        """Make `zone` one: it gets an SOA."""
        self.publish(zone, "SOA", SOA.format(zone=zone))

    def withdraw(self, name: str, kind: str) -> None:
        """Take records away; the name goes with its last ones."""
        self.records.pop((_key(name), kind), None)

    def forget_everything(self) -> None:
        """Deny every name, as a portal does before somebody has signed in."""
        self.records.clear()

    def fail(self, name: str, fault: Fault, kind: str = "") -> None:
        """Let questions about a name go wrong: of one kind, or all of them."""
        self.faults[_key(name), kind] = fault

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.faults.clear()

    def count(self, name: str, kind: str) -> int:
        """How often something was asked."""
        return sum((each.name, each.kind) == (_key(name), kind) for each in self.asked)

    # --- answers ----------------------------------------------------------------------------------

    async def answer(self, wire: bytes, way: str) -> bytes | None:
        """What goes back for a question, None for silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        asked = query.question[0]
        name, kind = _key(asked.name.to_text()), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(Question(name, kind, way))
        fault = self.faults.get((name, kind)) or self.faults.get((name, ""))
        match fault:
            case Fault.SILENT:
                return None
            case Fault.GARBAGE:
                return wire[:2] + b"\xff" * 40
            case Fault.SLOW:
                await asyncio.sleep(self.slow_seconds)
            case _:
                pass
        response = await self._respond(query, name, kind, fault)
        if fault is Fault.TRUNCATED and way == "udp":
            response.answer = []
            response.flags |= dns.flags.TC
        return _to_wire(response, query, way)

    async def _respond(
        self, query: dns.message.Message, name: str, kind: str, fault: Fault | None
    ) -> dns.message.Message:
        response = dns.message.make_response(query)
        codes = {
            Fault.SERVFAIL: dns.rcode.SERVFAIL,
            Fault.REFUSED: dns.rcode.REFUSED,
            Fault.NXDOMAIN: dns.rcode.NXDOMAIN,
        }
        if fault in codes:
            response.set_rcode(codes[fault])
            return response
        if fault is Fault.LAME:
            root = dns.rrset.from_text(".", 3600, "IN", "NS", "a.root-servers.net.")
            response.authority.append(root)
            return response
        response.flags |= dns.flags.RA
        if self._behind is not None:
            return await self._from_cache(query, name, kind)
        response.flags |= dns.flags.AA
        if fault is not Fault.NODATA:
            self._fill(response, query.question[0].name, kind)
        return response

    async def _from_cache(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        assert self._behind is not None
        if (name, kind) not in self._cache:
            wire = await self._behind.answer(query.to_wire(), "tcp")
            assert wire is not None
            self._cache[name, kind] = dns.message.from_wire(wire)
        kept = self._cache[name, kind]
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(kept.rcode())
        response.answer, response.authority = kept.answer, kept.authority
        return response

    def _fill(self, response: dns.message.Message, asked: dns.name.Name, kind: str) -> None:
        """The answer section, aliases chased; NXDOMAIN where the last name does not exist."""
        name = asked
        for _ in range(MOST_ALIASES):
            source = self._source(_key(name.to_text()))
            alias = self.records.get((source, "CNAME"), []) if source is not None else []
            if not alias or kind == "CNAME":
                break
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", alias[0]))
            name = dns.name.from_text(alias[0])
            if not self.follows:
                return
        else:
            return
        values = self.records.get((source, kind), []) if source is not None else []
        if values:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *values))
            return
        if source is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        zone = self._zone_of(_key(name.to_text()))
        if zone:
            response.authority.append(dns.rrset.from_text(zone + ".", 60, "IN", "SOA", SOA.format(zone=zone)))

    def _source(self, name: str) -> str | None:
        """The name whose records answer for `name`: itself or a wildcard (RFC 4592); None: there is none."""
        if self._exists(name):
            return name
        labels = name.split(".")
        for start in range(1, len(labels)):
            parent = ".".join(labels[start:])
            if self._exists(f"*.{parent}"):
                return f"*.{parent}"
            if self._exists(parent):
                return None
        return None

    def _exists(self, name: str) -> bool:
        """Whether there are records at the name, or below it (an empty non-terminal, RFC 8020)."""
        return any(known == name or known.endswith("." + name) for known, _ in self.records)

    def _zone_of(self, name: str) -> str:
        labels = name.split(".")
        parents = (".".join(labels[start:]) for start in range(len(labels)))
        return next((parent for parent in parents if (parent, "SOA") in self.records), "")

    # --- the wire -----------------------------------------------------------------------------------

    def take(self, data: bytes, sender: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """One datagram, answered when its answer is ready."""
        task = asyncio.create_task(self._answer_datagram(data, sender, transport))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_datagram(
        self, data: bytes, sender: tuple[str, int], transport: asyncio.DatagramTransport
    ) -> None:
        answer = await self.answer(data, "udp")
        if answer is not None and not transport.is_closing():
            transport.sendto(answer, sender)

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection over TCP (RFC 1035 section 4.2.2)."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = await self.answer(await reader.readexactly(length), "tcp")
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()

    async def stop(self) -> None:
        """Whatever is under way ends."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The event loop's own class says it is no DatagramTransport before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.take(data, addr, self._transport)


@asynccontextmanager
async def dns_server(*, behind: DnsServer | None = None) -> AsyncIterator[DnsServer]:
    """A server that knows nothing yet, on one free port for both ways."""
    server = DnsServer(behind=behind)
    by_streams, by_datagrams = _free_both_ways()
    server.port = by_streams.getsockname()[1]
    streams = await asyncio.start_server(server.serve_stream, sock=by_streams)
    datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(server), sock=by_datagrams
    )
    try:
        yield server
    finally:
        datagrams.close()
        streams.close()
        await server.stop()


def _free_both_ways() -> tuple[socket.socket, socket.socket]:
    """Sockets for streams and for datagrams with one number, which may be free for the first way alone."""
    while True:
        streams = socket.socket(type=socket.SOCK_STREAM)
        datagrams = socket.socket(type=socket.SOCK_DGRAM)
        try:
            streams.bind(("127.0.0.1", 0))
            datagrams.bind(streams.getsockname())
        except OSError as error:
            streams.close()
            datagrams.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return streams, datagrams


def quoted(text: str) -> str:
    """A text of any length as character-strings of at most 255 octets, as a zone file has them."""
    octets = text.encode()
    pieces = [octets[at : at + STRING_OCTETS] for at in range(0, len(octets), STRING_OCTETS)] or [b""]
    return " ".join('"' + "".join(_escaped(octet) for octet in piece) + '"' for piece in pieces)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}"


def _key(name: str) -> str:
    return name.rstrip(".").lower()


def _to_wire(response: dns.message.Message, query: dns.message.Message, way: str) -> bytes:
    """The message, cut off and marked where it is too long for a datagram."""
    wire = response.to_wire(max_size=65535)
    most = max(SMALLEST_UDP, query.payload) if way == "udp" else 65535
    if len(wire) <= most:
        return wire
    response.answer, response.authority = [], []
    response.flags |= dns.flags.TC
    return response.to_wire()
