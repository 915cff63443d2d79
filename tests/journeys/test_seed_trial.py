"""A test through the real path: Postfix takes it, rspamd judges, the seed's server says what passed."""

import shutil
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from models.clock import SystemClock
from models.errors import ConflictError
from models.preflight import LintLevel
from models.seed import SeedMailbox
from models.signing import DkimAlgorithm
from models.states import Channel
from scheduler.preflight import LintFinding, Means, StandsInTheWayError, require_clear
from scheduler.preflight.findings import from_rows
from scheduler.preflight.seeds import Waiting, try_seeds
from sender import SmtpOptions, SmtpServer, SmtpTransport
from sender.dkim import dns_record
from sender.smtp import Tls
from store import Database, deliveries, preflights, seeds
from store.identities import find_identity, keys_of
from tests.factories import KEYRING, a_campaign, a_contact, an_identity
from tests.servers.filtering import MailProvider

pytestmark = pytest.mark.journey
MEANS = Means(KEYRING, SystemClock(), "https://tocsin.exemple.fr")


@pytest.fixture
async def database(tmp_path: Path, migrated_sqlite_file: Path) -> AsyncIterator[Database]:
    """One kind is enough: what is asked here is asked of mail servers."""
    file = tmp_path / "tocsin.db"
    shutil.copyfile(migrated_sqlite_file, file)
    made = Database(f"sqlite:///{file}")
    yield made
    await made.close()


@pytest.fixture
def trusted(mail_provider: MailProvider) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=mail_provider.ca_file)


@pytest.fixture
async def transport(mail_provider: MailProvider) -> AsyncIterator[SmtpTransport]:
    front = mail_provider.postfix
    made = SmtpTransport(
        SmtpOptions(
            relay=SmtpServer(front.host, front.port, Tls.STARTTLS, ca_file=mail_provider.ca_file),
            hello_name="mx.parti.fr",
        )
    )
    yield made
    await made.close()


async def prepare(database: Database, provider: MailProvider) -> int:
    """A campaign of a sender whose records are its own, and a seed."""
    async with database.write() as session:
        sender = await an_identity(session, algorithms=(DkimAlgorithm.RSA, DkimAlgorithm.ED25519))
        await a_contact(session)
        address = f"temoin@{provider.domain}"
        seed = SeedMailbox(
            address=address,
            provider="other",
            imap_host="localhost",
            imap_port=provider.imap_port,
            username=address,
            sealed_password=KEYRING.encrypt(provider.password),
        )
        await seeds.add_seed(session, seed)
        number = (await a_campaign(session, senders=[sender])).id
    await publish(provider, database, "parti.fr", honest=True)
    return number


async def prepare_stranger(database: Database) -> int:
    """A campaign of a sender whose records say that it is somebody else."""
    async with database.write() as session:
        sender = await an_identity(session, key="stranger", domain="stranger.fr")
        return (await a_campaign(session, senders=[sender])).id


async def publish(provider: MailProvider, database: Database, domain: str, *, honest: bool) -> None:
    names = provider.names
    async with database.read() as session:
        sender = await find_identity(session, "national")
        keys = await keys_of(session, sender.id) if sender is not None else []
    for key in keys:
        record = dns_record(
            selector=key.selector, domain=domain, algorithm=key.algorithm, public_base64=key.public_base64
        )
        own = record.value if honest else "v=DKIM1; k=rsa; p="
        names.publish_text(f"{key.selector}._domainkey.{domain}", own)
    for name in (domain, f"retour.{domain}"):
        names.publish_text(name, "v=spf1 ip4:127.0.0.1 -all" if honest else "v=spf1 ip4:192.0.2.1 -all")
        names.publish(name, "MX", f"10 mx.{domain}.")
    names.publish_text(f"_dmarc.{domain}", "v=DMARC1; p=none")
    names.publish(f"mx.{domain}", "A", "127.0.0.1")


async def trial_of(
    database: Database,
    campaign_id: int,
    transport: SmtpTransport,
    trusted: ssl.SSLContext,
    seconds: float = 40,
) -> list[LintFinding]:
    waiting = Waiting(timedelta(seconds=seconds), timedelta(seconds=0.3), None, trusted)
    return await try_seeds(
        database, campaign_id, MEANS, transports={Channel.EMAIL: transport}, waiting=waiting
    )


async def test_the_seed_s_own_server_says_whether_a_sender_is_believed(
    database: Database, mail_provider: MailProvider, transport: SmtpTransport, trusted: ssl.SSLContext
) -> None:
    number = await prepare(database, mail_provider)
    found = await trial_of(database, number, transport, trusted)
    assert [(one.level, one.code) for one in found] == [(LintLevel.FINE, "seeds.passed")]
    async with database.read() as session:
        kept = await preflights.find_preflight(session, number)
        # It belongs to no figure.
        assert await deliveries.first_of(session, number) is None
    assert kept is not None
    assert from_rows(kept.seeds) == found
    await require_clear(database, number, MEANS)

    # The usual authorities do not vouch for a server of the tests.
    found = await trial_of(database, number, transport, ssl.create_default_context(), seconds=0)
    assert [one.code for one in found] == ["seeds.unread"]

    await publish(mail_provider, database, "stranger.fr", honest=False)
    number = await prepare_stranger(database)
    found = await trial_of(database, number, transport, trusted)
    failed = {one.values["method"]: one.level for one in found if one.code == "seeds.failed"}
    assert failed == dict.fromkeys(("SPF", "DKIM", "DMARC"), LintLevel.BLOCK)
    with pytest.raises(StandsInTheWayError):
        await require_clear(database, number, MEANS)


async def test_without_a_way_out_that_is_said(database: Database) -> None:
    async with database.write() as session:
        number = (await a_campaign(session)).id
    with pytest.raises(ConflictError, match="sends no e-mail"):
        await try_seeds(database, number, MEANS, transports={})


async def test_without_seeds_that_is_said(database: Database) -> None:
    async with database.write() as session:
        number = (await a_campaign(session)).id
    nowhere = SmtpTransport(SmtpOptions(relay=SmtpServer("127.0.0.1", 9, Tls.NONE), hello_name="x"))
    found = await try_seeds(database, number, MEANS, transports={Channel.EMAIL: nowhere})
    await nowhere.close()
    assert [one.code for one in found] == ["seeds.none"]
