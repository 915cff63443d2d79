"""A campaign through a real Postfix, on both databases: counted where the mail ends.

Postfix is the relay (STARTTLS, its own certificate), refuses unknown users at RCPT, hands the rest to a
mailbox store, and writes the bounces itself for what that store does not take.
"""

import asyncio
from email import policy
from email.parser import BytesParser
from html import unescape
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from audience.imports import ImportOptions, import_contacts
from deliverability.report import campaign_report
from deliverability.report_values import CampaignReport
from models.identity import DkimKey, Identity
from models.signing import DkimAlgorithm
from models.states import CampaignState
from models.suppression import Suppression
from scheduler import NewCampaign, create_campaign
from scheduler.campaigns import schedule
from sender.dkim import dns_record
from service.assembly import Parts, assemble
from service.settings import GivenSettings
from store import Database, campaigns
from store.identities import keys_of
from tests.factories import SECRET, a_segment, a_template, an_identity
from tests.servers import free_port
from tests.servers.perl_dkim import PerlDkim
from tests.servers.postfix import Postfix, StartPostfix
from tests.servers.sink import Sink

pytestmark = pytest.mark.journey

GOOD = [f"lectrice.{number:02}@courrier-demo.fr" for number in range(40)]
UNKNOWN = ["partie@courrier-demo.fr", "jamais.venue@courrier-demo.fr"]
FULL = "pleine@courrier-demo.fr"
PEOPLE = "Prénom;E-mail;Consentement e-mail;Date du consentement e-mail\n" + "".join(
    f"Zoé;{address};oui;12/01/2026\n" for address in [*GOOD, *UNKNOWN, FULL]
)


async def _set_up(database: Database, parts: Parts, folder: Path) -> tuple[int, Identity]:
    """People from a file, an identity with both keys, a template; a campaign to everybody, now."""
    file = folder / "personnes.csv"
    file.write_text(PEOPLE, encoding="cp1252")
    result = await import_contacts(database, file, ImportOptions(), parts.clock)
    assert (result.rows_created, result.rows_rejected) == (43, 0)
    now = parts.clock.now()
    async with database.write() as session:
        sender = await an_identity(session, algorithms=(DkimAlgorithm.RSA, DkimAlgorithm.ED25519))
        wanted = NewCampaign(
            name="Par Postfix",
            template_version_id=(await a_template(session)).id,
            include=[(await a_segment(session)).id],
            identity_ids=[sender.id],
        )
        campaign = await create_campaign(session, wanted, now)
        await schedule(session, campaign.id, now.replace(tzinfo=None), "UTC", now)
    await parts.conductor.wake()
    return campaign.id, sender


async def _finished(database: Database, campaign_id: int) -> None:
    async with asyncio.timeout(60):
        while True:
            async with database.read() as session:
                if (await campaigns.get_campaign(session, campaign_id)).state is CampaignState.FINISHED:
                    return
            await asyncio.sleep(0.1)


async def _report_with_bounces(
    database: Database, parts: Parts, campaign_id: int, bounces: int
) -> CampaignReport:
    async with asyncio.timeout(60):
        while True:
            async with database.read() as session:
                report = await campaign_report(session, campaign_id, parts.clock.now())
            if report.total.counts.bounced_hard + report.total.counts.bounced_soft >= bounces:
                return report
            await asyncio.sleep(0.1)


def _opinions(perl_dkim: PerlDkim, message: bytes, keys: list[DkimKey]) -> dict[str, str]:
    """What Mail::DKIM thinks of each signature, by selector."""
    records = {
        f"{key.selector}._domainkey.parti.fr": dns_record(
            selector=key.selector,
            domain="parti.fr",
            algorithm=key.algorithm,
            public_base64=key.public_base64,
        ).value
        for key in keys
    }
    return {opinion.selector: opinion.result for opinion in perl_dkim.verify(message, records)}


def _settings(folder: Path, database_url: str, relay: Postfix, inbound_port: int) -> GivenSettings:
    return GivenSettings(
        data_dir=folder,
        database_url=SecretStr(database_url),
        secret_key=SecretStr(SECRET),
        bind_port=0,
        public_url="https://tocsin.exemple.fr",
        smtp_url=SecretStr(f"smtp+starttls://{relay.host}:{relay.port}"),
        smtp_ca_file=relay.ca_file,
        inbound_port=inbound_port,
        emails_per_second=200,
        provider_rates={"other": 200.0},
        dns_servers="off",
        log_level="error",
    )


async def test_a_campaign_through_postfix_is_counted_alike_on_both_sides(
    migrated_url: str, tmp_path: Path, postfix: StartPostfix, sink: Sink, perl_dkim: PerlDkim
) -> None:
    inbound_port = free_port()
    relay = postfix(
        domains=["courrier-demo.fr"],
        recipients=[*GOOD, FULL],
        lmtp_port=sink.lmtp_port,
        bounce_port=inbound_port,
    )
    sink.refusals[FULL] = "552 5.2.2 <pleine@courrier-demo.fr> Mailbox full, quota exceeded"
    async with assemble(_settings(tmp_path, migrated_url, relay, inbound_port)) as parts:
        campaign_id, sender = await _set_up(parts.database, parts, tmp_path)
        await _finished(parts.database, campaign_id)
        mails = await sink.wait_for(len(GOOD))
        report = await _report_with_bounces(parts.database, parts, campaign_id, 1)
        async with parts.database.read() as session:
            keys = await keys_of(session, sender.id)
            suppressed = (await session.exec(select(Suppression))).all()

    # What the receiving side has: everybody once, nobody else.
    assert sorted(mail.recipients[0] for mail in mails) == GOOD
    # What we say of it.
    counts = report.total.counts
    assert report.problems == ()
    assert (counts.accepted, counts.refused, counts.bounced_soft) == (len(GOOD) + 1, len(UNKNOWN), 1)
    assert len(suppressed) == len(UNKNOWN)
    assert "TLS" in relay.log

    sample = mails[0].content
    assert _opinions(perl_dkim, sample, keys)["t-rsa"] == "pass"
    parsed = BytesParser(policy=policy.default).parsebytes(sample)
    assert parsed["Subject"] == "Bonjour Zoé"
    page = parsed.get_body(("html",))
    assert page is not None
    assert "Bonjour Zoé" in unescape(page.get_content())
