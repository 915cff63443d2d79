"""The doctor: what is well, what is not, and what to do about it."""

import asyncio
import socket
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.clock import SystemClock
from models.election import ElectionDay
from models.identity import DkimKey
from models.states import Nature
from models.worker import Worker
from service.doctor import examine
from service.findings import Finding, Level
from service.secret_key import open_keyring
from service.settings import load_settings
from store import Database, mailboxes, workers
from store.mailboxes import Progress
from tests.clocks import START, ManualClock
from tests.servers.sink import Sink
from tests.service.conftest import Tocsin, Typed


async def findings_of(
    subject: str, folder: Path, *, with_network: bool = True, **settings: Any
) -> list[Finding]:
    loaded = load_settings(data_dir=folder / "tocsin-data", **settings).settings
    found = await examine(loaded, with_network=with_network)
    return [finding for finding in found if finding.subject == subject]


def worst(findings: list[Finding]) -> Finding:
    order = [Level.BLOCKING, Level.WARNING, Level.FINE]
    return min(findings, key=lambda finding: order.index(finding.level))


def test_a_new_installation_is_told_each_thing_to_do(tocsin: Tocsin, typed: Typed) -> None:
    ran = typed("doctor", "--quick")
    assert ran.code == 1
    assert ran.err == ""
    for advice in ("tocsin migrate", "TOCSIN_SMTP_URL", "TOCSIN_INBOUND_PORT"):
        assert advice in ran.out


def test_nothing_stands_in_the_way_once_all_is_done(ready: Tocsin, typed: Typed) -> None:
    typed.must("migrate")
    typed.must("identity", "add", "nat", "--name", "N", "--sms-sender", "NAT")
    relay = {"TOCSIN_SMTP_URL": "smtp://127.0.0.1:25", "TOCSIN_INBOUND_PORT": "0"}
    out = typed.must("doctor", "--quick", **relay, TOCSIN_PUBLIC_URL="https://news.example.org")
    assert "Nothing stands in the way of a campaign." in out
    alone = typed.must("doctor", "--quick", **relay)
    assert "links in messages open on this machine alone" in alone


async def test_a_relay_that_answers_is_shown_with_what_it_said(ready: Tocsin, sink: Sink) -> None:
    found = await findings_of("E-mail", ready.folder, smtp_url=f"smtp://127.0.0.1:{sink.smtp_port}")
    assert [finding.level for finding in found] == [Level.FINE]
    assert f"127.0.0.1:{sink.smtp_port}" in found[0].what


async def test_a_relay_that_is_not_there_blocks(ready: Tocsin) -> None:
    found = await findings_of("E-mail", ready.folder, smtp_url="smtp://127.0.0.1:9")
    assert worst(found).level is Level.BLOCKING
    assert worst(found).advice


@pytest.mark.timeout(30)  # without the doctor's own patience it would wait for ever
async def test_a_relay_that_says_nothing_is_given_up(ready: Tocsin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = await findings_of("E-mail", ready.folder, smtp_url=f"smtp://127.0.0.1:{port}")
    assert worst(found).level is Level.BLOCKING


async def test_a_password_in_the_open_is_warned_of(ready: Tocsin) -> None:
    url = "smtp://user:hunter2@relay.example"
    found = await findings_of("E-mail", ready.folder, with_network=False, smtp_url=url)
    assert worst(found).level is Level.WARNING
    assert "hunter2" not in worst(found).what


@pytest.mark.parametrize(
    ("public_url", "level"),
    [
        ("http://localhost:8025", Level.BLOCKING),
        ("http://news.example.org", Level.WARNING),
        ("https://news.example.org", Level.FINE),
    ],
)
async def test_links_that_lead_nowhere_block_real_campaigns(
    ready: Tocsin, public_url: str, level: Level
) -> None:
    found = await findings_of(
        "Web pages",
        ready.folder,
        with_network=False,
        smtp_url="smtps://relay.example",
        public_url=public_url,
        bind_port=0,
    )
    assert worst(found).level is level


async def test_half_a_twilio_account_blocks(ready: Tocsin) -> None:
    found = await findings_of("SMS", ready.folder, with_network=False, twilio_account_sid="AC" + "0" * 32)
    assert worst(found).level is Level.BLOCKING
    assert "TOCSIN_TWILIO_AUTH_TOKEN" in worst(found).advice


async def test_a_port_that_another_program_uses_blocks(ready: Tocsin) -> None:
    async def stranger(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(stranger, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await findings_of("Web pages", ready.folder, with_network=False, bind_port=port)
    assert worst(found).level is Level.BLOCKING
    assert "TOCSIN_BIND_PORT" in worst(found).advice


async def test_a_secret_key_that_others_can_read_is_warned_of(ready: Tocsin) -> None:
    key = ready.folder / "tocsin-data" / "secret.key"
    key.write_text("x" * 40)
    key.chmod(0o644)
    found = await findings_of("Settings", ready.folder, with_network=False)
    assert worst(found).level is Level.WARNING
    assert "chmod 600" in worst(found).advice


def test_keys_sealed_with_another_secret_block(ready: Tocsin, typed: Typed) -> None:
    typed.must("identity", "add", "nat", "--name", "N", "--email", "n@example.org")
    ran = typed("doctor", "--quick", TOCSIN_SECRET_KEY="another secret, as long as need be")
    assert ran.code == 1
    assert "sealed with another secret" in ran.out


async def test_a_key_that_cannot_sign_blocks(ready: Tocsin, typed: Typed) -> None:
    await asyncio.to_thread(typed.must, "identity", "add", "nat", "--name", "N", "--email", "n@example.org")
    settings = load_settings(data_dir=ready.folder / "tocsin-data").settings
    database = Database(settings.database_url.get_secret_value())
    async with database.write() as session:
        for key in (await session.exec(select(DkimKey))).all():
            key.sealed_private_pem = open_keyring(settings).encrypt("no key at all")
            session.add(key)
    await database.close()
    found = await findings_of("Senders", ready.folder, with_network=False)
    assert worst(found).level is Level.BLOCKING
    assert "cannot be read" in worst(found).what


async def test_it_says_who_sends(tmp_path: Path, database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)

    async def told() -> str:
        found = await findings_of("Workers", tmp_path, with_network=False, database_url=url)
        return " ".join(f"{finding.what} {finding.advice}" for finding in found)

    assert "No process sends at present: `tocsin serve`" in await told()
    now = SystemClock().now()
    async with database.write() as session:
        for letter, version, silent in (("a", "1", 0), ("b", "2", 1), ("c", "1", 60)):
            worker = Worker(id=letter * 12, host="tower", pid=1, version=version, started_at=now, seen_at=now)
            await workers.beat(session, worker, now - timedelta(seconds=silent))
    for sentence in ("2 processes send.", "1 fell silent", "of different versions"):
        assert sentence in await told()


async def test_figures_that_nobody_elsewhere_can_see_are_told() -> None:
    from service.examinations_of_running import watching
    from service.settings import GivenSettings

    (finding,) = await watching(GivenSettings(metrics_host="192.0.2.7", metrics_port=9100))
    assert (finding.level, "TOCSIN_METRICS_TOKEN" in finding.advice) == (Level.WARNING, True)


async def test_a_vote_that_nobody_entered_is_told(database: Database) -> None:
    from service.desk import Desk
    from service.examinations_of_running import votes
    from service.settings import GivenSettings

    desk = Desk(GivenSettings(), database, ManualClock())
    (finding,) = await votes(desk)
    assert (finding.level, "Élections municipales 2026, round 1" in finding.what) == (Level.WARNING, True)
    assert await votes(Desk(GivenSettings(nature=Nature.CIVIC), database, ManualClock())) == []
    async with database.write() as session:
        for day in (15, 22):
            session.add(ElectionDay(name="Municipales", day=date(2026, 3, day), created_at=START))
    (finding,) = await votes(desk)
    assert (finding.level, "Municipales, 2026-03-15" in finding.what) == (Level.FINE, True)
    later = ManualClock(START + timedelta(days=60))
    (finding,) = await votes(Desk(GivenSettings(), database, later))
    assert (finding.level, "none is known" in finding.what) == (Level.FINE, True)


SQLITE = {
    "The triggers that count": ("DROP TRIGGER tally_delivery_update",),
    "The trigger that forgets": (
        "DROP TRIGGER contact_takes_along",
        "CREATE TRIGGER contact_takes_along AFTER DELETE ON contact BEGIN SELECT 1; END",
    ),
}
POSTGRESQL = {
    "The triggers that count": ("ALTER TABLE delivery DISABLE TRIGGER tally_delivery_update",),
    "The trigger that forgets": ("ALTER TABLE contact DISABLE TRIGGER contact_takes_along",),
}


@pytest.mark.parametrize("told", list(SQLITE))
async def test_triggers_that_are_missing_are_told_and_mended_by_migrating(
    database: Database, told: str
) -> None:
    from service.desk import Desk
    from service.examinations_of_running import triggers
    from service.settings import GivenSettings

    desk = Desk(GivenSettings(), database, SystemClock())
    assert [finding.level for finding in await triggers(desk)] == [Level.FINE]
    async with database.write() as session:
        for statement in (SQLITE if database.is_sqlite else POSTGRESQL)[told]:
            await (await session.connection()).exec_driver_sql(statement)
    (finding,) = await triggers(desk)
    assert finding.level is Level.BLOCKING
    assert finding.what.startswith(told)
    assert "tocsin migrate" in finding.advice
    await database.migrate()
    assert [finding.level for finding in await triggers(desk)] == [Level.FINE]


async def test_a_bounce_mailbox_is_told_of_without_its_password(ready: Tocsin) -> None:
    mailbox = {"bounce_imap_url": "imaps://rebonds:hunter2@imap.parti.example/INBOX", "inbound_port": None}
    (fresh,) = await findings_of("Bounce mailbox", ready.folder, with_network=False, **mailbox)
    assert (fresh.level, "not looked into yet" in fresh.what) == (Level.FINE, True)
    assert await findings_of("Bounces", ready.folder, with_network=False, **mailbox) == []
    database = Database(f"sqlite:///{ready.folder}/tocsin-data/tocsin.db")
    now = SystemClock().now()
    place = "rebonds@imap.parti.example:993/INBOX"
    async with database.write() as session:
        await mailboxes.advance(session, place, Progress(1, 12, recorded=7, left_alone=5), now)
        await mailboxes.note_check(session, place, at=now, problem="")
    (well,) = await findings_of("Bounce mailbox", ready.folder, with_network=False, **mailbox)
    assert "7 mails brought news, 5 were left alone" in well.what
    async with database.write() as session:
        await mailboxes.note_check(session, place, at=now, problem="Nothing answers there.")
    (away,) = await findings_of("Bounce mailbox", ready.folder, with_network=False, **mailbox)
    assert (away.level, "Nothing answers" in away.what) == (Level.WARNING, True)
    assert "hunter2" not in fresh.what + well.what + away.what
    await database.close()


async def test_lmtp_is_a_way_in(ready: Tocsin) -> None:
    (told,) = await findings_of("Bounces", ready.folder, with_network=False, inbound_lmtp="127.0.0.1:2424")
    assert (told.level, "LMTP at 127.0.0.1:2424" in told.what) == (Level.FINE, True)
