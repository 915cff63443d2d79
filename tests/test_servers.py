"""The servers the tests rely on are what they say they are."""

from email.message import EmailMessage

import aiosmtplib
import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.servers.perl_dkim import PerlDkim
from tests.servers.postfix import StartPostfix
from tests.servers.postgresql import PostgresqlServer
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
