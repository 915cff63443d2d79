"""The sink as seen from here: asked over its own protocol, what it counted and when."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.processes import MeasureError


@dataclass(frozen=True, slots=True)
class Count:
    """Since the last mark: messages, their octets, the moments (monotonic, ns) of the first and the last."""

    messages: int
    octets: int
    first_ns: int
    last_ns: int
    cpu_s: float
    most_lines: int


@dataclass(frozen=True, slots=True)
class SinkControl:
    """A connection to a sink that only asks."""

    reader: StreamReader
    writer: StreamWriter

    async def count(self) -> Count:
        """What came so far."""
        return Count(**json.loads(await self.ask("XSTAT")))

    async def mark(self, name: str) -> None:
        """Begin a new count, recorded in the file of that name."""
        await self.ask(f"XMARK {name}")

    async def ask(self, command: str) -> str:
        """One command, and the text of its reply; MeasureError for a refusal."""
        self.writer.write(f"{command}\r\n".encode())
        reply = (await self.reader.readline()).decode().strip()
        if not reply.startswith("250 "):
            raise MeasureError(f"The sink answered {reply!r} to {command}.")
        return reply[4:]


@asynccontextmanager
async def control(port: int) -> AsyncIterator[SinkControl]:
    """Talk to the sink on a port of the loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    try:
        yield SinkControl(reader, writer)
    finally:
        writer.close()
