"""A way to a server that can be shut (connections refused, those that are open cut), or freeze."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter

from tests.servers import free_port


class Gate:
    """Listens on `port` and passes everything on to another port, while it is open."""

    def __init__(self, target_port: int) -> None:
        """Shut until `open`; frozen, without a word to anybody, while `moving` is not set."""
        self.port = free_port()
        self._target = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.moving = asyncio.Event()
        self.moving.set()

    async def open(self) -> None:
        """Let connections in."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    async def shut(self) -> None:
        """Refuse new connections and cut the others."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(self, near_reader: StreamReader, near: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._copy(near_reader, far), self._copy(far_reader, near))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for writer in (near, far):
                writer.transport.abort()

    async def _copy(self, source: StreamReader, target: StreamWriter) -> None:
        while chunk := await source.read(1 << 16):
            await self.moving.wait()
            target.write(chunk)
            await target.drain()
        with contextlib.suppress(OSError):
            target.write_eof()
