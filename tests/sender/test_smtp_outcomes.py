"""What a mail server may do, and what Tocsin must believe afterwards: nothing lost, nothing sent twice."""

import asyncio
import itertools
from typing import Any

import pytest

from models.states import Channel
from models.values import Accepted, Deferred, Refused, SmsEnvelope, Uncertain
from tests.sender.conftest import Connect, StartPeer, a_letter

PIPELINING = {True: ("PIPELINING", "SIZE 50000000"), False: ("8BITMIME",)}
PATIENT, BRIEF = 30.0, 2.0
"""Seconds: where nobody stalls, and where somebody does after steps that a busy machine needs time for."""
BIG = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200_000


@pytest.fixture(params=[True, False], ids=["pipelined", "in turn"])
def extensions(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return PIPELINING[request.param]


async def test_a_message_arrives_exactly_as_it_was(
    peer: StartPeer, transport: Connect, extensions: tuple[str, ...]
) -> None:
    server = await peer(extensions=extensions)
    outcome = await transport(server).send(a_letter(), provider="other")
    assert isinstance(outcome, Accepted)
    assert (outcome.reply.code, outcome.reply.enhanced, outcome.reply.text) == (250, "2.0.0", "queued as 1")
    (message,) = server.messages
    assert (message.sender, message.recipient) == ("b+token@b.news.test", "ada@inbox.test")
    assert message.content == a_letter().data
    assert server.commands[0] == "EHLO out.test"


@pytest.mark.parametrize("data", [b".", b".\r\n", b"a\r\n.", b"\r\n.\r\n.\r\n", b"no end", b"..\r\n.a\r\n"])
async def test_dots_and_missing_line_ends_do_not_change_a_message(
    peer: StartPeer, transport: Connect, data: bytes
) -> None:
    server = await peer()
    outcome = await transport(server).send(a_letter(data=data), provider="other")
    assert isinstance(outcome, Accepted)
    assert server.messages[0].content.removesuffix(b"\r\n") == data.removesuffix(b"\r\n")


async def test_replies_in_single_octets_are_read_all_the_same(
    peer: StartPeer, transport: Connect, extensions: tuple[str, ...]
) -> None:
    server = await peer(
        extensions=extensions, pieces=True, replies={"MAIL": "250-yes\n250-and yes\n250 indeed"}
    )
    line = transport(server)
    for _ in range(3):
        assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert len(server.messages) == 3
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [("450 4.2.1 later", Deferred), ("550 5.1.1 never", Refused), ("421 4.7.0 too busy", Deferred)],
)
async def test_a_refusal_counts_wherever_it_comes_and_the_next_message_goes_out(  # noqa: PLR0917
    peer: StartPeer,
    transport: Connect,
    extensions: tuple[str, ...],
    step: str,
    reply: str,
    kind: type[Deferred | Refused],
) -> None:
    server = await peer(extensions=extensions, replies={step: reply})
    line = transport(server)
    outcome = await line.send(a_letter(), provider="other")
    assert isinstance(outcome, kind)
    assert outcome.reply.code == int(reply[:3])
    assert outcome.reply.enhanced == reply.split()[1]
    assert outcome.reply.text == reply[10:]
    assert server.messages == []
    del server.manners.replies[step]
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert len(server.messages) == 1
    assert server.connections == (2 if reply.startswith("421") else 1)


async def test_a_body_asked_for_after_a_refused_recipient_stays_empty(
    peer: StartPeer, transport: Connect
) -> None:
    # RFC 2920 section 3.1: a server may answer 354 although it refused every recipient.
    server = await peer(replies={"RCPT": "550 5.1.1 nobody here", "DATA": "354 go on"})
    line = transport(server)
    outcome = await line.send(a_letter(), provider="other")
    assert isinstance(outcome, Refused)
    assert outcome.reply.text == "nobody here"
    server.manners.replies.clear()
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert [message.content for message in server.messages] == [a_letter().data]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        *[(step, Deferred) for step in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA")],
        ("DOT", Uncertain),
    ],
)
@pytest.mark.parametrize("manner", ["drop_at", "stall_at", "endless_at"])
async def test_what_a_lost_line_means_depends_on_the_dot(  # noqa: PLR0917
    peer: StartPeer, transport: Connect, extensions: tuple[str, ...], at: str, kind: type, manner: str
) -> None:
    server = await peer(extensions=extensions, **{manner: at})
    # What comes before the dot is deferred whichever step took too long.
    stalled = BRIEF if at == "DOT" else 0.3
    line = transport(server, timeout=PATIENT if manner == "drop_at" else stalled)
    outcome = await line.send(a_letter(), provider="other")
    assert type(outcome) is kind
    assert outcome.reply.code is None or at in ("GREETING", "EHLO")
    assert outcome.reply.text
    assert server.messages == []


@pytest.mark.parametrize("manner", ["drop_at", "stall_at"])
async def test_a_big_body_that_cannot_all_have_left_is_sent_again_later(
    peer: StartPeer, transport: Connect, manner: str
) -> None:
    server = await peer(**{manner: "BODY"})
    outcome = await transport(server, timeout=0.5).send(a_letter(data=BIG), provider="other")
    assert isinstance(outcome, Deferred)
    assert outcome.reply.code is None


async def test_a_small_body_whose_dot_has_left_is_never_sent_again(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(stall_at="BODY")
    outcome = await transport(server, timeout=BRIEF).send(a_letter(), provider="other")
    assert isinstance(outcome, Uncertain)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [("552 5.3.4 too big", Refused), ("421 4.3.2 closing", Deferred), ("250 2.0.0 fine", Deferred)],
)
async def test_a_reply_in_the_midst_of_a_body_is_heard_and_none_is_a_yes(
    peer: StartPeer, transport: Connect, reply: str, kind: type
) -> None:
    server = await peer(replies={"BODY": reply})
    outcome = await transport(server).send(a_letter(data=BIG), provider="other")
    assert type(outcome) is kind
    assert outcome.reply.code == int(reply[:3])


async def test_a_reply_that_is_no_smtp_after_the_body_leaves_it_uncertain(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(replies={"DOT": "HTTP/1.1 200 OK"})
    outcome = await transport(server).send(a_letter(), provider="other")
    assert isinstance(outcome, Uncertain)


async def test_an_accepting_reply_counts_though_rubbish_follows_it(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(replies={"DOT": "250 2.0.0 mine\nrubbish"})
    outcome = await transport(server).send(a_letter(), provider="other")
    assert isinstance(outcome, Accepted)


async def test_pipelining_that_is_only_promised_is_given_up(peer: StartPeer, transport: Connect) -> None:
    server = await peer(flushes=True)
    line = transport(server, timeout=BRIEF)
    assert isinstance(await line.send(a_letter(), provider="other"), Deferred)
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert len(server.messages) == 1


async def test_a_kept_connection_that_the_server_closed_costs_no_message(
    peer: StartPeer, transport: Connect, extensions: tuple[str, ...]
) -> None:
    server = await peer(extensions=extensions, messages=2)
    line = transport(server, connections=1)
    outcomes = [await line.send(a_letter(), provider="other") for _ in range(7)]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.messages) == 7
    assert server.connections == 4


async def test_a_connection_that_says_421_while_it_is_kept_is_not_used_again(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(messages=1, farewell="421 4.4.2 idle too long")
    line = transport(server, connections=1)
    for _ in range(3):
        outcome = await line.send(a_letter(), provider="other")
        assert isinstance(outcome, Accepted)
        await asyncio.sleep(0.02)
    assert server.connections == 3


@pytest.mark.parametrize(
    "manners",
    [
        {"drop_at": "DATA"},
        {"stall_at": "DATA"},
        {"drop_at": "RSET"},
        {"stall_at": "RSET"},
        {"replies": {"RSET": "502 5.5.1 what?"}},
        {"replies": {"DATA": "354 go on"}, "drop_at": "NOTHING"},
        {"replies": {"DATA": "421 4.3.2 bye"}},
    ],
)
async def test_a_refusal_stands_whatever_becomes_of_the_line_after_it(
    peer: StartPeer, transport: Connect, extensions: tuple[str, ...], manners: dict[str, Any]
) -> None:
    server = await peer(extensions=extensions)
    server.manners.drop_at, server.manners.stall_at = manners.get("drop_at"), manners.get("stall_at")
    server.manners.replies = {"RCPT": "550 5.1.1 nobody", **manners.get("replies", {})}
    line = transport(server, timeout=BRIEF if "stall_at" in manners else PATIENT)
    outcome = await line.send(a_letter(), provider="other")
    assert isinstance(outcome, Refused)
    assert outcome.reply.text == "nobody"
    server.manners.drop_at, server.manners.stall_at, server.manners.replies = None, None, {}
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert [message.content for message in server.messages] == [a_letter().data]


async def test_nothing_said_unasked_is_taken_for_the_next_reply(peer: StartPeer, transport: Connect) -> None:
    server = await peer(unasked="250 2.0.0 by the way")
    line = transport(server, connections=1)
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    await asyncio.sleep(0.02)
    server.manners.replies["DOT"] = "550 5.7.1 not this one"
    assert isinstance(await line.send(a_letter(), provider="other"), Refused)
    assert server.connections == 2


async def test_a_failed_sign_in_loses_nothing(peer: StartPeer, transport: Connect) -> None:
    server = await peer(accounts={"amis": "right"})
    outcome = await transport(server, username="amis", password="wrong").send(a_letter(), provider="other")
    assert isinstance(outcome, Deferred)
    assert (outcome.reply.code, outcome.reply.enhanced) == (535, "5.7.8")


async def test_a_demand_to_sign_in_is_not_held_against_the_message(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(replies={"MAIL": "530 5.7.0 sign in first"})
    outcome = await transport(server).send(a_letter(), provider="other")
    assert isinstance(outcome, Deferred)


async def test_a_server_that_is_not_there_defers(peer: StartPeer, transport: Connect) -> None:
    server = await peer()
    await server.stop()
    outcome = await transport(server).send(a_letter(), provider="other")
    assert isinstance(outcome, Deferred)
    assert outcome.reply.code is None


async def test_a_host_without_an_address_defers(peer: StartPeer, transport: Connect) -> None:
    outcome = await transport(await peer(), host="no such host").send(a_letter(), provider="other")
    assert isinstance(outcome, Deferred)


async def test_our_own_way_out_is_told_from_what_a_server_says_of_a_message(
    peer: StartPeer, transport: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    gone, picky, busy = (
        await peer(),
        await peer(accounts={"amis": "right"}),
        await peer(replies={"MAIL": "421 4.7.0 slow down"}),
    )
    await gone.stop()
    line = transport(gone)
    refused = [await line.send(a_letter(), provider="other") for _ in range(3)]
    stranger = await transport(picky, username="amis", password="wrong").send(a_letter(), provider="other")
    for outcome in (*refused, stranger):
        assert isinstance(outcome, Deferred)
        assert outcome.unreached
    assert f"127.0.0.1:{gone.port} cannot be reached: connection refused" in refused[0].reply.text
    assert "refused to let amis sign in" in stranger.reply.text
    # Each of the two servers once, not each message.
    assert [record.message for record in caplog.records].count("mail server unavailable") == 2
    said = await transport(busy).send(a_letter(), provider="other")
    assert isinstance(said, Deferred)
    assert not said.unreached


@pytest.mark.parametrize(
    "letter",
    [
        a_letter(recipient="ada@inbox.test>\r\nRCPT TO:<eve@inbox.test"),
        a_letter(recipient="ada@inbox.test> NOTIFY=NEVER"),
        a_letter(recipient="éva@inbox.test"),
        a_letter(recipient=""),
        a_letter(return_path="b@news.test\nDATA"),
        a_letter(data=b"Subject: a\r\n\r\nend\n.\nMAIL FROM:<eve@news.test>\r\n"),
        a_letter(data=b"Subject: a\r\n\r\nend\r.\r\n"),
        a_letter(data="Subject: é\r\n".encode()),
    ],
)
async def test_nothing_can_be_smuggled_into_the_conversation(
    peer: StartPeer, transport: Connect, letter: object
) -> None:
    server = await peer()
    outcome = await transport(server).send(letter, provider="other")  # type: ignore[arg-type]
    assert isinstance(outcome, Refused)
    assert outcome.reply.code is None
    assert server.connections == 0


async def test_an_smtp_transport_takes_no_text_messages(peer: StartPeer, transport: Connect) -> None:
    line = transport(await peer())
    assert line.channel is Channel.EMAIL
    with pytest.raises(TypeError):
        await line.send(SmsEnvelope("Amis", "+33612345678", "Bonjour"), provider="sms")


async def test_a_cancelled_message_takes_its_connection_with_it(peer: StartPeer, transport: Connect) -> None:
    server = await peer(stall_at="DOT")
    line = transport(server, connections=1)
    sending = asyncio.create_task(line.send(a_letter(), provider="other"))
    await server.heard(".")
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    server.manners.stall_at = None
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert server.connections == 2


async def test_every_outcome_agrees_with_what_the_server_took(peer: StartPeer, transport: Connect) -> None:
    """Each way to behave, after two good messages on one connection.

    Accepted means taken, and only that; no body leaves twice; nobody is asked again who answered.
    """
    steps = ("MAIL", "RCPT", "DATA", "DOT")
    replies = ("250 2.0.0 ok", "354 go on", "451 4.3.0 no", "554 5.7.1 no", "421 4.3.2 bye")
    ways: list[dict[str, object]] = [{"replies": {a: b}} for a, b in itertools.product(steps, replies)]
    ways += [{"drop_at": step} for step in steps]
    for pipelines in (True, False):
        for way in ways:
            await behave(peer, transport, way, pipelines=pipelines)
        # Those that stall do so side by side: each has time enough for its good messages.
        stalls: list[dict[str, object]] = [{"stall_at": step} for step in steps]
        await asyncio.gather(*(behave(peer, transport, way, pipelines=pipelines) for way in stalls))


async def behave(peer: StartPeer, transport: Connect, way: dict[str, object], *, pipelines: bool) -> None:
    """Two good messages, then one that meets with `way`."""
    server = await peer(extensions=PIPELINING[pipelines])
    line = transport(server, timeout=BRIEF if "stall_at" in way else PATIENT, connections=1)
    for _ in range(2):
        assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    for name, value in way.items():
        setattr(server.manners, name, value)
    outcome = await line.send(a_letter(recipient="last@inbox.test"), provider="other")
    assert server.commands.count(".") <= 3, way
    tries = sum(command.startswith("MAIL") for command in server.commands)
    # Whoever takes leave of a used connection has not been asked about the message.
    asked_again = way in ({"drop_at": "MAIL"}, {"replies": {"MAIL": "421 4.3.2 bye"}})
    assert tries <= (4 if asked_again else 3), way
    taken = any(message.recipient == "last@inbox.test" for message in server.messages)
    if isinstance(outcome, Accepted):
        assert taken, way
    elif not isinstance(outcome, Uncertain):
        assert not taken, (way, outcome)
