"""What comes back, on pages: the ways in, what led to nobody, one message's history with its evidence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deliverability.feedback import apply
from models.access import Role
from models.delivery import Delivery
from models.news import News, NewsState
from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from models.values import Cover, Reply, Signal, Verdict
from store import Database, incoming, mailboxes, news
from store.mailboxes import Progress
from store.news import Called
from tests.clocks import START
from tests.deliverability.rows import a_delivery
from tests.web.browsers import Browser, Site
from web import create_app

PLACE = "bounces@parti.example@imap.parti.example:993/INBOX"
GONE = Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, "words-no-such-user")
LETTER = b"Subject: Undelivered\r\n\r\n<script>alert(1)</script> 550 5.1.1 no such user\x1b[31m"


def listening(site: Site, **settings: object) -> None:
    """The same site, with ways in."""
    site.context = replace(site.context, **settings)  # type: ignore[arg-type]
    site.app = create_app(site.context)


async def a_bounce(database: Database, *, verdict: Verdict = GONE, raw: bytes = LETTER) -> Delivery:
    """A message that came back, with its original."""
    async with database.write() as session:
        delivery = await a_delivery(session)
        signal = Signal(
            kind=EventKind.BOUNCED,
            channel=Channel.EMAIL,
            source="dsn",
            source_id=f"bounce of {delivery.id}",
            at=START,
            delivery_id=delivery.id,
            reply=Reply(550, "5.1.1", "no such user here"),
            verdict=verdict,
            raw=raw,
        )
        await apply(session, signal, START)
    return delivery


async def reader(site: Site, role: Role = Role.READER) -> Browser:
    return await site.signed_in(role)


async def test_without_any_way_in_the_page_says_so_and_how_to_open_one(site: Site) -> None:
    text = await (await reader(site)).read("/incoming")
    assert "Nothing reaches us at present" in text
    assert f"{site.public_url}/hooks/sendgrid" in text
    assert "TOCSIN_HOOK_SENDGRID" in text
    assert "http://name:password@tocsin.test/hooks/brevo" in text
    assert "TOCSIN_BOUNCE_IMAP_URL" in text
    assert "TOCSIN_INBOUND_PORT" in text


async def test_each_webhook_is_told_with_when_it_was_heard_and_what_it_left_behind(site: Site) -> None:
    async with site.database.write() as session:
        await news.count(session, "sendgrid", Called(7, 0, 2, told_at=START, refused_at=START))
        await news.count(session, "mailgun", Called(0, 3, 0, refused_at=START))
        for number, state in enumerate((NewsState.WAITING, NewsState.UNMATCHED)):
            session.add(a_piece_of_news(number, state))
    listening(site, hook_secrets=dict.fromkeys(("sendgrid", "mailgun", "postal"), ("k",)))
    browser = await reader(site)
    text = await browser.read("/incoming")
    assert "Last heard of" in text
    assert "7 pieces of news" in text
    assert "1 waits for a message that is not known yet" in text
    assert "1 matched no message" in text
    assert "2 calls refused, too old or repeated" in text
    assert "3 calls refused, not signed by the provider" in text
    assert text.count("Calls, and is not believed") == 1
    assert text.count("Set up, nothing heard yet") == 1
    assert "Nothing reaches us" not in text
    unmatched = await browser.read("/incoming/unmatched")
    assert "SendGrid" in unmatched


def a_piece_of_news(number: int, state: NewsState) -> News:
    return News(
        source="sendgrid",
        source_id=f"{number}",
        kind=EventKind.BOUNCED,
        signal={},
        raw=b"",
        received_at=START,
        due_at=START,
        state=state,
    )


async def test_a_webhook_refused_since_it_was_last_heard_of_is_no_good_news(site: Site) -> None:
    later = START + timedelta(hours=1)
    async with site.database.write() as session:
        await news.count(session, "sendgrid", Called(7, 1, 0, told_at=START, refused_at=later))
        await news.count(session, "mailgun", Called(7, 1, 0, told_at=later, refused_at=START))
    listening(site, hook_secrets=dict.fromkeys(("sendgrid", "mailgun"), ("k",)))
    text = await (await reader(site)).read("/incoming")
    assert text.count("refused since") == 1
    assert text.count("Compare what stands in") == 1
    assert text.count("badge good") == 1


async def test_the_bounce_mailbox_is_told_with_what_stands_in_its_way(site: Site) -> None:
    listening(site, bounce_place=PLACE, listens=("LMTP /run/tocsin/lmtp",))
    browser = await reader(site)
    text = await browser.read("/incoming")
    assert "It was not looked into yet" in text
    assert "LMTP /run/tocsin/lmtp" in text
    async with site.database.write() as session:
        await mailboxes.advance(session, PLACE, Progress(1, 9, recorded=8, left_alone=3), START)
        await mailboxes.note_check(session, PLACE, at=START, problem="The password is wrong.")
    text = await browser.read("/incoming")
    assert "The password is wrong." in text
    assert "<dd>8</dd>" in text


async def test_mail_that_could_not_be_read_is_set_apart_and_told(site: Site) -> None:
    async with site.database.write() as session:
        await incoming.set_aside(session, b"?", Cover("smtp", None), problem="no end of parts", now=START)
    browser = await reader(site)
    text = await browser.read("/incoming")
    assert "1 mail that could not be read" in text
    assert "<dt>Led to nobody</dt><dd>0</dd>" in text
    text = await browser.read("/incoming/unmatched")
    assert "no end of parts" in text
    assert "/incoming/originals/" not in text, "a reader may not read it"
    original = await (await reader(site, Role.EDITOR)).read("/incoming/originals/1")
    assert "no end of parts" in original


async def test_a_bounce_is_told_with_whose_doing_it_was_and_its_evidence(site: Site) -> None:
    delivery = await a_bounce(site.database)
    browser = await reader(site, Role.EDITOR)
    for page in (f"/deliveries/{delivery.id}", f"/contacts/{delivery.contact_id}"):
        text = await browser.read(page)
        for words in (
            "There is no such mailbox, or no such domain.",
            "No such address · for good",
            "<dd>The address</dd>",
            "nobody of that name there",
            "550 5.1.1 no such user here",
            "words-no-such-user",
        ):
            assert words in text, f"{page}: {words}"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (
            Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.UNKNOWN, Permanence.HARD, "reason-userunknown"),
            "no status proves it",
        ),
        (Verdict(BounceClass.TRANSIENT, Fault.RELAY, Permanence.SOFT, "relay"), "Our own mail server could"),
        (Verdict(BounceClass.BLOCK, Fault.IDENTITY, Permanence.HARD, "block"), "refuses our server or our"),
        (
            Verdict(BounceClass.HELD_BACK, Fault.PROVIDER, Permanence.HARD, "x"),
            "own suppression list held it",
        ),
    ],
)
async def test_who_is_not_to_blame_is_not_blamed(site: Site, verdict: Verdict, words: str) -> None:
    delivery = await a_bounce(site.database, verdict=verdict)
    text = await (await reader(site)).read(f"/deliveries/{delivery.id}")
    assert words in text
    agrees = verdict.bounce_class is BounceClass.NO_SUCH_ADDRESS
    assert ("nobody of that name there" in text) is agrees, "the verdict decides, the reason explains"


async def test_the_original_is_for_editors_shown_as_text_and_kept_as_it_came(site: Site) -> None:
    delivery = await a_bounce(site.database)
    page = f"/contacts/{delivery.contact_id}"
    assert "/incoming/originals/" not in await (await reader(site)).read(page)
    browser = await reader(site, Role.EDITOR)
    assert "/incoming/originals/1" in await browser.read(page)
    text = await browser.read("/incoming/originals/1")
    assert "&lt;script&gt;alert(1)" in text
    assert "\x1b" not in text
    answer = await browser.get("/incoming/originals/1/file")
    assert answer.content == LETTER
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "attachment" in answer.headers["content-disposition"]


async def test_each_bounce_leads_to_its_own_original(site: Site) -> None:
    first = await a_bounce(site.database, raw=b"the first")
    site.clock.advance(timedelta(hours=1))
    async with site.database.write() as session:
        signal = Signal(
            kind=EventKind.BOUNCED,
            channel=Channel.EMAIL,
            source="dsn",
            source_id="another",
            at=START,
            delivery_id=first.id,
            reply=Reply(450, "4.2.2", "over quota"),
            raw=b"the second",
        )
        await apply(session, signal, site.clock.now())
    text = await (await reader(site, Role.EDITOR)).read(f"/deliveries/{first.id}")
    newest, oldest = text.index("/incoming/originals/2"), text.index("/incoming/originals/1")
    assert text.index("over quota") < newest < text.index("no such user here") < oldest


async def test_a_message_or_an_original_that_is_gone_is_said(site: Site) -> None:
    browser = await reader(site, Role.EDITOR)
    for path in ("/deliveries/99", "/incoming/originals/99", "/incoming/originals/99/file"):
        answer = await browser.get(path)
        assert answer.status_code == 404
        assert "Nothing here" in answer.text


async def test_the_report_tells_what_came_back_by_sender_and_provider_and_what_to_do(site: Site) -> None:
    block = Verdict(BounceClass.BLOCK, Fault.IDENTITY, Permanence.HARD, "block")
    delivery = await a_bounce(site.database, verdict=block)
    async with site.database.write() as session:
        complaint = Signal(
            kind=EventKind.COMPLAINED,
            channel=Channel.EMAIL,
            source="arf",
            source_id="c",
            at=START,
            delivery_id=delivery.id,
        )
        await apply(session, complaint, START)
    text = await (await reader(site)).read(f"/campaigns/{delivery.campaign_id}/report")
    assert "Blocked by the provider" in text
    assert "Pause what goes to this provider." in text
    assert "<td>Us, the sender</td><td>for good</td>" in text
    assert "1 complaint" in text
    assert "From one in a thousand on" in text
    # Each figure carries its heading, for screens that show one under the other.
    assert '<table class="stacked">' in text
    assert 'data-label="Unsubscribed"' in text
