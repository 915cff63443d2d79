"""A longer wire: passes TCP on after a while, so that the loopback behaves like a relay far away.

`netem` would do it in the kernel, for root alone and for the whole loopback. What a chunk waits is half the
round trip each way; bandwidth is not limited.
"""

import argparse
import asyncio
import contextlib
import sys
from asyncio import StreamReader, StreamWriter

CHUNK = 1 << 18
FAR_AHEAD = 1 << 10
"""Chunks on the way in one direction before the sender has to wait."""


async def _read(source: StreamReader, road: "asyncio.Queue[tuple[float, bytes]]", delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            chunk = await source.read(CHUNK)
        except OSError:
            chunk = b""
        await road.put((loop.time() + delay_s, chunk))
        if not chunk:
            return


async def _write(road: "asyncio.Queue[tuple[float, bytes]]", target: StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, chunk = await road.get()
        wait = due - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        if not chunk:
            break
        target.write(chunk)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


async def _join(near: tuple[StreamReader, StreamWriter], port: int, delay_s: float) -> None:
    far = await asyncio.open_connection("127.0.0.1", port)
    ways = ((near[0], far[1]), (far[0], near[1]))
    with contextlib.suppress(OSError):
        async with asyncio.TaskGroup() as group:
            for source, target in ways:
                road: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(FAR_AHEAD)
                group.create_task(_read(source, road, delay_s))
                group.create_task(_write(road, target))
    for _, writer in (near, far):
        writer.close()


async def _serve(target_port: int, delay_s: float) -> None:
    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError, ExceptionGroup):
            await _join((reader, writer), target_port, delay_s)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Run as a process: the port on the first line of standard output, then silence."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, help="where to pass things on to")
    parser.add_argument("--rtt", type=float, default=20.0, help="milliseconds")
    given = parser.parse_args()
    asyncio.run(_serve(given.port, given.rtt / 2000))


if __name__ == "__main__":
    main()
