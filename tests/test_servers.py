"""The servers the tests rely on are what they say they are."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from threading import Timer

import aiosmtplib
import dkim
import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.servers.perl_dkim import PerlDkim
from tests.servers.postfix import StartPostfix
from tests.servers.postgresql import PostgresqlServer, start_postgresql
from tests.servers.sink import Sink


def a_letter(recipient: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = "Les Amis <amis@news.test>"
    letter["To"] = recipient
    letter["Subject"] = "Réunion mardi"
    letter.set_content("À mardi !\n")
    return letter


async def test_a_fresh_database_is_empty_and_of_the_kind_asked_for(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE noun (id integer)"))
    await engine.dispose()
    assert engine.dialect.name == database_url.partition("+")[0]


def test_a_database_can_be_copied_from_a_prepared_one(postgresql: PostgresqlServer) -> None:
    prepared = postgresql.create_database()
    copy = postgresql.create_database(template=prepared)
    assert copy != prepared
    for name in (copy, prepared):
        postgresql.drop_database(name)


async def test_postgresql_comes_back_on_its_port_after_a_power_cut(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    postgresql.stop()
    postgresql.start()
    engine = create_async_engine(postgresql_url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that may come to harm: nobody else uses it."""
    server = start_postgresql()
    try:
        yield server
    finally:
        server.remove()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="who descends from whom, Linux tells")
@pytest.mark.parametrize("who", ["a connection", "the server", "a client"])
def test_postgresql_can_be_stopped_whoever_stands_still_and_started_again(
    own_postgresql: PostgresqlServer, who: str
) -> None:
    address = own_postgresql.url("postgres").replace("+psycopg", "")
    with psycopg.connect(address) as connection, socket.socket() as client:
        backend = connection.info.backend_pid
        os.kill(parent_of(backend) if who == "the server" else backend, signal.SIGSTOP)
        if who == "a client":

            def come_in_between() -> None:
                # Connected while the server waits for its last connection, and says nothing.
                client.connect(("127.0.0.1", own_postgresql.port))
                time.sleep(0.2)
                os.kill(backend, signal.SIGKILL)

            Timer(0.2, come_in_between).start()
        own_postgresql.stop(patience_s=1)
    assert not is_there(backend)
    own_postgresql.start()
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="who descends from whom, Linux tells")
def test_postgresql_comes_back_once_what_is_left_of_it_has_gone(own_postgresql: PostgresqlServer) -> None:
    address = own_postgresql.url("postgres").replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        os.kill(parent_of(backend), signal.SIGKILL)
        own_postgresql.stop()
        Timer(0.5, os.kill, (backend, signal.SIGKILL)).start()
        own_postgresql.start()
    assert "still in use" in own_postgresql.log
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgresql_told_to_end_in_order_writes_down_what_it_has(own_postgresql: PostgresqlServer) -> None:
    address = own_postgresql.url("postgres").replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE noun AS SELECT 1 AS id")  # and in no hurry to write it down
    own_postgresql.stop(signal.SIGINT)
    own_postgresql.start()
    assert "abnormal" not in own_postgresql.log
    assert "not properly shut down" not in own_postgresql.log


def parent_of(number: int) -> int:
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


def is_there(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_postfix_hands_known_recipients_on_and_refuses_others(
    postfix: StartPostfix, sink: Sink
) -> None:
    server = postfix(recipients=["ada@inbox.test"], lmtp_port=sink.lmtp_port)
    async with aiosmtplib.SMTP(hostname=server.host, port=server.port, start_tls=False) as client:
        await client.ehlo()
        assert client.supports_extension("pipelining")
        await client.send_message(a_letter("ada@inbox.test"))
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await client.send_message(a_letter("nobody@inbox.test"))
    assert refused.value.recipients[0].code == 550
    assert refused.value.recipients[0].message.startswith("5.1.1")
    (mail,) = await sink.wait_for(1)
    assert mail.recipients == ("ada@inbox.test",)


async def test_postfix_offers_tls_with_a_certificate_that_can_be_verified(postfix: StartPostfix) -> None:
    server = postfix()
    client = aiosmtplib.SMTP(
        hostname=server.host, port=server.port, start_tls=True, cert_bundle=str(server.ca_file)
    )
    async with client:
        assert client.get_transport_info("cipher")
        await client.send_message(a_letter("anyone@inbox.test"))


async def test_postfix_writes_a_bounce_when_the_mailbox_refuses_later(
    postfix: StartPostfix, sink: Sink
) -> None:
    server = postfix(lmtp_port=sink.lmtp_port, bounce_port=sink.smtp_port)
    sink.refusals["full@inbox.test"] = "552 5.2.2 Mailbox full"
    async with aiosmtplib.SMTP(hostname=server.host, port=server.port, start_tls=False) as client:
        await client.send_message(a_letter("full@inbox.test"), sender="b+token@bounces.news.test")
    (bounce,) = await sink.wait_for(1)
    assert bounce.sender == ""
    assert bounce.recipients == ("b+token@bounces.news.test",)
    assert b"Status: 5.2.2" in bounce.content


@pytest.fixture(scope="module")
def key_pair() -> tuple[bytes, str]:
    """A private key in PEM, and the text of the record that publishes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, "v=DKIM1; k=rsa; p=" + "".join(public.decode().splitlines()[1:-1])


def test_perl_believes_a_true_signature_and_no_other(
    perl_dkim: PerlDkim, key_pair: tuple[bytes, str]
) -> None:
    pem, record = key_pair
    letter = b"From: amis@news.test\r\nSubject: Mardi\r\n\r\nBonjour\r\n"
    signed = dkim.sign(letter, b"s1", b"news.test", pem, canonicalize=(b"relaxed", b"relaxed")) + letter
    keys = {"s1._domainkey.news.test": record}
    (opinion,) = perl_dkim.verify(signed, keys)
    assert (opinion.domain, opinion.selector, opinion.result) == ("news.test", "s1", "pass")
    (opinion,) = perl_dkim.verify(signed.replace(b"Bonjour", b"Bonsoir"), keys)
    assert opinion.result == "fail"
    assert "body" in opinion.detail
    (opinion,) = perl_dkim.verify(signed, {})
    assert opinion.result == "invalid"
    assert perl_dkim.verify(letter, keys) == []
