"""A world whose providers folder by rule: campaign sent, seeds read, people clicking only on what they see.

The rule is known here and nowhere in the service. Campaigns before it stand as counters; this one is sent,
message by message, through the sandbox's mail exchangers, and its seeds are read over IMAP.
"""

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from deliverability.assessing import assess_campaign
from deliverability.assessment.values import Basis, Status, Word
from deliverability.assessment.whole import CampaignAssessment
from deliverability.placement import poll_seeds
from models.identity import Identity
from models.seed import SeedMailbox
from models.states import CampaignState
from sandbox import World, WorldOptions
from scheduler import ConductorOptions, NewCampaign, create_campaign
from scheduler.campaigns import schedule
from service.assembly import MACHINE_SPAN, Parts, assemble
from service.settings import GivenSettings
from store import campaigns, seeds
from store.tally_fold import advance
from tests.deliverability.sent_campaigns import a_sent_campaign
from tests.factories import KEYRING, SECRET, a_contact, a_segment, a_template, an_identity

pytestmark = pytest.mark.journey

TRUTH = {"gmail": 1.0, "orange": 0.1, "free": 0.0, "laposte": 1.0}
"""Share of each provider's mail that is seen in the inbox."""
PEOPLE = {"gmail.com": 330, "orange.fr": 330, "free.fr": 60, "laposte.net": 310}
"""By domain; a fifth of them click when they see a mail."""
USUAL = {"gmail": (3000, 600), "orange": (3000, 600), "free": (600, 120), "laposte": (3000, 600)}
WITH_SEEDS = ("gmail", "orange", "free")
SEEDS_EACH = 10
PATIENCE_SECONDS = 60
SPEED = 100.0
HOURS_LATER = timedelta(hours=7)


def _settings(folder: Path, world: World) -> GivenSettings:
    return GivenSettings(
        data_dir=folder,
        database_url=SecretStr(f"sqlite:///{folder}/tocsin.db"),
        secret_key=SecretStr(SECRET),
        bind_port=0,
        smtp_routes={
            provider: SecretStr(f"smtp://{host}:{port}")
            for provider, (host, port) in world.smtp_routes.items()
        },
        inbound_port=0,
        emails_per_second=1000,
        provider_rates=dict.fromkeys((*TRUTH, "other"), 1000.0),
        frequency="off",
        dns_servers="off",
        log_level="error",
    )


async def _set_out(parts: Parts, world: World) -> tuple[Identity, int]:
    """People, seeds, six campaigns of the past, and one that is about to leave."""
    now = parts.clock.now()
    async with parts.database.write() as session:
        sender = await an_identity(session)
        for domain, number in PEOPLE.items():
            for each in range(number):
                word = "ordinaire" if each % 5 else "clic"
                await a_contact(session, email=f"p{each}.{word}@{domain}")
        for account in world.seed_accounts:
            if account.provider in WITH_SEEDS:
                host, port = world.imap
                seed = SeedMailbox(
                    address=account.address,
                    provider=account.provider,
                    imap_host=host,
                    imap_port=port,
                    tls=False,
                    username=account.username,
                    sealed_password=KEYRING.encrypt(account.password),
                )
                await seeds.add_seed(session, seed)
        for days in range(1, 7):
            await a_sent_campaign(session, sender, USUAL, launched_at=now - timedelta(days=days))
        wanted = NewCampaign(
            name="La vérité connue",
            template_version_id=(await a_template(session)).id,
            include=[(await a_segment(session)).id],
            identity_ids=[sender.id],
        )
        campaign = await create_campaign(session, wanted, now)
        await schedule(session, campaign.id, now.replace(tzinfo=None), "UTC", now)
    await parts.conductor.wake()
    return sender, campaign.id


async def _assess(parts: Parts, world: World, campaign_id: int) -> CampaignAssessment:
    """Once it has been sent, its seeds were read and people have clicked; some hours later."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with parts.database.read() as session:
                state = (await campaigns.get_campaign(session, campaign_id)).state
            if state is CampaignState.FINISHED:
                break
            await asyncio.sleep(0.1)
        await world.settle(PATIENCE_SECONDS)
    await poll_seeds(parts.database, parts.keyring, parts.clock)
    await advance(parts.database)
    async with parts.database.read() as session:
        return await assess_campaign(session, campaign_id, parts.clock.now() + HOURS_LATER)


def _quickly(options: ConductorOptions) -> ConductorOptions:
    return replace(options, sweep_every=timedelta(seconds=0.25))


async def test_verdicts_are_what_the_providers_rules_make_true(
    migrated_sqlite_file: Path, tmp_path: Path
) -> None:
    shutil.copyfile(migrated_sqlite_file, tmp_path / "tocsin.db")
    options = WorldOptions(
        inbox_shares=TRUTH, seeds_per_provider=SEEDS_EACH, speed=SPEED, easygoing=True, seed=5
    )
    async with (
        World(options) as world,
        assemble(_settings(tmp_path, world), tune=_quickly, machine_span=MACHINE_SPAN / SPEED) as parts,
    ):
        world.point_at(inbound=("127.0.0.1", parts.inbound_port or 0), web_base=parts.settings.public_url)
        sender, campaign_id = await _set_out(parts, world)
        found = await _assess(parts, world, campaign_id)
        tally = world.tally()
    lanes = {lane.provider: lane for lane in found.lanes}
    assert set(lanes) == set(TRUTH)
    verdicts = {name: (lane.assessment.status, lane.assessment.word) for name, lane in lanes.items()}
    assert verdicts == {
        "gmail": (Status.GREEN, Word.INBOX),
        "orange": (Status.RED, Word.SPAM),
        "free": (Status.RED, Word.SPAM),
        # No seed there, and people click as ever: nothing is known, and nothing is made up.
        "laposte": (Status.GREY, Word.NOT_TESTED),
    }
    for name in WITH_SEEDS:
        figure = lanes[name].assessment.figure("inbox")
        assert figure is not None
        assert (figure.whole, figure.basis) == (SEEDS_EACH, Basis.MEASURED)
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= TRUTH[name] <= figure.high
        assert figure.part == tally.providers[name].seeds["inbox"]
    # What people did says the same of Orange, by itself; at Free too few got it to tell, and three hundred
    # are too few to conclude anything from their not complaining.
    orange = lanes["orange"]
    assert [reason.code for reason in orange.assessment.reasons][:2] == [
        "seeds_mostly_spam",
        "clicks_collapsed",
    ]
    assert orange.facts.clicks is not None
    assert orange.facts.clicks.collapsed
    assert [name for name, lane in lanes.items() if lane.facts.clicks and lane.facts.clicks.collapsed] == [
        "orange"
    ]
    assert found.lane(sender.id, "orange") is orange
    _the_list_holds_the_truth(found)


def _the_list_holds_the_truth(found: CampaignAssessment) -> None:
    """La Poste's part of it is unknown."""
    people = sum(PEOPLE.values())
    weights = dict(zip(TRUTH, PEOPLE.values(), strict=True))
    truth = sum(TRUTH[name] * weight for name, weight in weights.items()) / people
    assert found.estimate.low <= truth <= found.estimate.high
    assert found.estimate.unknown_share == pytest.approx(weights["laposte"] / people)
    assert found.status is Status.RED
