"""The suppression list on pages: why and until when, files, what was lifted, and what a rule did undone."""

import re
from datetime import timedelta

import pytest

from audience import stop_lists
from deliverability.feedback import apply
from deliverability.signals.mail import read_inbound
from models.access import Role
from models.delivery import Delivery
from models.states import BounceClass, Channel, ConsentStatus, EventKind, Fault, Permanence, SuppressionReason
from models.suppression import address_hash
from models.tokens import TokenPurpose
from models.values import Reply, Signal, Verdict
from store import Database, consents, suppressions
from tests.clocks import START
from tests.deliverability.rows import TOKENS, a_contact, a_delivery, a_launched_campaign, put_off_unread
from tests.deliverability.test_originals import a_bounce
from tests.web.browsers import Browser, Site, parse_strictly

DAY = START.date().isoformat()
UNDO = {"rule": "words-gone", "since": DAY}


async def gone(database: Database, count: int = 1, *, rule: str = "words-gone") -> list[Delivery]:
    """People whose mailbox is not there, as a rule has it."""
    found = []
    for _ in range(count):
        async with database.write() as session:
            delivery = await a_delivery(session)
            await apply(session, news_of(delivery, rule, "first"), START + timedelta(minutes=1))
            found.append(delivery)
    return found


def news_of(delivery: Delivery, rule: str, name: str) -> Signal:
    return Signal(
        kind=EventKind.BOUNCED,
        channel=Channel.EMAIL,
        source="dsn",
        source_id=f"{name} of {delivery.id}",
        at=START + timedelta(minutes=1),
        delivery_id=delivery.id,
        reply=Reply(550, "5.1.1", "has left us"),
        verdict=Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, rule),
    )


async def standing(database: Database) -> int:
    async with database.read() as session:
        return sum((await suppressions.count_by_reason(session, START + timedelta(days=1))).values())


async def test_the_list_tells_who_why_by_which_rule_and_until_when(site: Site) -> None:
    (delivery,) = await gone(site.database)
    async with site.database.write() as session:
        await suppressions.suppress(
            session,
            channel=Channel.SMS,
            address_hash="f" * 64,
            reason=SuppressionReason.HARD_BOUNCE,
            evidence="mailbox_full, policy mailbox-full, rule words-full",
            event_id=None,
            now=START,
        )
    browser = await site.signed_in(Role.READER)
    text = await browser.read("/suppressions")
    assert f"/contacts/{delivery.contact_id}" in text
    assert f"/deliveries/{delivery.id}" in text
    assert "policy no-such-address · rule words-gone" in text
    assert "for good" in text
    assert "until a sign of life" in text
    only = await browser.read("/suppressions?channel=sms&reason=hard_bounce")
    assert "rule words-full" in only
    assert "rule words-gone" not in only
    for nonsense in ("?reason=x&channel=y", "?before=x", "?before=0"):
        assert (await browser.get(f"/suppressions{nonsense}")).status_code == 200


async def test_what_a_rule_did_is_shown_first_and_undone_once_confirmed_with_a_reason(site: Site) -> None:
    first, second, third = await gone(site.database, 3)
    async with site.database.write() as session:
        await apply(session, news_of(third, "another-rule", "second"), START + timedelta(minutes=1))
    browser = await site.signed_in(Role.ADMIN)
    assert "words-gone (3)" in await browser.read("/suppressions/undo")
    shown = await browser.send_form("/suppressions/undo", UNDO)
    assert shown.status_code == 200
    assert "Lift 2 suppressions" in shown.text
    assert "has left us" in shown.text
    assert shown.text.count("badge good") == 2
    assert shown.text.count("badge quiet") == 1
    assert await standing(site.database) == 3, "nothing is changed"
    answer = await browser.send_form("/suppressions/undo/confirm", UNDO, page="/suppressions/undo")
    assert answer.status_code == 400, "a reason is needed"
    assert await standing(site.database) == 3
    fields = {**UNDO, "why": "read blocks as deaths"}
    answer = await browser.send_form("/suppressions/undo/confirm", fields, page="/suppressions/undo")
    assert answer.headers["location"] == "/suppressions/lifted?said=rule-undone"
    assert await standing(site.database) == 1
    lifted = await browser.read("/suppressions/lifted")
    assert "undo of rule words-gone: admin@parti.example: read blocks as deaths" in lifted
    assert f"/contacts/{first.contact_id}" in lifted
    assert f"/contacts/{second.contact_id}" in lifted
    assert "nothing to undo" not in await browser.read("/suppressions/undo")


async def test_a_wrong_day_or_no_rule_is_said(site: Site) -> None:
    browser = await site.signed_in(Role.ADMIN)
    assert "there is nothing to undo" in await browser.read("/suppressions/undo")
    for fields, words in (
        ({"rule": "x", "since": "soon"}, "Say from which day on."),
        ({"since": DAY}, "Choose a rule."),
    ):
        for path in ("/suppressions/undo", "/suppressions/undo/confirm"):
            answer = await browser.send_form(path, fields, page="/account")
            assert answer.status_code == 400
            assert words in answer.text
    answer = await browser.send_form("/suppressions/undo", UNDO, page="/account")
    assert "This rule suppressed nobody since then" in answer.text


async def upload(browser: Browser, content: bytes, **fields: str) -> tuple[int, str]:
    sent = {"csrf": await browser.csrf("/suppressions/lists"), **fields}
    files = {"file": ("../stop list.csv", content, "text/csv")} if content else {}
    answer = await browser.client.post("/suppressions/lists", data=sent, files=files)
    return answer.status_code, answer.text


async def test_a_list_is_taken_over_exported_and_taken_over_again(site: Site) -> None:
    browser = await site.signed_in(Role.EDITOR)
    status, text = await upload(browser, b"email\nAda@gmail.com\nbob@free.fr\nnobody\n")
    assert status == 200
    assert "2 rows read:" in text
    assert "2 new, 0 known already." in text
    assert "1 row could not be read" in text
    assert "line 4: " in text
    exported = await browser.get("/suppressions/export.csv")
    assert exported.text.startswith("channel,address_hash,reason,created_at,until\n")
    assert address_hash(Channel.EMAIL, "ada@gmail.com") in exported.text
    assert "gmail" not in exported.text
    _, text = await upload(browser, exported.content)
    assert "0 new, 2 known already." in text
    assert "list stop list.csv, editor@parti.example" in await browser.read("/suppressions")
    assert list((site.folder / "imports").iterdir()) == [], "the file itself is gone"
    for content, words in (
        (b"", "Choose a file."),
        (b"\x7fELF\0\0", "This is a binary file, not a text file."),
    ):
        status, text = await upload(browser, content)
        assert status == 400
        assert words in text
        assert "stop-list" not in text, "the file is never told by the name it is kept under"


@pytest.mark.parametrize(("language", "words"), [("en", "consent stays withdrawn"), ("fr", "reste retiré")])
async def test_lifting_says_that_a_withdrawn_consent_stays_so(site: Site, language: str, words: str) -> None:
    async with site.database.write() as session:
        contact = await a_contact(session, email="ada@gmail.com")
    browser = await site.signed_in(Role.EDITOR)
    await browser.send_form("/language", {"language": language}, page="/account")
    fields = {"channel": "email", "address": "ada@gmail.com", "why": "asked"}
    await browser.send_form("/suppressions/add", fields, page="/suppressions")
    answer = await browser.send_form("/suppressions/lift", fields, page="/suppressions")
    assert answer.headers["location"] == "/suppressions?said=suppression-lifted"
    async with site.database.write() as session:
        await consents.set_status(session, contact.id, Channel.EMAIL, ConsentStatus.WITHDRAWN, START)
    answer = await browser.send_form("/suppressions/lift", fields, page="/suppressions")
    assert words in await browser.read(answer.headers["location"])


async def test_who_stays_suppressed_by_something_else_is_not_counted_as_written_to_again(site: Site) -> None:
    listed, _free = await gone(site.database, 2)
    async with site.database.write() as session:
        fingerprint = address_hash(Channel.EMAIL, listed.address or "")
        row = suppressions.NewSuppression(Channel.EMAIL, fingerprint, SuppressionReason.IMPORTED)
        await suppressions.suppress_many(session, [row], evidence="a list", now=START)
    browser = await site.signed_in(Role.ADMIN)
    shown = (await browser.send_form("/suppressions/undo", UNDO)).text
    assert "<dt>Would be written to again</dt><dd>1</dd>" in shown
    assert "<dt>Lifted, yet suppressed by something else</dt><dd>1</dd>" in shown
    assert "is lifted, yet suppressed by something else" in shown
    assert shown.count("badge good") == 1


@pytest.mark.parametrize(
    ("reason", "channel", "texted"),
    [("unsubscribe", "", True), ("unsubscribe", "sms", True), ("hard_bounce", "", False)],
)
async def test_who_wants_nothing_more_is_left_alone_on_both_channels_but_a_dead_mailbox_has_no_telephone(
    site: Site, reason: str, channel: str, texted: bool
) -> None:
    browser = await site.signed_in(Role.EDITOR)
    content = f"email;phone;reason\nada@gmail.com;06 12 34 56 78;{reason}\n".encode()
    await upload(browser, content, channel=channel)
    async with site.database.read() as session:
        found = {
            its: await suppressions.suppressed_hashes(session, its, [address_hash(its, address)], START)
            for its, address in ((Channel.EMAIL, "ada@gmail.com"), (Channel.SMS, "+33612345678"))
        }
    assert (bool(found[Channel.EMAIL]), bool(found[Channel.SMS])) == (channel != "sms", texted)


async def test_an_export_of_many_has_one_heading_and_each_line_once(site: Site) -> None:
    async with site.database.write() as session:
        rows = [
            suppressions.NewSuppression(Channel.EMAIL, f"{number:064x}", SuppressionReason.IMPORTED)
            for number in range(5001)
        ]
        await suppressions.suppress_many(session, rows, evidence="a list", now=START)
    browser = await site.signed_in(Role.EDITOR)
    lines = (await browser.get("/suppressions/export.csv")).text.splitlines()
    assert len(lines) == len(set(lines)) == 5002


async def test_a_list_larger_than_any_other_form_is_taken_over_in_portions(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_lists, "A_PORTION", 2)
    lines = [f"email,{number:064x},imported,{' ' * 100_000},\n" for number in range(25)]
    content = "".join(["channel,address_hash,reason,created_at,until\n", *lines]).encode()
    browser = await site.signed_in(Role.EDITOR)
    _, text = await upload(browser, content)
    assert "25 new, 0 known already." in text
    _, text = await upload(browser, content + f"email,{'f' * 64},imported,,\n".encode())
    assert "1 new, 25 known already." in text


async def a_kept_bounce(database: Database) -> None:
    async with database.write() as session:
        contact = await a_contact(session)
        delivery = await a_delivery(session, contact=contact, campaign=await a_launched_campaign(session))
        address = f"b+{TOKENS.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.example"
        for signal in read_inbound(a_bounce(address, "This person has left us"), [address], TOKENS, START):
            await apply(session, signal, START)


async def read_again(site: Site, browser: Browser, path: str) -> str:
    answer = await browser.send_form(path, {"days": "30"}, page="/account")
    if answer.status_code != 303:
        return answer.text
    await site.context.replays.wait()
    return await browser.read("/incoming/replay")


async def test_changed_rules_are_shown_over_the_past_and_carried_out_by_an_administrator(site: Site) -> None:
    await a_kept_bounce(site.database)
    browser = await site.signed_in(Role.ADMIN)
    assert "there is no rules.toml" in await browser.read("/incoming/replay")
    assert "was not shown yet" in await read_again(site, browser, "/incoming/replay/apply")
    assert "each is read as it was" in await read_again(site, browser, "/incoming/replay")
    rules = site.folder / "rules.toml"
    a_rule = (
        '[[rules]]\nid = "gone"\ntext = "has left us"\nclass = "no_such_address"\nfault = "recipient"\n'
        'permanence = "hard"\n'
    )
    rules.write_text(a_rule)
    assert "suppresses nobody: gone." in await read_again(site, browser, "/incoming/replay")
    rules.write_text(f"{a_rule}proven = true\n")
    assert "have changed since" in await read_again(site, browser, "/incoming/replay/apply")
    shown = await read_again(site, browser, "/incoming/replay")
    assert "No such address (gone)" in shown
    assert "Carry it out" in shown
    assert "suppresses nobody" not in shown
    assert await standing(site.database) == 0
    done = await read_again(site, browser, "/incoming/replay/apply")
    assert "What has changed" in done
    assert await standing(site.database) == 1
    rules.write_text("[[rules]]\nid = 3")
    assert "rules.toml" in await read_again(site, browser, "/incoming/replay")
    assert await standing(site.database) == 1


async def test_what_would_have_followed_from_the_answers_is_shown_too(site: Site) -> None:
    async with site.database.write() as session:
        delivery = await a_delivery(session)
        session.add_all(put_off_unread(delivery, START - timedelta(hours=n), n) for n in range(3))
    browser = await site.signed_in(Role.ADMIN)
    assert "What follows from them" not in await read_again(site, browser, "/incoming/replay")
    (site.folder / "rules.toml").write_text(
        '[[rules]]\nid = "another-day"\ntext = "another day"\nclass = "block"\nfault = "provider"\n'
        'reactions = [{ do = "suspend", scope = "relay", for = "30m" }]\n'
    )
    shown = await read_again(site, browser, "/incoming/replay")
    parse_strictly(shown)
    part = re.sub(r"<[^>]+>|\s+", " ", shown[shown.index("What follows from them") :])
    assert re.search(r"Orange\s+Nothing leaves\s+Everything together\s+30m\s+0\s+3\s+another-day", part)
