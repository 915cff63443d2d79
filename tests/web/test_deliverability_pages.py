"""Verdicts on pages: every code has its sentence, and what nobody knows is said to be unknown."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import col, select

from deliverability.assessment.advice import STEPS as CALLED_FOR
from deliverability.assessment.facts import ClickReason
from deliverability.assessment.values import Basis, Status, Word
from models.access import Role
from models.declared import DeclaredSource
from models.delivery import Delivery
from models.event import event_about
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.states import EventKind
from scheduler.incidents import close_incident, open_incident
from store import events
from store.tally_fold import advance
from tests.factories import a_campaign, a_contact, a_seed, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.web.browsers import Browser, Site
from web import assessment_words as words

SEEDS = 6


async def a_sent_campaign(site: Site, *kinds: EventKind) -> int:
    """Forty people and six seeds at one provider; the seeds were found as `kinds` say."""
    async with site.database.write() as session:
        for number in range(40):
            await a_contact(session, email=f"p{number}@orange.fr")
        for number in range(SEEDS):
            await a_seed(session, address=f"graine{number}@orange.fr", provider="orange")
        campaign = await a_campaign(session, senders=[await an_identity(session)])
    await launched(site.database, campaign.id)
    dispatcher = a_dispatcher(site.database, ScriptedTransport(), site.clock)
    await drain_all(site.database, dispatcher, site.clock.now())
    await dispatcher.close()
    async with site.database.write() as session:
        wanted = select(Delivery).where(col(Delivery.seed_id).is_not(None)).order_by(col(Delivery.id))
        for row, kind in zip((await session.exec(wanted)).all(), kinds, strict=False):
            now = site.clock.now()
            news = event_about(row, kind, source="seed", source_id=f"{row.id}:{kind}", at=now, now=now)
            await events.append(session, news)
    return campaign.id


@pytest.mark.parametrize(
    ("path", "spam", "word"),
    [
        ("/campaigns/1/report", 0, "6 of 6 seeds were found in the inbox."),
        ("/campaigns/1/report", 5, "5 of 6 seeds were found in spam."),
        ("/deliverability/identities/1", 5, "5 of 6 seeds were found in spam."),
        ("/deliverability", 5, "Orange: spam."),
    ],
)
async def test_the_pages_say_where_the_seeds_were_found(site: Site, path: str, spam: int, word: str) -> None:
    await a_sent_campaign(site, *[EventKind.PLACED_SPAM] * spam, *[EventKind.PLACED_INBOX] * (6 - spam))
    browser = await site.signed_in(Role.READER)
    assert word in await browser.read(path)


async def test_without_seeds_the_report_says_that_nobody_knows(site: Site) -> None:
    async with site.database.write() as session:
        await a_contact(session, email="p@orange.fr")
        campaign = await a_campaign(session)
    await launched(site.database, campaign.id)
    dispatcher = a_dispatcher(site.database, ScriptedTransport(), site.clock)
    await drain_all(site.database, dispatcher, site.clock.now())
    await dispatcher.close()
    page = await (await site.signed_in(Role.READER)).read(f"/campaigns/{campaign.id}/report")
    assert "neither good nor bad can be said" in page
    assert "where this list’s mail lands is unknown" in page


async def test_seeds_that_are_awaited_are_not_told_as_none(site: Site) -> None:
    await a_sent_campaign(site)
    browser = await site.signed_in(Role.READER)
    page = await browser.read("/campaigns/1/report")
    assert "No seed was found yet" in page
    assert "Add seed mailboxes" not in page
    assert "The seeds are not found yet" in await browser.read("/deliverability")


async def test_where_nobody_looked_is_not_told_as_nothing_to_see(site: Site) -> None:
    async with site.database.write() as session:
        await a_contact(session, email="p@gmail.com")
    await a_sent_campaign(site, *[EventKind.PLACED_SPAM] * 5, EventKind.PLACED_INBOX)
    page = await (await site.signed_in(Role.READER)).read("/campaigns/1/report")
    assert "Orange: spam; elsewhere it is not known." in page


async def test_the_study_counts_mailings_and_those_that_met_spam(site: Site) -> None:
    await a_sent_campaign(site, EventKind.PLACED_SPAM, *[EventKind.PLACED_INBOX] * 5)
    site.clock.advance(timedelta(hours=1))
    await advance(site.database)
    browser = await site.signed_in(Role.READER)
    page = await browser.read("/deliverability/study")
    assert "1 of 1, not assessable" in page
    answer = await browser.get("/deliverability/study.csv")
    rows = answer.text.lstrip("\ufeff").splitlines()
    assert rows[0].startswith("identity,identities,mailings,messages")
    assert len(rows) == 3
    assert ",1,1,1.0000," in rows[1]


async def test_an_identity_can_be_taken_away_as_files(site: Site) -> None:
    await a_sent_campaign(site, *[EventKind.PLACED_SPAM] * 5, EventKind.PLACED_INBOX)
    site.clock.advance(timedelta(hours=1))
    browser = await site.signed_in(Role.READER)
    base = "/deliverability/identities/1/report"
    found = json.loads((await browser.get(f"{base}.json")).text)
    (lane,) = found["assessment"]["lanes"]
    assert (lane["provider"], lane["verdict"], lane["seeds"]["spam"]) == ("orange", "spam", 5)
    rows = list(csv.DictReader(io.StringIO((await browser.get(f"{base}.csv")).text.lstrip("\ufeff"))))
    assert [(row["provider"], row["verdict"], row["seeds_spam"]) for row in rows] == [("Orange", "spam", "5")]
    answer = await browser.get(f"{base}.pdf")
    assert answer.content.startswith(b"%PDF-")
    whole = csv.DictReader(io.StringIO((await browser.get("/campaigns/1/report.csv")).text.lstrip("\ufeff")))
    told = {(row["identity"] != "", row["provider"]): (row["status"], row["verdict"]) for row in whole}
    assert told[False, ""] == ("red", "")
    assert told[False, "Orange"] == told[True, "Orange"] == ("red", "spam")
    report = json.loads((await browser.get("/campaigns/1/report.json")).text)
    assert report["assessment"]["lanes"][0]["verdict"] == "spam"


async def test_periods_without_mail_say_so(site: Site) -> None:
    async with site.database.write() as session:
        await an_identity(session)
    browser = await site.signed_in(Role.READER)
    for path in ("/deliverability", "/deliverability/identities/1", "/deliverability/study"):
        assert "Nothing was sent in this period." in await browser.read(path), path


async def test_incidents_stand_on_the_report_and_on_the_senders_page(site: Site) -> None:
    campaign_id = await a_sent_campaign(site)
    async with site.database.write() as session:
        await open_incident(
            session,
            IncidentKind.COMPLAINTS,
            IncidentLevel.RED,
            now=site.clock.now(),
            identity_id=1,
            provider="orange",
            campaign_id=campaign_id,
            part=9,
            whole=900,
            deed=IncidentDeed.PAUSED,
        )
    browser = await site.signed_in(Role.READER)
    for path in (f"/campaigns/{campaign_id}/report", "/deliverability/identities/1", "/deliverability"):
        page = await browser.read(path)
        assert "Many complaints" in page, path
        assert 'href="/incidents/1"' in page, path


async def test_french_readers_get_french_verdicts(site: Site) -> None:
    await a_sent_campaign(site, *[EventKind.PLACED_SPAM] * 6)
    browser: Browser = await site.signed_in(Role.READER)
    await browser.send_form("/language", {"language": "fr"}, page="/deliverability")
    page = await browser.read("/campaigns/1/report")
    assert "6 témoins sur 6 trouvés dans les indésirables." in page
    assert "indésirables</span>" in page


def codes() -> Iterator[str]:
    """Every reason that calls for something, and those that call for nothing."""
    yield from CALLED_FOR
    yield from ("seeds_inbox", "nothing_sent", "clicks_as_usual")


def test_every_code_has_its_words() -> None:
    assert set(codes()) <= set(words.REASONS)
    assert {step for steps in CALLED_FOR.values() for step in steps} <= set(words.STEPS)
    for kind, named in (
        (Status, words.STATUSES),
        (Word, words.WORDS),
        (Basis, words.BASES),
        (DeclaredSource, words.SOURCES),
        (ClickReason, words.CLICK_GAPS),
    ):
        assert set(kind) == set(named), kind


async def test_what_was_done_at_the_terminal_is_told_in_the_reader_s_language(site: Site) -> None:
    async with site.database.write() as session:
        campaign = await a_campaign(session, senders=[await an_identity(session)])
        now, red = site.clock.now(), IncidentLevel.RED
        await open_incident(
            session,
            IncidentKind.BLOCKED,
            red,
            now=now,
            identity_id=1,
            provider="orange",
            campaign_id=campaign.id,
        )
        await close_incident(session, 1, by="the command line", now=now)
    browser = await site.signed_in(Role.READER)
    assert "the command line" in await browser.read("/incidents/1")
    answer = await browser.send_form("/language", {"language": "fr"}, page="/incidents/1")
    assert answer.status_code == 303
    page = await browser.read("/incidents/1")
    assert "la ligne de commande" in page
    assert "command line" not in page
