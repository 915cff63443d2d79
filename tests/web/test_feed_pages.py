"""Reports of receivers and figures of providers on pages: who sends in our name, and the traps."""

import gzip
from datetime import date, timedelta

import pytest

from deliverability.feeds.filing import file_reports
from deliverability.feeds.reading import read_reports
from models.access import Role
from models.declared import DeclaredFigure, DeclaredSource
from store import authentication, declared
from tests.clocks import START
from tests.deliverability.reports import (
    DKIM_FAILED,
    a_failure,
    a_record,
    a_tls_report,
    an_aggregate,
)
from tests.factories import an_identity
from tests.web.browsers import Browser, Site

DAY = 86_400
TODAY = START.date()
NOW = int(START.timestamp())
PAGE = "/deliverability/authentication"


def recent(*records: str, days: int = 2, **changes: object) -> bytes:
    begin = NOW - days * DAY
    return an_aggregate(*records, begin=begin, end=begin + DAY - 1, **changes)  # type: ignore[arg-type]


FORGED = a_record(
    "203.0.113.66", 1240, dkim="fail", spf="fail", signed="fail", sent="fail", disposition="reject"
)
SERVICE = a_record("198.51.100.7", 60, dkim="fail", spf="fail", signer="mail.sendgrid.net", sent="none")
FORWARDED = a_record(
    "198.51.100.9", 5, dkim="fail", spf="fail", signed="fail", sent="pass", reason="forwarded"
)


async def with_reports(site: Site, *raws: bytes) -> None:
    """Our identity, its domain and these reports."""
    async with site.database.write() as session:
        await an_identity(session, domain="parti.fr")
        for raw in raws:
            await file_reports(session, read_reports(raw, START).reports, START)


async def upload(browser: Browser, path: str, content: bytes, **fields: str) -> tuple[int, str]:
    sent = {"csrf": await browser.csrf(path), **fields}
    files = {"file": ("report.bin", content, "application/octet-stream")} if content else {}
    answer = await browser.client.post(path, data=sent, files=files)
    return answer.status_code, answer.text


async def test_without_reports_the_page_says_how_to_get_them(site: Site) -> None:
    await with_reports(site)
    browser = await site.signed_in(Role.READER)
    text = await browser.read(PAGE)
    assert "rua=mailto:dmarc@" in text
    assert "none yet" in text
    text = await browser.read(f"{PAGE}/parti.fr")
    assert "No report about this domain in this period." in text
    assert "_dmarc.parti.fr" in text


async def test_a_domain_nobody_knows_has_no_page(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    assert (await browser.get(f"{PAGE}/nobody.example")).status_code == 404


async def test_unknown_senders_are_told_in_plain_words_with_what_to_do(site: Site) -> None:
    own = a_record(count=500)
    await with_reports(site, recent(own, FORGED, SERVICE, FORWARDED))
    text = await (await site.signed_in(Role.READER)).read(f"{PAGE}/parti.fr")
    assert "Somebody else sends in your name: 1,240 mails from 203.0.113.66" in text
    assert "1,240 were kept out or put into spam." in text
    assert "SendGrid sends in your name and does not sign for you: 60 mails from 198.51.100.7" in text
    assert "from 198.51.100.9" not in text, "who passes our mail on is no stranger"
    assert "With p=none, forged mail is delivered all the same." in text


async def test_our_own_that_fail_are_told_apart_from_strangers(site: Site) -> None:
    broken = a_record("192.0.2.10", 100, dkim="fail", spf="pass", signed="fail")
    weak = a_record("192.0.2.10", 40, dkim="fail", spf="fail", signed="fail", sent="softfail")
    await with_reports(site, recent(broken, weak))
    text = await (await site.signed_in(Role.READER)).read(f"{PAGE}/parti.fr")
    assert "192.0.2.10: 40 of 140 did not pass." in text
    assert "The signature is missing or broken" in text
    assert "Somebody else sends" not in text


async def test_days_are_drawn_and_told_as_a_table(site: Site) -> None:
    raws = [recent(a_record(count=10 * day), FORGED, days=day, number=f"r-{day}") for day in (2, 3, 4)]
    await with_reports(site, *raws)
    text = await (await site.signed_in(Role.READER)).read(f"{PAGE}/parti.fr")
    assert 'aria-label="Mails that passed and that did not, day by day"' in text
    assert text.count('<td class="number">1,240</td>') >= 3


async def test_encryption_and_failures_are_shown_and_people_only_to_those_who_write_to_them(
    site: Site,
) -> None:
    tls = a_tls_report().replace(b"2026-11-30", (START - timedelta(days=1)).date().isoformat().encode())
    arrived = (START - timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    await with_reports(site, tls, a_failure(fields=DKIM_FAILED, arrived=arrived))
    text = await (await site.signed_in(Role.EDITOR)).read(f"{PAGE}/parti.fr")
    assert "certificate-expired (3)" in text
    assert "camille@mailbox.example" in text
    assert "Votez" in text
    text = await (await site.signed_in(Role.READER)).read(f"{PAGE}/parti.fr")
    assert "203.0.113.66" in text
    assert "camille@mailbox.example" not in text
    assert "Votez" not in text


async def test_a_report_uploaded_twice_counts_once(site: Site) -> None:
    await with_reports(site)
    browser = await site.signed_in(Role.EDITOR)
    raw = gzip.compress(recent(a_record(count=7)))
    status, text = await upload(browser, PAGE, raw)
    assert status == 200
    assert "1 new report." in text
    _, text = await upload(browser, PAGE, raw)
    assert "1 was known already." in text
    async with site.database.read() as session:
        (found,) = await authentication.domains(session, START - timedelta(days=9))
    assert (found.domain, found.messages, found.passed) == ("parti.fr", 7, 7)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Choose a file."),
        (b"hello", "This is no report"),
        (b"\x1f\x8b\x08 so", "The compressed file is broken"),
    ],
)
async def test_a_file_that_is_no_report_is_refused_in_one_line(site: Site, content: bytes, said: str) -> None:
    status, text = await upload(await site.signed_in(Role.EDITOR), PAGE, content)
    assert status == 400
    assert said in text


async def test_problems_are_told_in_french(site: Site) -> None:
    await with_reports(site, recent(FORGED))
    browser = await site.signed_in(Role.EDITOR)
    await browser.send_form("/language", {"language": "fr"}, page="/account")
    _, text = await upload(browser, PAGE, b"hello")
    assert "Ce n’est pas un rapport" in text
    assert "Quelqu’un d’autre écrit en votre nom" in await browser.read(f"{PAGE}/parti.fr")


def a_figure(metric: str, value: float | None, words: str = "", *, day: date = TODAY) -> DeclaredFigure:
    return DeclaredFigure(
        source=DeclaredSource.GMAIL_POSTMASTER,
        subject="parti.fr",
        provider="gmail",
        metric=metric,
        day=day,
        value=value,
        words=words,
        imported_at=START,
    )


async def test_each_source_is_shown_with_its_trap_and_how_it_was_asked(site: Site) -> None:
    async with site.database.write() as session:
        older = a_figure("spam_rate", 0.004, day=START.date() - timedelta(days=1))
        news = [a_figure("spam_rate", 0.0012), older, a_figure("compliance_spf", None, "needs_work")]
        await declared.put(session, news)
        await declared.note_feed(
            session,
            DeclaredSource.GMAIL_POSTMASTER,
            at=START,
            has_news=True,
            problem="Postmaster Tools answers 418.",
        )
    text = await (await site.signed_in(Role.READER)).read("/deliverability/declared")
    assert "when everything is in spam, the rate looks perfect" in text
    assert "0.12%" in text
    assert "asked of senders: spf" in text
    assert "not fulfilled" in text
    assert "Postmaster Tools answers 418." in text
    assert "TOCSIN_SNDS_URL" in text, "a source without figures says how to get them"
    assert "Take in a file" not in text, "readers take nothing in"


async def test_a_table_uploaded_twice_lets_the_newer_figures_stand(site: Site) -> None:
    browser = await site.signed_in(Role.EDITOR)
    day = START.date().isoformat()
    for rate, new in (("0.1%", 1), ("0.3%", 0)):
        raw = f"date,domain,spam rate\n{day},parti.fr,{rate}\n".encode()
        status, text = await upload(browser, "/deliverability/declared", raw, source="gmail_postmaster")
        assert status == 200
        assert f"1 figure read, {new} of them new." in text
    assert "0.30%" in text
    status, text = await upload(browser, "/deliverability/declared", b"hello", source="microsoft_snds")
    assert status == 400
    assert "This is no SNDS file" in text
