"""Bounces that Postfix itself writes, by each way in: what was said of whom, and who is written to no more.

Postfix takes every message, and then meets mail servers that do not know the person, have no room, take
no message of that size, cannot be found, or do not answer until it gives up.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from audience.imports import ImportOptions, import_contacts
from deliverability.suppression import is_suppressed
from models.delivery import Delivery
from models.event import Event
from models.states import BounceClass, Channel, EventKind
from scheduler import NewCampaign, create_campaign
from scheduler.campaigns import schedule
from service.assembly import Parts, assemble
from service.settings import GivenSettings
from store import Database
from tests.factories import SECRET, a_segment, a_template, an_identity
from tests.servers import free_port
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.postfix import Postfix, StartPostfix
from tests.servers.sink import Sink

pytestmark = pytest.mark.journey

GOOD = "lectrice@courrier-demo.fr"
UNKNOWN = "partie@courrier-demo.fr"
FULL = "pleine@courrier-demo.fr"
TOO_LARGE = "petite@etroit-demo.fr"
NOT_FOUND = "perdue@introuvable-demo.fr"
SILENT = "muette@en-panne-demo.fr"
PEOPLE = [GOOD, UNKNOWN, FULL, TOO_LARGE, NOT_FOUND, SILENT]
FILE = "Prénom;E-mail;Consentement e-mail;Date du consentement e-mail\n" + "".join(
    f"Zoé;{address};oui;12/01/2026\n" for address in PEOPLE
)
SECONDS = 60


@pytest.fixture
def relay(postfix: StartPostfix, sink: Sink) -> Callable[[str], Postfix]:
    """Starts the Postfix everything goes through; its bounces go by the transport given."""
    sink.refusals[UNKNOWN] = f"550 5.1.1 <{UNKNOWN}> User doesn't exist"
    sink.refusals[FULL] = f"552 5.2.2 <{FULL}> Quota exceeded (mailbox for user is full)"

    def start(bounces: str) -> Postfix:
        narrow = postfix(domains=["etroit-demo.fr"], settings={"message_size_limit": "600"})
        nobody = free_port()
        transports = {
            "etroit-demo.fr": f"smtp:[127.0.0.1]:{narrow.port}",
            "introuvable-demo.fr": "smtp:[mx.nulle-part.invalid]",
            "en-panne-demo.fr": f"smtp:[127.0.0.1]:{nobody}",
        }
        lines = ", ".join(f"{{ {domain} = {there} }}" for domain, there in transports.items())
        settings = {
            "default_transport": bounces,
            "relay_domains": " ".join(transports),
            "transport_maps": f"inline:{{ {lines} }}",
            "delay_warning_time": "2s",
            "maximal_queue_lifetime": "6s",
            "bounce_queue_lifetime": "1d",
        }
        return postfix(domains=["courrier-demo.fr"], lmtp_port=sink.lmtp_port, settings=settings)

    return start


def settings_for(folder: Path, database_url: str, relay: Postfix, **arrival: object) -> GivenSettings:
    return GivenSettings(
        data_dir=folder,
        database_url=SecretStr(database_url),
        secret_key=SecretStr(SECRET),
        bind_port=0,
        public_url="https://tocsin.exemple.fr",
        smtp_url=SecretStr(f"smtp+starttls://{relay.host}:{relay.port}"),
        smtp_ca_file=relay.ca_file,
        emails_per_second=200,
        provider_rates={"other": 200.0},
        dns_servers="off",
        log_level="error",
        **arrival,  # type: ignore[arg-type]
    )


async def send(parts: Parts, folder: Path) -> None:
    """One message to each of them, now."""
    file = folder / "personnes.csv"
    file.write_text(FILE, encoding="utf-8")
    result = await import_contacts(parts.database, file, ImportOptions(), parts.clock)
    assert result.rows_created == len(PEOPLE)
    now = parts.clock.now()
    async with parts.database.write() as session:
        wanted = NewCampaign(
            name="Rebonds",
            template_version_id=(await a_template(session)).id,
            include=[(await a_segment(session)).id],
            identity_ids=[(await an_identity(session)).id],
        )
        campaign = await create_campaign(session, wanted, now)
        await schedule(session, campaign.id, now.replace(tzinfo=None), "UTC", now)
    await parts.conductor.wake()


async def news(database: Database) -> dict[tuple[str, EventKind], Event]:
    """What came back, by address."""
    wanted = (
        select(Delivery.address, Event)
        .join(Event, Event.delivery_id == Delivery.id)  # type: ignore[arg-type]
        .where(Event.source == "dsn")
    )
    async with database.read() as session:
        return {(address, event.kind): event for address, event in (await session.exec(wanted)).all()}


async def all_news(database: Database, relay: Postfix) -> dict[tuple[str, EventKind], Event]:
    """The same, once everybody's bounce is here."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while True:
        found = await news(database)
        if {address for address, kind in found if kind is EventKind.BOUNCED} == set(PEOPLE) - {GOOD}:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"{sorted(found)}\n{relay.log}"
        await asyncio.sleep(0.2)


async def check(parts: Parts, relay: Postfix) -> None:
    """Each bounce says what it should, and only who is not there is suppressed."""
    found = await all_news(parts.database, relay)
    bounced = {address: event for (address, kind), event in found.items() if kind is EventKind.BOUNCED}
    classes = {address: event.bounce_class for address, event in bounced.items()}
    assert classes[UNKNOWN] is BounceClass.NO_SUCH_ADDRESS
    assert classes[FULL] is BounceClass.MAILBOX_FULL
    assert classes[TOO_LARGE] is BounceClass.SIZE_FORMAT
    assert (SILENT, EventKind.DEFERRED) in found, "first a warning, then the end"
    suppressed = set()
    async with parts.database.read() as session:
        for address in PEOPLE:
            if await is_suppressed(session, Channel.EMAIL, address, parts.clock.now()):
                suppressed.add(address)
    # Where no name server answers, a name that is not found may yet be.
    gone = {NOT_FOUND} if (bounced[NOT_FOUND].enhanced or "").startswith("5") else set()
    assert suppressed == {UNKNOWN} | gone


@pytest.mark.parametrize("way", ["smtp", "lmtp"])
async def test_bounces_reach_the_listener(
    migrated_url: str, tmp_path: Path, relay: Callable[[str], Postfix], way: str
) -> None:
    port = free_port()
    mta = relay(f"{way}:[127.0.0.1]:{port}" if way == "smtp" else f"lmtp:inet:127.0.0.1:{port}")
    arrival = {"inbound_port": port} if way == "smtp" else {"inbound_lmtp": f"127.0.0.1:{port}"}
    async with assemble(settings_for(tmp_path, migrated_url, mta, **arrival)) as parts:
        await send(parts, tmp_path)
        await check(parts, mta)


async def test_bounces_are_read_out_of_a_mailbox(
    migrated_url: str, tmp_path: Path, relay: Callable[[str], Postfix], dovecot: Dovecot
) -> None:
    mta = relay(f"lmtp:inet:127.0.0.1:{dovecot.lmtp_port}")
    url = f"imaps://{USER}:{PASSWORD.replace('/', '%2F').replace('@', '%40')}@localhost:{dovecot.imaps_port}"
    arrival = {
        "bounce_imap_url": SecretStr(url),
        "bounce_imap_ca_file": dovecot.ca_file,
        "bounce_imap_every": 5.0,
    }
    async with assemble(settings_for(tmp_path, migrated_url, mta, **arrival)) as parts:
        await send(parts, tmp_path)
        await check(parts, mta)
    with dovecot.sign_in() as client:
        assert set(client.search(["KEYWORD", "TocsinRecorded"])) == set(client.search())
