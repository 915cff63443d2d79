"""What comes back from a message, and what the world counted of it."""

import asyncio
import base64
import email
import email.policy
import gc
from datetime import UTC, datetime
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from sandbox import World, WorldOptions
from sandbox.errors import NotStartedError
from sandbox.inspection import faults_of, read_headers
from sandbox.manners import manners_of
from tests.sandbox.letters import RETURN_PATH, Website, WorldMaker, a_message, send
from tests.servers.sink import Sink


def parse(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


async def deliver(world: World, key: str, recipient: str, content: bytes) -> tuple[int, str]:
    reply = await asyncio.to_thread(send, world.smtp_routes[key], recipient, content)
    await world.settle()
    return reply


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("gmail.com", "5.1.1"),
        ("hotmail.fr", "5.1.10"),
        ("orange.fr", "5.1.1"),
        ("yahoo.fr", "5.1.1"),
        ("free.fr", "5.1.1"),
    ],
)
async def test_a_late_bounce_is_a_report_that_any_parser_reads(
    make_world: WorldMaker, sink: Sink, website: Website, domain: str, status: str
) -> None:
    world = await make_world()
    key = manners_of(domain).key
    assert (await deliver(world, key, f"a.rebond@{domain}", a_message(website.url)))[0] == 250
    (mail,) = sink.mails
    assert (mail.sender, mail.recipients) == ("", (RETURN_PATH,))
    report = parse(mail.content)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    human, machine, returned = report.iter_parts()
    assert human.get_content_type() == "text/plain"
    _, fields = machine.iter_parts()
    assert fields["Final-Recipient"].replace(" ", "") == f"rfc822;a.rebond@{domain}"
    assert (fields["Action"], fields["Status"]) == ("failed", status)
    assert str(fields["Diagnostic-Code"]).startswith("smtp;")
    assert "Message-ID: <m1@parti.example>" in returned.get_content()
    assert world.tally().providers[key].bounces_hard == 1


async def test_a_full_mailbox_bounces_late_with_a_soft_status(
    make_world: WorldMaker, sink: Sink, website: Website
) -> None:
    world = await make_world()
    await deliver(world, "gmail", "a.rebond-plein@gmail.com", a_message(website.url))
    await deliver(world, "orange", "a.rebond-plein@orange.fr", a_message(website.url))
    statuses = {
        str(list(list(parse(mail.content).iter_parts())[1].iter_parts())[1]["Status"]) for mail in sink.mails
    }
    assert statuses == {"4.2.2", "5.2.2"}
    assert world.tally().total.bounces_soft == 2


async def test_a_bounce_sent_twice_is_the_same_report_and_counts_once(
    make_world: WorldMaker, sink: Sink, website: Website
) -> None:
    world = await make_world()
    await deliver(world, "sfr", "a.rebond-double@sfr.fr", a_message(website.url))
    first, second = (parse(mail.content) for mail in sink.mails)
    assert first["Message-ID"] == second["Message-ID"]
    assert world.tally().total.bounces_hard == 1
    assert world.tally().notices == {"sent": 2}


async def test_a_complaint_hides_who_complained(make_world: WorldMaker, sink: Sink, website: Website) -> None:
    world = await make_world()
    address = "camille.plainte@yahoo.fr"
    await deliver(world, "yahoo", address, a_message(website.url, extra=f"X-Person: {address}"))
    (mail,) = sink.mails
    assert mail.recipients == ("fbl@bounces.parti.example",)
    assert address.encode() not in mail.content
    report = parse(mail.content)
    assert report.get_param("report-type") == "feedback-report"
    _, machine, returned = report.iter_parts()
    assert machine.get_content_type() == "message/feedback-report"
    assert b"Feedback-Type: abuse" in bytes(machine)
    original = next(returned.iter_parts())
    assert original["Message-ID"] == "<m1@parti.example>"
    assert original["List-Unsubscribe"] == f"<{website.url}/u/leave>"
    assert world.tally().providers["yahoo"].complaints == 1


async def test_other_complaints_come_to_the_return_path_and_gmail_tells_nobody(
    make_world: WorldMaker, sink: Sink, website: Website
) -> None:
    world = await make_world(fbl_address="fbl@bounces.parti.example")
    await deliver(world, "orange", "a.plainte@orange.fr", a_message(website.url))
    await deliver(world, "gmail", "a.plainte@gmail.com", a_message(website.url))
    assert [mail.recipients for mail in sink.mails] == [(RETURN_PATH,)]
    assert world.tally().total.complaints == 1


async def test_an_absence_is_answered_as_rfc_3834_says(
    make_world: WorldMaker, sink: Sink, website: Website
) -> None:
    world = await make_world()
    await deliver(world, "free", "a.absent@free.fr", a_message(website.url))
    (mail,) = sink.mails
    answer = parse(mail.content)
    assert mail.sender == ""
    assert str(answer["Auto-Submitted"]).startswith("auto-replied")
    assert answer["In-Reply-To"] == "<m1@parti.example>"
    assert world.tally().total.vacations == 1
    assert world.tally().total.bounces_hard == 0


async def test_a_reader_clicks_a_link_and_stays_on_the_loopback(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world()
    await deliver(world, "gmail", "a.clic@gmail.com", a_message(website.url))
    clicks = website.paths("GET")
    assert clicks
    assert set(clicks) <= {"/c/tok/0", "/c/tok/1"}
    assert world.tally().total.clicks == len(clicks)
    assert set(world.redirects) == {"https://www.example.org/programme"}


async def test_a_scanner_opens_every_link_and_unsubscribes_nobody(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world()
    await deliver(world, "gmail", "a.robot@gmail.com", a_message(website.url))
    assert website.paths("GET") == ["/c/tok/0", "/c/tok/1", "/u/leave"]
    assert website.paths("POST") == []
    tally = world.tally().total
    assert (tally.scans, tally.clicks, tally.unsubscribes.total()) == (3, 0, 0)


async def test_one_click_is_a_bare_post_and_later_mail_is_unwanted(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world()
    address = "a.desabonne@gmail.com"
    await deliver(world, "gmail", address, a_message(website.url))
    (visit,) = website.visits
    assert (visit.method, visit.path, visit.body) == ("POST", "/u/leave", "List-Unsubscribe=One-Click")
    assert visit.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "cookie" not in visit.headers
    assert world.tally().total.unsubscribes == {200: 1}
    assert world.tally().after_opt_out == ()
    await deliver(world, "gmail", address, a_message(website.url, message_id="<m2@parti.example>"))
    (unwanted,) = world.tally().after_opt_out
    assert (unwanted.address, unwanted.how) == (address, "unsubscribe")
    assert unwanted.seconds_after > 0


async def test_an_unsubscribe_that_failed_is_no_opt_out(make_world: WorldMaker, website: Website) -> None:
    website.statuses["u"] = 500
    world = await make_world()
    for number in range(2):
        content = a_message(website.url, message_id=f"<{number}@parti.example>")
        await deliver(world, "gmail", "a.desabonne@gmail.com", content)
    assert world.tally().total.unsubscribes == {500: 2}
    assert world.tally().after_opt_out == ()


async def test_links_beyond_the_loopback_are_never_opened(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(web_base="https://www.example.org")
    await deliver(world, "gmail", "a.robot@gmail.com", a_message("https://www.example.org"))
    await deliver(world, "gmail", "a.desabonne@gmail.com", a_message("https://www.example.org"))
    assert website.visits == []
    assert world.tally().total.scans == 0
    assert any("OutsideLoopbackError" in problem for problem in world.tally().problems)


async def test_the_same_message_taken_twice_is_a_double(make_world: WorldMaker, website: Website) -> None:
    world = await make_world()
    for _ in range(2):
        await deliver(world, "gmail", "a.ordinaire@gmail.com", a_message(website.url))
    assert world.tally().total.taken == 1
    assert world.tally().doubles == (("<m1@parti.example>", "a.ordinaire@gmail.com"),)


async def test_an_address_refused_for_good_and_tried_again_is_listed(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world()
    for _ in range(2):
        await deliver(world, "orange", "a.inconnu@orange.fr", a_message(website.url))
    assert world.tally().asked_again == ("a.inconnu@orange.fr",)


async def test_refusals_are_laid_to_the_sender_whose_return_path_it_is(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world()
    await deliver(world, "orange", "a.inconnu@orange.fr", a_message(website.url))
    assert list(world.tally().senders) == ["@bounces.parti.example"]
    await deliver(world, "orange", "a.ordinaire@orange.fr", a_message(website.url))
    row = world.tally().of(provider="orange", sender="contact@parti.example")
    assert (row.taken, row.refused) == (1, {"550 5.1.1": 1})


async def test_the_same_messages_give_the_same_tally(make_world: WorldMaker, website: Website) -> None:
    recipients = [f"personne.{number}@gmail.com" for number in range(120)]
    tallies = []
    for _ in range(2):
        world = await make_world(seed=5, easygoing=True)
        for number, recipient in enumerate(recipients):
            content = a_message(website.url, message_id=f"<{number}@parti.example>")
            await asyncio.to_thread(send, world.smtp_routes["gmail"], recipient, content)
        await world.settle()
        tallies.append(world.tally())
    assert tallies[0] == tallies[1]
    assert tallies[0].total.clicks > 0
    assert tallies[0].total.refused.total() > 0
    assert tallies[0].problems == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ((b"Date: Tue", b"X-Date: Tue"), "no date header"),
        ((b"List-Unsubscribe: ", b"X-L: "), "no list-unsubscribe header"),
        ((b"\r\nMIME", b"\nMIME"), "bare LF"),
        ((b"dehors", b"dehors\rdehors"), "bare CR"),
        ((b"dehors", b"d" * 999), "line longer than 998 octets"),
        ((b"dehors", "été".encode()), "8-bit bytes without BODY=8BITMIME"),
        ((b"Subject: ", b"Subject: x\r\nSubject: "), "subject header repeated"),
        ((b"<contact@parti.example>", b"contact"), "no address in From"),
        ((b"dehors", b"\0"), "NUL byte"),
    ],
)
def test_each_fault_of_form_is_named(change: tuple[bytes, bytes], fault: str) -> None:
    sound = a_message("http://127.0.0.1:9")
    assert faults_of(sound, read_headers(sound), eight_bit=False) == ()
    content = sound.replace(*change)
    assert fault in faults_of(content, read_headers(content), eight_bit=False)


async def test_a_malformed_message_is_taken_and_listed(make_world: WorldMaker, website: Website) -> None:
    world = await make_world()
    content = a_message(website.url).replace(b"Date: Tue", b"X-Date: Tue")
    await deliver(world, "gmail", "a.ordinaire@gmail.com", content)
    (malformed,) = world.tally().malformed
    assert malformed.faults == ("no date header",)
    assert malformed.recipient == "a.ordinaire@gmail.com"


def sign_rsa(content: bytes, selector: bytes) -> tuple[bytes, str]:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = (
        dkim.sign(content, selector, b"parti.example", pem, include_headers=[b"From", b"Subject"]) + content
    )
    return signed, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


async def test_signatures_are_checked_against_the_published_keys(
    make_world: WorldMaker, website: Website
) -> None:
    content, record = sign_rsa(a_message(website.url), b"s1")
    world = await make_world(dkim_keys={("s1", "parti.example"): record})
    await deliver(world, "gmail", "a.ordinaire@gmail.com", content)
    await deliver(world, "gmail", "b.ordinaire@gmail.com", content.replace(b"Bonjour", b"Bonsoir"))
    await deliver(world, "gmail", "c.ordinaire@gmail.com", content.replace(b"s=s1", b"s=s2"))
    await deliver(world, "gmail", "d.ordinaire@gmail.com", a_message(website.url))
    assert world.tally().dkim == {"pass": 1, "fail": 2, "unsigned": 1}


async def test_an_ed25519_signature_is_checked_too(make_world: WorldMaker, website: Website) -> None:
    """The example of RFC 8463 appendix A, signed by its authors."""
    record = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    example = (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        b" subject : date : message-id : from : subject : date;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        b" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
        b" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
        b"From: Joe SixPack <joe@football.example.com>\r\n"
        b"To: Suzie Q <suzie@shopping.example.net>\r\n"
        b"Subject: Is dinner ready?\r\n"
        b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
        b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
        b"\r\n"
        b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    )
    world = await make_world(dkim_keys={("brisbane", "football.example.com"): record})
    await deliver(world, "gmail", "a.ordinaire@gmail.com", example)
    await deliver(world, "gmail", "b.ordinaire@gmail.com", example.replace(b"dinner", b"supper"))
    other = base64.b64encode(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    assert world.tally().dkim == {"pass": 1, "fail": 1}
    strange = await make_world(
        dkim_keys={("brisbane", "football.example.com"): f"v=DKIM1; k=ed25519; p={other}"}
    )
    await deliver(strange, "gmail", "a.ordinaire@gmail.com", example)
    assert strange.tally().dkim == {"fail": 1}


async def test_a_service_that_comes_back_gets_what_it_missed(
    make_world: WorldMaker, sink: Sink, website: Website
) -> None:
    world = await make_world(inbound=("127.0.0.1", 9))
    content = a_message(website.url)
    await asyncio.to_thread(send, world.smtp_routes["gmail"], "a.rebond@gmail.com", content)
    await asyncio.sleep(0.2)
    assert sink.mails == []
    world.point_at(inbound=("127.0.0.1", sink.smtp_port))
    await world.settle()
    assert len(sink.mails) == 1
    assert world.tally().notices == {"sent": 1}


async def test_addresses_are_not_known_before_the_start() -> None:
    world = World(WorldOptions())
    with pytest.raises(NotStartedError):
        _ = world.imap
    with pytest.raises(NotStartedError):
        _ = world.twilio_base_url
    assert world.smtp_routes == {}
    await world.stop()


async def test_stopping_drops_what_was_still_to_come_and_leaves_nothing_behind(website: Website) -> None:
    before = asyncio.all_tasks()
    world = World(WorldOptions(web_base=website.url, speed=0.001))
    await world.start()
    _reader, writer = await asyncio.open_connection(*world.imap)
    _other_reader, other_writer = await asyncio.open_connection(*world.smtp_routes["gmail"])
    content = a_message(website.url)
    for fate in ("clic", "rebond", "plainte", "absent", "desabonne"):
        await asyncio.to_thread(send, world.smtp_routes["orange"], f"a.{fate}@orange.fr", content)
    addresses = [*world.smtp_routes.values(), world.imap]
    async with asyncio.timeout(60):
        await world.stop()
        await world.stop()
    for one in (writer, other_writer):
        one.close()
    gc.collect()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    for address in addresses:
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection(*address)
    assert website.visits == []


def test_the_clock_of_the_world_is_the_one_given() -> None:
    class Stopped:
        def now(self) -> datetime:
            return datetime(2027, 4, 11, tzinfo=UTC)

        async def sleep(self, _span: object) -> None:
            raise AssertionError("the time is asked, not waited for")

    assert WorldOptions(clock=Stopped()).clock.now().year == 2027
