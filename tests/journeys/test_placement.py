"""Where a campaign lands at a real provider: Postfix takes it, rspamd judges, Dovecot files, seeds are read.

Nothing is arranged but what people publish about themselves: one sender's records are right, another's say
that it is somebody else. The service sends, reads the seeds by itself over IMAP with TLS, and its report is
held against what lies in the mailboxes.
"""

import asyncio
import shutil
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from imapclient import IMAPClient
from pydantic import SecretStr
from sqlmodel import col, select

from deliverability.report import campaign_report
from deliverability.report_values import CampaignReport, Counts
from models.event import Event
from models.identity import Identity
from models.seed import SeedMailbox
from models.signing import DkimAlgorithm
from models.states import CampaignState, EventKind
from models.template import TemplateVersion
from scheduler import ConductorOptions, NewCampaign, create_campaign
from scheduler.campaigns import schedule
from sender.dkim import dns_record
from service.assembly import Parts, assemble
from service.settings import GivenSettings
from store import Database, campaigns, seeds
from store.identities import keys_of
from tests.factories import KEYRING, SECRET, a_contact, a_segment, a_template, an_identity
from tests.servers.filtering import MailProvider

pytestmark = pytest.mark.journey

SEEDS = ("temoin.1", "temoin.2", "temoin.3")
PEOPLE = 4
# What every spam filter takes for spam, so that filters can be tried (the GTUBE of SpamAssassin).
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PATIENCE_SECONDS = 60


def _settings(folder: Path, provider: MailProvider) -> GivenSettings:
    return GivenSettings(
        data_dir=folder,
        database_url=SecretStr(f"sqlite:///{folder}/tocsin.db"),
        secret_key=SecretStr(SECRET),
        bind_port=0,
        public_url="https://tocsin.exemple.fr",
        smtp_url=SecretStr(f"smtp+starttls://{provider.postfix.host}:{provider.postfix.port}"),
        smtp_ca_file=provider.ca_file,
        hello_name="mx.parti.fr",
        emails_per_second=200,
        provider_rates={"other": 200.0},
        # Two campaigns within a minute, to the same people.
        frequency="off",
        dns_servers="off",
        log_level="error",
    )


async def _publish(provider: MailProvider, database: Database, sender: Identity, *, honest: bool) -> None:
    """The records of a sender: of its own key and server, or of somebody else's."""
    names, domain = provider.names, sender.dkim_domain or ""
    async with database.read() as session:
        keys = await keys_of(session, sender.id)
    for key in keys:
        record = dns_record(
            selector=key.selector, domain=domain, algorithm=key.algorithm, public_base64=key.public_base64
        )
        names.publish_text(
            f"{key.selector}._domainkey.{domain}", record.value if honest else "v=DKIM1; k=rsa; p="
        )
    policy = "ip4:127.0.0.1 -all" if honest else "ip4:192.0.2.1 -all"
    for name in (domain, f"retour.{domain}"):
        names.publish_text(name, f"v=spf1 {policy}")
        names.publish(name, "MX", f"10 mx.{domain}.")
    names.publish_text(f"_dmarc.{domain}", "v=DMARC1; p=reject")
    names.publish(f"mx.{domain}", "A", "127.0.0.1" if honest else "192.0.2.1")


async def _plan(parts: Parts, name: str, version: TemplateVersion, senders: list[Identity]) -> int:
    now = parts.clock.now()
    async with parts.database.write() as session:
        wanted = NewCampaign(
            name=name,
            template_version_id=version.id,
            include=[(await a_segment(session, name=name)).id],
            identity_ids=[sender.id for sender in senders],
        )
        campaign = await create_campaign(session, wanted, now)
        await schedule(session, campaign.id, now.replace(tzinfo=None), "UTC", now)
    await parts.conductor.wake()
    return campaign.id


async def _seeds(parts: Parts, provider: MailProvider) -> None:
    async with parts.database.write() as session:
        for name in SEEDS:
            address = f"{name}@{provider.domain}"
            await seeds.add_seed(
                session,
                SeedMailbox(
                    address=address,
                    provider="other",
                    imap_host="localhost",
                    imap_port=provider.imap_port,
                    username=address,
                    sealed_password=KEYRING.encrypt(provider.password),
                ),
            )


async def _report(
    parts: Parts, campaign_id: int, done: Callable[[Counts], bool], provider: MailProvider
) -> CampaignReport:
    """The report once it says what is waited for."""
    report = None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with parts.database.read() as session:
                    report = await campaign_report(session, campaign_id, parts.clock.now())
                    state = (await campaigns.get_campaign(session, campaign_id)).state
                if state is CampaignState.FINISHED and done(report.total.counts):
                    return report
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{report and report.total.counts}\n{provider.log}")


def _lies_in(provider: MailProvider, address: str, trusted: Path) -> dict[str, list[str]]:
    """Folder by folder, from whom the mails of a mailbox are: asked by another client than the service's."""
    context = ssl.create_default_context(cafile=trusted)
    with IMAPClient("localhost", provider.imap_port, ssl=True, ssl_context=context, timeout=10) as client:
        client.login(address, provider.password)
        found = {}
        for folder in ("INBOX", "Junk"):
            client.select_folder(folder, readonly=True)
            mails = client.fetch(client.search(), ["ENVELOPE", "FLAGS"])
            assert all(b"\\Seen" not in mail[b"FLAGS"] for mail in mails.values())
            found[folder] = sorted(mail[b"ENVELOPE"].from_[0].host.decode() for mail in mails.values())
        return found


def _quickly(options: ConductorOptions) -> ConductorOptions:
    return replace(options, poll_seeds_every=timedelta(milliseconds=500))


async def _furnish(parts: Parts, provider: MailProvider) -> tuple[list[Identity], list[TemplateVersion]]:
    """An honest sender and one that poses as somebody else, people, seeds; a letter and an awful one."""
    async with parts.database.write() as session:
        honest = await an_identity(session, algorithms=(DkimAlgorithm.RSA,))
        posing = await an_identity(session, key="autre", domain="autre.fr", algorithms=(DkimAlgorithm.RSA,))
        for number in range(PEOPLE):
            await a_contact(session, email=f"p{number}@{provider.domain}")
        letter = await a_template(session)
        awful = await a_template(session, subject="Gagnez", body=_with(GTUBE))
    await _publish(provider, parts.database, honest, honest=True)
    await _publish(provider, parts.database, posing, honest=False)
    await _seeds(parts, provider)
    return [honest, posing], [letter, awful]


async def _sightings(parts: Parts, campaign_id: int) -> list[Event]:
    found = (EventKind.PLACED_INBOX, EventKind.PLACED_SPAM)
    async with parts.database.read() as session:
        wanted = select(Event).where(Event.campaign_id == campaign_id, col(Event.kind).in_(found))
        return list((await session.exec(wanted)).all())


async def test_inbox_spam_and_refusal_are_what_a_real_provider_made_of_the_mail(
    migrated_sqlite_file: Path,
    tmp_path: Path,
    mail_provider: MailProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copyfile(migrated_sqlite_file, tmp_path / "tocsin.db")
    # The service trusts whom the machine trusts; here, that is the provider.
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_provider.ca_file))
    async with assemble(_settings(tmp_path, mail_provider), tune=_quickly) as parts:
        (honest, posing), (letter, awful) = await _furnish(parts, mail_provider)
        landed = await _plan(parts, "Deux expéditeurs", letter, [honest, posing])
        report = await _report(
            parts, landed, lambda counts: counts.placement.whole == 2 * len(SEEDS), mail_provider
        )
        refused = await _plan(parts, "Refusée", awful, [honest])
        refusal = await _report(
            parts, refused, lambda counts: counts.seeds_refused == len(SEEDS), mail_provider
        )
        sightings = await _sightings(parts, landed)

    by_sender = {row.identity_id: row.counts for row in report.by_identity}
    assert (by_sender[honest.id].seeds_inbox, by_sender[honest.id].seeds_spam) == (len(SEEDS), 0)
    assert (by_sender[posing.id].seeds_inbox, by_sender[posing.id].seeds_spam) == (0, len(SEEDS))
    # Seeds are in no other figure.
    assert (report.total.counts.deliveries, report.total.counts.accepted) == (PEOPLE, PEOPLE)
    assert (refusal.total.counts.refused, refusal.total.counts.seeds_refused) == (PEOPLE, len(SEEDS))
    assert refusal.total.counts.placement.whole == 0
    assert report.problems == refusal.problems == ()
    for event in sightings:
        _tells_what_the_server_thought(event, honest=event.identity_id == honest.id)
    # What the mailboxes hold says the same, and nobody opened anything.
    for name in SEEDS:
        address = f"{name}@{mail_provider.domain}"
        found = await asyncio.to_thread(_lies_in, mail_provider, address, mail_provider.ca_file)
        assert found == {"INBOX": ["parti.fr"], "Junk": ["autre.fr"]}


def _tells_what_the_server_thought(event: Event, *, honest: bool) -> None:
    told = event.details
    assert (told["spf"], told["dmarc"]) == (("pass", "pass") if honest else ("fail", "fail"))
    assert (told["dkim"] == "pass") is honest
    assert "x-spamd-result" in told
    assert 0 <= int(told["latency_seconds"]) < PATIENCE_SECONDS


def _with(text: str) -> str:
    return f"""<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {{{{ first_name }}}} {text}
<a href="{{{{ unsubscribe_url }}}}">Se désinscrire</a></mj-text></mj-column></mj-section></mj-body></mjml>"""
