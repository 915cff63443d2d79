"""`tocsin serve` takes mail of programs: what it answered with 250 is there, whatever happens to it."""

import asyncio
import contextlib
import os
import signal
import smtplib
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlmodel import select

from models.api import KeyMode, Scope
from models.errors import SettingsError
from models.message import Message
from service.findings import Level
from service.settings import load_settings
from service.submission import Certificate, encryption_of
from store import Database, api_keys
from tests.clocks import START
from tests.factories import SECRET, an_identity
from tests.servers import free_port
from tests.service.conftest import Tocsin
from tests.service.test_doctor import findings_of, worst
from tests.service.test_running import serving
from tests.web.submission.senders import a_mail


def a_certificate(folder: Path, authority: trustme.CA, **options: Any) -> tuple[Path, Path]:
    leaf = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA, **options)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return chain, key


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def furnish(url: str) -> str:
    """An identity, and the secret of a key."""
    database = Database(url)
    async with database.write() as session:
        await an_identity(session)
        _, secret = await api_keys.add_key(
            session, name="CRM", mode=KeyMode.LIVE, scopes=[Scope.MESSAGES_SEND], by="test", now=START
        )
    await database.close()
    return secret


async def references(url: str) -> list[str]:
    database = Database(url)
    async with database.read() as session:
        found = list((await session.exec(select(Message.reference).order_by(Message.reference))).all())
    await database.close()
    return found


@contextlib.contextmanager
def signed_in(port: int, secret: str, context: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    line = smtplib.SMTP("localhost", port, timeout=30)
    try:
        line.starttls(context=context)
        line.login("tocsin", secret)
        yield line
    finally:
        line.close()


def hand_over(line: smtplib.SMTP, number: int) -> None:
    mail = a_mail(Message_ID=f"<{number}@crm.example>", X_Tocsin_Reference=f"{number:04}")
    line.send_message(mail)


def test_what_was_answered_with_250_survives_kill_9_and_nothing_is_twice(
    ready: Tocsin, migrated_url: str, authority: trustme.CA
) -> None:
    secret = asyncio.run(furnish(migrated_url))
    port, (chain, key) = free_port(), a_certificate(ready.folder, authority)
    settings = {
        "TOCSIN_DATABASE_URL": migrated_url,
        "TOCSIN_SECRET_KEY": SECRET,
        "TOCSIN_SUBMISSION_PORT": str(port),
        "TOCSIN_SUBMISSION_CERTIFICATE": str(chain),
        "TOCSIN_SUBMISSION_KEY": str(key),
    }
    answered: list[int] = []
    with serving(ready, **settings) as service:

        def hand_over_many() -> None:
            with (
                signed_in(port, secret, trust(authority)) as line,
                contextlib.suppress(OSError, smtplib.SMTPException),
            ):
                for number in range(10_000):
                    hand_over(line, number)
                    answered.append(number)
                    if number == 12:
                        enough.set()

        enough = threading.Event()
        program = threading.Thread(target=hand_over_many)
        program.start()
        assert enough.wait(60)
        os.kill(service.process.pid, signal.SIGKILL)
        program.join(60)
        assert service.process.wait(30) == -signal.SIGKILL
    kept = asyncio.run(references(migrated_url))
    assert {f"{number:04}" for number in answered} <= set(kept)
    assert len(kept) <= len(answered) + 1
    with serving(ready, **settings) as service, signed_in(port, secret, trust(authority)) as line:
        # The one of which nothing was heard, and the last that was.
        for number in (len(answered) - 1, len(answered)):
            hand_over(line, number)
        assert service.stop() == 0
    assert asyncio.run(references(migrated_url)) == [f"{number:04}" for number in range(len(answered) + 1)]


def test_keys_never_travel_in_the_clear_but_on_the_loopback(tmp_path: Path, authority: trustme.CA) -> None:
    def settings(**given: Any) -> Any:
        return load_settings(data_dir=tmp_path, submission_port=0, **given).settings

    chain, key = a_certificate(tmp_path, authority)
    assert encryption_of(settings(submission_plain=True)) is None
    assert encryption_of(settings(submission_certificate=chain, submission_key=key)) is not None
    for given in (
        {},
        {"submission_plain": True, "submission_host": "0.0.0.0"},  # noqa: S104 - refused
        {"submission_plain": True, "submission_tls_port": 0},
    ):
        with pytest.raises(SettingsError, match="without encryption"):
            encryption_of(settings(**given))


async def test_a_renewed_certificate_is_shown_and_a_broken_one_leaves_things_as_they_were(
    tmp_path: Path, authority: trustme.CA
) -> None:
    chain, key = a_certificate(tmp_path, authority)
    certificate = Certificate(chain, key)

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def shown() -> str:
        certificate.context()
        _, writer = await asyncio.open_connection(*address, ssl=trust(authority), server_hostname="localhost")
        number = str(writer.get_extra_info("peercert")["serialNumber"])
        writer.close()
        await writer.wait_closed()
        return number

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=certificate.context())
    async with server:
        address = server.sockets[0].getsockname()
        first = await shown()
        assert await shown() == first
        a_certificate(tmp_path, authority)
        later = chain.stat().st_mtime + 10
        os.utime(chain, (later, later))
        second = await shown()
        assert second != first
        chain.write_text("half a file")
        assert await shown() == second
    with pytest.raises(SettingsError, match="cannot be used as a certificate"):
        Certificate(chain, key).context()


async def test_the_doctor_looks_at_the_certificate_the_ports_and_the_keys(
    ready: Tocsin, authority: trustme.CA
) -> None:
    async def found(**settings: Any) -> list[Any]:
        return await findings_of("Mail of programs", ready.folder, with_network=False, **settings)

    assert await found() == []
    assert worst(await found(submission_port=0)).level is Level.BLOCKING
    chain, key = a_certificate(ready.folder, authority)
    given = {"submission_port": 0, "submission_certificate": chain, "submission_key": key}
    assert [one.level for one in await found(**given)] == [Level.FINE, Level.FINE, Level.WARNING]
    now = datetime.now(UTC)  # noqa: TID251 - the certificate's own time
    for ends, level in ((now + timedelta(days=3), Level.WARNING), (now - timedelta(days=1), Level.BLOCKING)):
        a_certificate(ready.folder, authority, not_before=now - timedelta(days=9), not_after=ends)
        told = await found(**given)
        assert told[0].level is level
        assert "certificate" in told[0].what
