"""A web server that answers as told, over TLS, under names of its own; and a proxy that leads to it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import trustme

__all__ = ["StartWebPeer", "WebPeer", "web_peer"]


@dataclass
class WebPeer:
    """Answers `answers[path]`, octets as they go over the wire, or 404; says nothing of a path in `mute`.

    `asked`: the paths it was asked for. `ca_file`: who signed for its `names`.
    """

    names: tuple[str, ...]
    ca_file: Path
    answers: dict[str, bytes] = field(default_factory=dict)
    mute: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def trusted(self) -> ssl.SSLContext:
        """A client's side that trusts nobody else."""
        return ssl.create_default_context(cafile=self.ca_file)

    def url(self, path: str, name: str = "localhost") -> str:
        """Where a path is."""
        return f"https://{name}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            while path in self.mute:
                await asyncio.sleep(3600)
            writer.write(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(content: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


StartWebPeer = Callable[..., Awaitable[WebPeer]]


@pytest.fixture
async def web_peer(tmp_path: Path) -> AsyncIterator[StartWebPeer]:
    """Starts web servers with certificates for the names they are given, localhost first."""
    async with AsyncExitStack() as stack:
        tasks: set[asyncio.Task[None]] = set()
        numbers = count()

        async def start(*names: str) -> WebPeer:
            authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
            file = tmp_path / f"authority-{next(numbers)}.pem"
            authority.cert_pem.write_to_path(str(file))
            peer = WebPeer(names or ("localhost",), file)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert(*peer.names, key_type=trustme.KeyType.ECDSA).configure_cert(context)

            def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.ensure_future(peer.serve(reader, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
            stack.callback(server.close)
            peer.port = server.sockets[0].getsockname()[1]
            return peer

        yield start
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
