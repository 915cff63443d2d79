"""Opening, keeping, sharing and closing connections; TLS and sign-in."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from models.errors import SettingsError
from models.values import Accepted, Deferred
from sender import smtp_terms
from sender.mime import EmailBuilder
from sender.smtp import SmtpOptions, SmtpServer, SmtpTransport, Tls
from sender.transport import (
    CertificateError,
    TransportAuthenticationError,
    TransportError,
    TransportTimeoutError,
    TransportUnavailableError,
)
from tests.sender.conftest import Authority, Connect, Keys, StartPeer, a_letter, a_message, a_sender, build
from tests.sender.servers import SmtpPeer
from tests.servers.postfix import StartPostfix
from tests.servers.sink import Sink


async def test_many_tasks_share_no_more_connections_than_allowed(peer: StartPeer, transport: Connect) -> None:
    server = await peer(seconds=0.005)
    line = transport(server, connections=3)
    outcomes = await asyncio.gather(*(line.send(a_letter(), provider="other") for _ in range(60)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.messages) == 60
    assert server.most_open == 3
    assert server.connections == 3


async def test_a_connection_carries_no_more_messages_than_allowed(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer()
    line = transport(server, connections=1, messages=4)
    for _ in range(10):
        assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert server.connections == 3
    await line.close()
    assert server.commands.count("QUIT") == 3


async def test_a_provider_with_a_route_is_spared_more_connections_than_it_allows(peer: StartPeer) -> None:
    orange, relay = await peer(seconds=0.005), await peer()
    line = SmtpTransport(
        SmtpOptions(
            relay=SmtpServer("127.0.0.1", relay.port, Tls.NONE),
            routes={"orange": SmtpServer("127.0.0.1", orange.port, Tls.NONE)},
        )
    )
    await asyncio.gather(*(line.send(a_letter(), provider="orange") for _ in range(20)))
    await line.send(a_letter(), provider="gmail")
    assert (len(orange.messages), len(relay.messages)) == (20, 1)
    assert orange.most_open == 2
    await line.close()


async def test_a_provider_without_a_route_waits_when_there_is_no_relay(peer: StartPeer) -> None:
    server = await peer()
    line = SmtpTransport(SmtpOptions(routes={"gmail": SmtpServer("127.0.0.1", server.port, Tls.NONE)}))
    outcome = await line.send(a_letter(), provider="orange")
    assert isinstance(outcome, Deferred)
    assert "orange" in outcome.reply.text
    await line.close()


def test_a_transport_that_leads_nowhere_is_not_made() -> None:
    with pytest.raises(SettingsError):
        SmtpTransport(SmtpOptions())


async def test_idle_connections_are_closed_politely(peer: StartPeer, transport: Connect) -> None:
    server = await peer()
    line = transport(server, idle=0.05)
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert server.open == 1
    await server.heard("QUIT")
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    assert server.connections == 2


async def test_closing_waits_for_what_is_under_way_and_takes_nothing_new(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(seconds=0.2)
    line = transport(server, connections=1)
    sending = [asyncio.create_task(line.send(a_letter(), provider="other")) for _ in range(3)]
    await server.heard("DATA")
    await line.close()
    assert all(task.done() for task in sending)
    # The second may have been introduced together with the end of the first.
    first, second, third = await asyncio.gather(*sending)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted | Deferred)
    assert isinstance(third, Deferred)
    assert len(server.messages) == 1 + isinstance(second, Accepted)
    assert isinstance(await line.send(a_letter(), provider="other"), Deferred)
    await line.close()


def encryption(kind: str, authority: Authority) -> dict[str, Any]:
    return {} if kind == "none" else {"tls": authority.tls, "implicit": kind == "implicit"}


@pytest.mark.parametrize("kind", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("extensions", [("PIPELINING",), ("HELP",)], ids=["pipelined", "in turn"])
async def test_messages_of_any_size_arrive_through_every_kind_of_connection(
    peer: StartPeer, transport: Connect, authority: Authority, kind: str, extensions: tuple[str, ...]
) -> None:
    server = await peer(accounts={"amis": "right"}, extensions=extensions, **encryption(kind, authority))
    line = transport(
        server, tls=Tls(kind), ca_file=authority.ca_file, username="amis", password="right", connections=2
    )
    sizes = [10, 5_000, 300_000, 3_000_000, 40]
    for size in sizes:
        data = b"Subject: size\r\n\r\n" + (b"." + b"z" * 70 + b"\r\n") * (size // 73 + 1)
        assert isinstance(await line.send(a_letter(data=data), provider="other"), Accepted)
        assert server.messages[-1].content == data
    assert server.connections == 1


@pytest.mark.parametrize("kind", ["none", "starttls", "implicit"])
async def test_a_body_that_the_kernel_cannot_hold_arrives_whole(
    peer: StartPeer, transport: Connect, authority: Authority, kind: str
) -> None:
    server = await peer(**encryption(kind, authority))
    line = transport(server, tls=Tls(kind), ca_file=authority.ca_file, timeout=30)
    data = b"Subject: size\r\n\r\n" + (b"z" * 900 + b"\r\n") * 16_000
    assert isinstance(await line.send(a_letter(data=data), provider="other"), Accepted)
    assert server.messages[0].content == data


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_an_unknown_certificate_is_not_trusted(
    peer: StartPeer, transport: Connect, authority: Authority, kind: str
) -> None:
    server = await peer(**encryption(kind, authority))
    line = transport(server, tls=Tls(kind))
    with pytest.raises(CertificateError, match="cannot be trusted"):
        await line.check()
    assert isinstance(await line.send(a_letter(), provider="other"), Deferred)
    assert server.messages == []
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize("implicit", [True, False])
async def test_a_certificate_for_another_name_is_not_trusted(
    peer: StartPeer, transport: Connect, authority: Authority, implicit: bool
) -> None:
    server = await peer(tls=authority.misnamed, implicit=implicit)
    line = transport(server, tls=Tls.IMPLICIT if implicit else Tls.STARTTLS, ca_file=authority.ca_file)
    with pytest.raises(CertificateError, match=r"it is not for the name 127\.0\.0\.1\. Write the name"):
        await line.check()


async def test_verification_can_be_switched_off(
    peer: StartPeer, transport: Connect, authority: Authority
) -> None:
    server = await peer(**encryption("starttls", authority))
    line = transport(server, tls=Tls.STARTTLS, verify_certificate=False)
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_taking_leave_of_a_server_that_ends_the_encryption_properly_is_no_error(
    peer: StartPeer, transport: Connect, authority: Authority, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    server = await peer(notifies_of_end=True, **encryption(kind, authority))
    line = transport(server, tls=Tls(kind), ca_file=authority.ca_file)
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    await line.close()
    await asyncio.sleep(0.1)
    assert "QUIT" in server.commands
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_starttls_is_required_and_not_merely_tried(peer: StartPeer, transport: Connect) -> None:
    server = await peer()
    line = transport(server, tls=Tls.STARTTLS)
    with pytest.raises(TransportUnavailableError, match="STARTTLS"):
        await line.check()
    assert isinstance(await line.send(a_letter(), provider="other"), Deferred)
    assert server.messages == []


async def test_a_missing_file_of_authorities_says_so(peer: StartPeer, transport: Connect) -> None:
    line = transport(await peer(), tls=Tls.IMPLICIT, ca_file=Path("/nowhere/ca.pem"))
    with pytest.raises(CertificateError, match=r"/nowhere/ca\.pem"):
        await line.check()


async def test_a_check_says_in_one_line_what_it_found(
    peer: StartPeer, transport: Connect, authority: Authority
) -> None:
    server = await peer(accounts={"amis": "right"}, **encryption("starttls", authority))
    line = transport(server, tls=Tls.STARTTLS, ca_file=authority.ca_file, username="amis", password="right")
    found = await line.check()
    assert "\n" not in found
    assert f"127.0.0.1:{server.port}, TLSv1.3, signed in as amis" in found
    assert "PIPELINING" in found
    assert server.messages == []


async def test_a_check_succeeds_though_the_server_does_not_take_leave(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(drop_at="QUIT")
    assert "not encrypted, not signed in" in await transport(server).check()


@pytest.mark.parametrize("manner", ["drop_at", "stall_at"])
async def test_closing_ends_though_the_server_does_not_take_leave(
    peer: StartPeer, transport: Connect, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_terms, "QUIT_SECONDS", 0.1)
    server = await peer(**{manner: "QUIT"})
    line = transport(server, timeout=60)
    assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
    async with asyncio.timeout(30):
        await line.close()


async def test_a_check_can_be_cancelled(peer: StartPeer, transport: Connect) -> None:
    server = await peer(stall_at="EHLO")
    checking = asyncio.create_task(transport(server).check())
    await server.heard("EHLO out.test")
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking


async def test_a_connection_closed_while_it_is_kept_is_not_used_again(
    peer: StartPeer, transport: Connect
) -> None:
    server = await peer(messages=1)
    line = transport(server, connections=1)
    for _ in range(3):
        assert isinstance(await line.send(a_letter(), provider="other"), Accepted)
        await asyncio.sleep(0.02)
    assert server.commands.count("EHLO out.test") == 3
    assert sum(command.startswith("MAIL") for command in server.commands) == 3


@pytest.mark.parametrize(
    ("manners", "error"),
    [
        ({"accounts": {"amis": "another"}}, TransportAuthenticationError),
        ({"accounts": {"amis": "right"}, "replies": {"AUTH": "454 4.7.0 later"}}, TransportUnavailableError),
        ({"replies": {"GREETING": "554 5.7.1 not you"}}, TransportUnavailableError),
        ({"replies": {"GREETING": "421 4.3.2 full"}}, TransportUnavailableError),
        ({"drop_at": "GREETING"}, TransportUnavailableError),
        ({"drop_at": "EHLO"}, TransportUnavailableError),
        ({"stall_at": "GREETING"}, TransportTimeoutError),
        ({"stall_at": "EHLO"}, TransportTimeoutError),
        ({}, TransportUnavailableError),  # offers no sign-in
    ],
)
async def test_a_check_says_what_keeps_it_from_working(
    peer: StartPeer, transport: Connect, manners: dict[str, Any], error: type[TransportError]
) -> None:
    server = await peer(**manners)
    seconds = 0.3 if "stall_at" in manners else 30
    with pytest.raises(error) as raised:
        await transport(server, timeout=seconds, username="amis", password="right").check()
    assert type(raised.value) is error
    assert str(server.port) in raised.value.problem


@pytest.mark.parametrize(
    ("manners", "options", "words"),
    [
        ({}, {"tls": Tls.IMPLICIT}, "does not speak TLS from the start. Is smtp+starttls:// meant"),
        ({}, {"tls": Tls.STARTTLS}, "it does not know STARTTLS. Is smtps:// meant"),
        ({}, {"username": "amis", "password": "x"}, "offers no way to sign in. Use smtp+starttls://"),
        ({"replies": {"GREETING": "HTTP/1.0 400 what"}}, {}, "is no mail server. Check the port"),
        ({"drop_at": "GREETING"}, {}, "hung up before it took a message"),
        ({"replies": {"GREETING": "554 5.7.1 Not you."}}, {}, "does not take mail now: 554 Not you."),
        ({}, {"host": "relay.invalid"}, "the name relay.invalid is unknown"),
    ],
)
async def test_a_wrong_address_is_told_in_plain_words_with_the_remedy(
    peer: StartPeer, transport: Connect, manners: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    server = await peer(**manners)
    with pytest.raises(TransportError) as raised:
        await transport(server, **options).check()
    told = str(raised.value)
    assert words in told
    assert not any(raw in told for raw in ("..", "[", "Errno", "_ssl", "Error"))


async def test_an_old_server_without_ehlo_will_do(peer: StartPeer, transport: Connect) -> None:
    server = await peer(replies={"EHLO": "502 5.5.1 unknown"})
    assert isinstance(await transport(server).send(a_letter(), provider="other"), Accepted)


def test_a_password_is_never_shown() -> None:
    assert "hunter2" not in repr(SmtpOptions(relay=SmtpServer("a", 1, username="b", password="hunter2")))


async def test_postfix_takes_what_is_built_and_signed(
    postfix: StartPostfix, sink: Sink, transport: Connect, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mta = postfix(recipients=["ada@inbox.test"], lmtp_port=sink.lmtp_port)
    builder = EmailBuilder(a_sender(signing_keys=keys.signing(*keys.algorithms)))
    peer_address = SmtpPeer.__new__(SmtpPeer)
    peer_address.port = mta.port
    line = transport(peer_address, tls=Tls.STARTTLS, ca_file=mta.ca_file, connections=2)
    assert "PIPELINING" in await line.check()
    envelopes = [build(builder, a_message(subject=f"Réunion n° {number}")) for number in range(10)]
    outcomes = await asyncio.gather(*(line.send(envelope, provider="other") for envelope in envelopes))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    refused = await line.send(build(builder, recipient="nobody@inbox.test"), provider="other")
    assert (refused.reply.code, refused.reply.enhanced) == (550, "5.1.1")
    assert isinstance(await line.send(envelopes[0], provider="other"), Accepted)
    mails = await sink.wait_for(11)
    assert {mail.sender for mail in mails} == {"b+token@b.news.test"}
    # Postfix puts its own headers on top and changes nothing below them.
    assert all(any(mail.content.endswith(envelope.data) for envelope in envelopes) for mail in mails)
    assert "improper" not in mta.log
