"""Servers that mean harm, or are broken beyond manners: nothing they say holds us up or fills the memory."""

import asyncio
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from store import Database
from tests.clocks import ManualClock
from tests.deliverability.seed_mailboxes import poll, sent_to

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]
TOO_MUCH = "The mailbox cannot be read: its server says more than a mailbox can hold."


async def drip(writer: asyncio.StreamWriter) -> None:
    """An octet now and then, for ever: never so slow that it counts as silence."""
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def list_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b'* LIST (\\HasNoChildren) "/" "x"\r\n' * 1000)
        await writer.drain()


async def announce_too_much(writer: asyncio.StreamWriter) -> None:
    writer.write(b'* LIST () "/" {4000000000}\r\n')
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@asynccontextmanager
async def a_server(*, greeting: Say | None = None, listing: Say | None = None) -> AsyncIterator[int]:
    """Answers as it should but for one thing, and gives its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"* OK ")
            if greeting is not None:
                await greeting(writer)
            writer.write(b"hello\r\n")
            while line := await reader.readline():
                if b"LIST" in line and listing is not None:
                    await listing(writer)
                told = b"* CAPABILITY IMAP4rev1\r\n" if b"CAPABILITY" in line else b""
                writer.write(told + line.split()[0] + b" OK done\r\n")
        except (OSError, asyncio.CancelledError):
            pass  # hung up on, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("where", ["greeting", "listing"])
async def test_a_server_that_drips_for_ever_holds_neither_a_thread_nor_anybody_else(
    database: Database, clock: ManualClock, where: str
) -> None:
    async with a_server(**{where: drip}) as port:
        seed, _ = await sent_to(database, port)
        widest = 0.0

        async def watch() -> None:
            nonlocal widest
            while True:
                begun = time.monotonic()
                await asyncio.sleep(0.02)
                widest = max(widest, time.monotonic() - begun)

        watching = asyncio.create_task(watch())
        run = await poll(database, clock, timeout_seconds=5, whole_seconds=0.5)
        watching.cancel()
        assert run.problems == {seed.address: "The mail server did not answer in time."}
        assert widest < 1.5  # the loop served others all the while
        await asyncio.sleep(0.5)
        assert not _readers()


def _readers() -> list[str]:
    """Threads that are within imaplib at present."""
    frames = sys._current_frames()
    found = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            if frame.f_code.co_filename.endswith("imaplib.py"):
                found.append(thread.name)
                break
            frame = frame.f_back
    return found


@pytest.mark.parametrize("listing", [list_for_ever, announce_too_much])
async def test_a_server_that_says_too_much_is_left(
    database: Database, clock: ManualClock, listing: Say
) -> None:
    async with a_server(listing=listing) as port:
        seed, _ = await sent_to(database, port)
        tracemalloc.start()
        try:
            run = await poll(database, clock, timeout_seconds=5, whole_seconds=30)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert run.problems == {seed.address: TOO_MUCH}
    assert most < 100_000_000
