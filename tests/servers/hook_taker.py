"""A web server that takes calls of webhooks, keeps them, and misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

__all__ = ["HookTaker", "hook_taker"]
OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@dataclass
class HookTaker:
    """Gives `answers` one after the other, the last one for ever; None: says nothing, and hangs.

    `calls`: the headers, by lower-case name, and the body of each call.
    """

    answers: list[bytes | None] = field(default_factory=lambda: [OK])
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/hook?key=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call, one answer."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {"": lines[0]} | {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.calls.append((headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            while answer is None:
                await asyncio.sleep(3600)
            writer.write(answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def hook_taker() -> AsyncIterator[HookTaker]:
    """A running one on the loopback."""
    taker = HookTaker()
    tasks: set[asyncio.Task[None]] = set()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(taker.serve(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    taker.port = server.sockets[0].getsockname()[1]
    yield taker
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
