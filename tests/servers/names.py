"""A name server on the loopback, with the records a test gives it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers from `zone`, records living `ttl` seconds; while `silent`, it says nothing.

    `asked` lists the questions, name and kind; `most_at_once` is how many were open together when every
    answer takes `delay` seconds.
    """

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.silent = False
        self.ttl = 60
        self.delay = 0.0
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        self.open = 0
        self.most_at_once = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The event loop's own class says it is no DatagramTransport before Python 3.12.
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        if self.silent:
            return
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)
        values = self.zone.get((name, kind), [])
        if values:
            answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *values))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        asyncio.get_running_loop().call_later(self.delay, self._send, answer.to_wire(), sender)

    def _send(self, wire: bytes, sender: tuple[str, int]) -> None:
        self.open -= 1
        if not self.transport.is_closing():
            self.transport.sendto(wire, sender)


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """A name server that knows nothing yet, on a free port."""
    server = NameServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
