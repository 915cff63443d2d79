"""Parcels on connections: each told once, noted before its dot, chained, given back, and never doubled."""

import asyncio
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.errors import SenderError
from models.values import Accepted, Deferred, Outcome, Refused, Uncertain
from sender import Parcel, SmtpOptions, SmtpServer, SmtpTransport
from sender.smtp import Tls
from service import loops
from tests.sender.conftest import Connect, StartPeer, a_letter
from tests.sender.parcels import Ledger
from tests.sender.servers import Manners, SmtpPeer

RUNNERS = {"asyncio": asyncio.run, "uvloop": loops.run}
STEPS = ("MAIL", "RCPT", "DATA", "DOT")
WHIMS = (
    "drop",
    "stall",
    "451 4.3.0 later",
    "550 5.1.1 never",
    "421 4.3.2 bye",
    "250 2.0.0 fine",
    "354 go on",
)


async def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def a_transport(
    port: int, *, connections: int = 3, seconds: float = 0.15, messages: int = 100
) -> SmtpTransport:
    return SmtpTransport(
        SmtpOptions(
            relay=SmtpServer("127.0.0.1", port, Tls.NONE),
            connections_per_server=connections,
            messages_per_connection=messages,
            timeout=timedelta(seconds=seconds),
            verdict_timeout=timedelta(seconds=seconds),
        )
    )


async def a_moody_day(seed: int, *, mischief: float, extensions: tuple[str, ...], size: int) -> None:
    """Thirty parcels to a server that misbehaves at random; then what each was told against what it took."""
    whims = random.Random(seed)
    ledger = Ledger()
    dotted: list[str] = []

    def mood(step: str) -> str | None:
        if step not in (*STEPS, "BODY") or whims.random() > mischief:
            return None
        if step == "BODY":
            return whims.choice(("drop", "stall"))
        # It may not claim to have taken what it then forgets.
        return whims.choice(WHIMS[:-2] if step == "DOT" else WHIMS)

    def on_dot(recipient: str) -> None:
        # An empty body ends a transaction whose recipient was refused.
        if recipient:
            dotted.append(recipient)

    server = await SmtpPeer(
        Manners(
            extensions=extensions,
            mood=mood,
            on_dot=on_dot,
            takes_and_drops=lambda: whims.random() < mischief / 4,
        )
    ).start()
    transport = a_transport(server.port)
    for _ in range(6):
        ledger.offer(transport, 5, size=size)
        await asyncio.sleep(whims.random() * 0.01)
    await until(lambda: len(ledger.outcomes) >= 30, seconds=60)
    await transport.close()
    await server.stop()

    taken = Counter(message.recipient for message in server.messages)
    assert max(Counter(ledger.wired).values(), default=0) <= 1
    assert max(Counter(dotted).values(), default=0) <= 1
    assert ledger.most_undecided <= 3
    for recipient, told in ledger.told.items():
        (outcome,) = told
        match outcome:
            case Accepted():
                assert taken[recipient] == 1
            case Uncertain():
                assert recipient in ledger.wired
                assert taken[recipient] <= 1
            case Deferred() | Refused() | None:
                assert taken[recipient] == 0
    assert set(taken) <= set(ledger.wired)


@pytest.mark.parametrize("runner", RUNNERS)
@given(
    seed=st.integers(0, 2**32),
    mischief=st.sampled_from([0.01, 0.1, 0.4]),
    extensions=st.sampled_from([("PIPELINING", "SIZE 1000000"), ("HELP",)]),
    size=st.sampled_from([0, 100_000, 2_500_000]),
)
@example(seed=0, mischief=0.0, extensions=("PIPELINING",), size=0)
@settings(max_examples=10)
def test_whatever_a_server_does_each_parcel_is_told_once_and_truly(
    runner: str, seed: int, mischief: float, extensions: tuple[str, ...], size: int
) -> None:
    run: Callable[[Coroutine[Any, Any, None]], None] = RUNNERS[runner]
    run(a_moody_day(seed, mischief=mischief, extensions=extensions, size=size))


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_next_message_is_introduced_together_with_the_end_of_the_one_before(runner: str) -> None:
    async def scenario() -> None:
        chunks: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mx.test\r\n")
            while chunk := await reader.read(1 << 20):
                chunks.append(chunk)
                replies = {b"EHLO": b"250-mx.test\r\n250 PIPELINING\r\n", b"QUIT": b"221 bye\r\n"}
                for command, reply in replies.items():
                    if chunk.startswith(command):
                        writer.write(reply)
                if b"\r\n.\r\n" in chunk:
                    writer.write(b"250 2.0.0 mine\r\n")
                if chunk.endswith(b"DATA\r\n"):
                    writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        transport = a_transport(server.sockets[0].getsockname()[1], connections=1, seconds=5)
        ledger = Ledger()
        ledger.offer(transport, 3)
        await until(lambda: len(ledger.outcomes) == 3)
        await transport.close()
        server.close()
        assert all(isinstance(outcome, Accepted) for outcome in ledger.outcomes)
        said = [chunk for chunk in chunks if not chunk.startswith((b"EHLO", b"QUIT"))]
        assert said[0].startswith(b"MAIL FROM")
        assert len(said) == 4
        for chunk in said[1:3]:
            assert b"\r\n.\r\nMAIL FROM:" in chunk
            assert chunk.endswith(b"\r\nDATA\r\n")
        assert said[3].endswith(b"\r\n.\r\n")

    RUNNERS[runner](scenario())


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("size", [0, 300_000])
def test_a_message_is_noted_before_its_dot_is_written(runner: str, size: int) -> None:
    """The server is a thread, so that it would see a dot written before the note while that is made."""
    seen = threading.Event()
    early: list[bool] = []

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line, line.makefile("rwb") as stream:
            stream.write(b"220 mx.test\r\n")
            stream.flush()
            for command in stream:
                if command.startswith(b"EHLO"):
                    stream.write(b"250-mx.test\r\n250 PIPELINING\r\n")
                elif command == b"DATA\r\n":
                    stream.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
                elif command == b".\r\n":
                    seen.set()
                    stream.write(b"250 2.0.0 mine\r\n")
                elif command == b"QUIT\r\n":
                    stream.write(b"221 bye\r\n")
                stream.flush()

    def on_wire() -> None:
        time.sleep(0.05)
        early.append(seen.is_set())

    async def scenario(port: int) -> None:
        transport = a_transport(port, connections=1, seconds=5)
        told: list[Outcome | None] = []
        data = bytes(a_letter().data) + (b"x" * 900 + b"\r\n") * (size // 902)
        transport.offer(Parcel(a_letter(data=data), "other", on_wire, told.append))
        await until(lambda: bool(told))
        assert isinstance(told[0], Accepted)
        await transport.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        RUNNERS[runner](scenario(listener.getsockname()[1]))
        thread.join()
    assert early == [False]
    assert seen.is_set()


@pytest.mark.parametrize("step", ["DOT", "MAIL"])
async def test_one_introduced_to_a_server_that_takes_leave_goes_out_on_another_connection(
    peer: StartPeer, transport: Connect, step: str
) -> None:
    said = {"DOT": 0, "MAIL": 0}

    def mood(at: str) -> str | None:
        if at not in said:
            return None
        said[at] += 1
        return "421 4.3.2 closing" if at == step and said[at] == 2 else None

    server = await peer(mood=mood)
    ledger = Ledger()
    ledger.offer(transport(server, connections=1), 3)
    await until(lambda: len(ledger.outcomes) == 3)
    kinds = [type(outcome) for outcome in ledger.outcomes]
    assert kinds == ([Accepted, Deferred, Accepted] if step == "DOT" else [Accepted, Accepted, Accepted])
    assert server.connections == 2


async def test_a_server_that_hangs_up_after_so_many_messages_costs_none(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(messages=7)
    ledger = Ledger()
    recipients = ledger.offer(transport(server, connections=2, messages=10_000), 100)
    await until(lambda: len(ledger.outcomes) == 100)
    assert all(isinstance(outcome, Accepted) for outcome in ledger.outcomes)
    assert sorted(message.recipient for message in server.messages) == sorted(recipients)


async def test_a_message_that_cannot_be_noted_does_not_leave(peer: StartPeer, transport: Connect) -> None:
    server = await peer()
    told: list[Outcome | None] = []

    def on_wire() -> None:
        raise SenderError("The journal cannot be written.", "Make room on the disk.")

    line = transport(server, connections=1)
    line.offer(Parcel(a_letter(), "other", on_wire, told.append))
    await until(lambda: bool(told))
    (outcome,) = told
    assert isinstance(outcome, Deferred)
    assert outcome.unreached
    assert "journal cannot be written" in outcome.reply.text
    assert server.messages == []
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert "." in server.commands


async def test_a_message_given_up_before_its_dot_does_not_leave(peer: StartPeer, transport: Connect) -> None:
    server = await peer(stall_at="DATA")
    line = transport(server, connections=1, timeout=2.0)
    sending = asyncio.create_task(line.send(a_letter(recipient="early@inbox.test"), provider="other"))
    await server.heard("DATA")
    sending.cancel()
    server.manners.stall_at = None
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted | Deferred)
    assert all(message.recipient != "early@inbox.test" for message in server.messages)


async def test_what_is_queued_can_be_withdrawn_and_what_is_under_way_cannot(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(seconds=0.1)
    line = transport(server, connections=2)
    ledger = Ledger()
    ledger.offer(line, 20)
    await server.heard("DATA")
    line.withdraw()
    withdrawn = ledger.outcomes.count(None)
    assert withdrawn >= 14
    await until(lambda: len(ledger.outcomes) == 20)
    assert len(server.messages) == 20 - withdrawn
    assert ledger.outcomes.count(None) == withdrawn


async def test_what_is_not_wanted_any_more_costs_no_conversation(peer: StartPeer, transport: Connect) -> None:
    server = await peer()
    line = transport(server, connections=1)
    ledger, unwanted = Ledger(), set[str]()

    def is_wanted(name: str) -> bool:
        return name not in unwanted

    for number in range(9):
        name = f"p{number}@inbox.test"
        line.offer(ledger.parcel(name, is_wanted=partial(is_wanted, name)))
        if number % 3:
            unwanted.add(name)
    await until(lambda: len(ledger.outcomes) == 9)
    assert {name for name, told in ledger.told.items() if told == [None]} == unwanted
    assert sorted(ledger.wired) == sorted(ledger.told.keys() - unwanted)
    assert sum(command.startswith("MAIL") for command in server.commands) == 3
    assert server.connections == 1


async def test_fewer_connections_after_the_message_under_way_and_more_at_once(peer: StartPeer) -> None:
    server = await peer(seconds=0.02)
    line = SmtpTransport(
        SmtpOptions(
            routes={"gmail": SmtpServer("127.0.0.1", server.port, Tls.NONE)}, connections_per_server=4
        )
    )
    ledger = Ledger()

    def offer(count: int) -> None:
        for _ in range(count):
            line.offer(ledger.parcel(f"p{len(ledger.told)}@inbox.test", provider="gmail"))

    offer(40)
    await until(lambda: server.open == 4)
    line.allow("gmail", 1)
    line.allow("orange", 3)
    await until(lambda: server.open == 1)
    assert len(ledger.outcomes) < 40
    await until(lambda: len(ledger.outcomes) == 40)
    offer(20)
    line.allow("gmail", None)
    await until(lambda: server.open == 4)
    await until(lambda: len(ledger.outcomes) == 60)
    assert server.most_open == 4
    assert all(isinstance(outcome, Accepted) for outcome in ledger.outcomes)
    await line.close()


async def test_a_server_that_is_down_is_asked_once_and_the_others_are_given_back(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(drop_at="GREETING")
    line = transport(server, connections=5)
    ledger = Ledger()
    ledger.offer(line, 30)
    await until(lambda: len(ledger.outcomes) == 30)
    assert server.connections == 1
    first, *others = ledger.outcomes
    assert isinstance(first, Deferred)
    assert first.unreached
    assert others == [None] * 29
    assert ledger.wired == []


async def test_a_server_that_takes_no_more_connections_is_served_on_those_it_took(
    peer: StartPeer, transport: Connect
) -> None:
    greeted = 0

    def mood(step: str) -> str | None:
        nonlocal greeted
        greeted += step == "GREETING"
        return "421 4.7.0 too many connections" if step == "GREETING" and greeted > 2 else None

    server = await peer(mood=mood, seconds=0.002)
    ledger = Ledger()
    ledger.offer(transport(server, connections=10), 60)
    await until(lambda: len(ledger.outcomes) == 60)
    assert all(isinstance(outcome, Accepted) for outcome in ledger.outcomes)


async def test_a_slow_reader_gets_big_messages_whole(peer: StartPeer, transport: Connect) -> None:
    server = await peer(seconds=0.01)
    line = transport(server, connections=2, timeout=20)
    ledger = Ledger()
    ledger.offer(line, 6, size=3_000_000)
    await until(lambda: len(ledger.outcomes) == 6, seconds=20)
    assert all(isinstance(outcome, Accepted) for outcome in ledger.outcomes)
    assert {len(message.content) for message in server.messages} == {
        len(a_letter().data) + 3_000_000 // 73 * 73
    }
