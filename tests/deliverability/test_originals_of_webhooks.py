"""Kept originals of providers' webhooks, read again: each by its own provider's reader."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deliverability.feedback import apply
from deliverability.originals import read_originals_again
from deliverability.replay import unproven_rules
from deliverability.rulebook import read_rules, shipped
from deliverability.signals.hooks import PROVIDERS, HookRequest
from deliverability.signals.twilio import read_status
from models.delivery import Delivery
from models.states import Channel
from models.tokens import TokenPurpose
from store import Database, incoming, suppressions
from tests.clocks import START
from tests.deliverability.rows import TOKENS, a_delivery
from tests.hook_callers import ANSWER, CALLERS, Caller

DAY = timedelta(days=1)
NOW = START + DAY
ODD = "550 The member has flown"
TELLING = [caller for key, caller in CALLERS.items() if key != "mailjet"]
"""Those whose call holds the server's answer."""
FORM_OF_PARTS = (
    b'--xx\r\nContent-Disposition: form-data; name="event"\r\n\r\nbounced\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="recipient"\r\n\r\na@b.fr\r\n--xx--\r\n'
)
EVERY = pytest.mark.parametrize("caller", TELLING, ids=[caller.key for caller in TELLING])


async def told(database: Database, caller: Caller, *, ours: bool = True) -> Delivery:
    """A message that bounced with an answer no rule knows, as `caller` told; `ours`: with our token."""
    async with database.write() as session:
        delivery = await a_delivery(session)
        token = TOKENS.make(TokenPurpose.MESSAGE, delivery.id) if ours else ""
        call = caller.call(token, delivery.address, START)
        body = call.body
        for known, odd in ((ANSWER, ODD), (ANSWER.replace(" ", "+"), ODD.replace(" ", "+"))):
            body = body.replace(known.encode(), odd.encode())
        body = body.replace(b"5.1.1", b"").replace(b"NoEmail", b"General").replace(b'"10"', b'"1"')
        request = HookRequest("", call.headers, body)
        (signal,) = PROVIDERS[caller.key].read(request, TOKENS, START)
        # Recognised by its address where our token did not come back with it.
        await apply(session, replace(signal, delivery_id=delivery.id), START)
    return delivery


def a_rule(folder: Path) -> Path:
    rules = folder / "rules.toml"
    rules.write_text(
        '[[rules]]\nid = "flown"\ntext = "has flown"\nclass = "no_such_address"\nfault = "recipient"\n'
        'permanence = "hard"\nproven = true\n'
    )
    return rules


async def standing(database: Database) -> int:
    async with database.read() as session:
        return sum((await suppressions.count_by_reason(session, NOW)).values())


@EVERY
@pytest.mark.parametrize("ours", [True, False], ids=["token", "address"])
async def test_a_rule_over_what_a_webhook_told_is_shown_first_and_carried_out_once(
    database: Database, tmp_path: Path, caller: Caller, *, ours: bool
) -> None:
    await told(database, caller, ours=ours or caller.key == "resend")
    book = read_rules(a_rule(tmp_path))
    same = await read_originals_again(database, TOKENS, shipped(), since=START - DAY, now=NOW, act=False)
    assert (same.read, same.unread, same.news, same.changes) == (1, 0, 0, ())
    shown = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=False)
    assert (shown.read, shown.news, shown.would_suppress, await standing(database)) == (1, 0, 1, 0)
    assert [one.after for one in shown.changes] == ["flown (no_such_address)"]
    done = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=True)
    again = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=True)
    assert (done.would_suppress, again.changes, await standing(database)) == (1, (), 1)


async def test_a_rule_that_cannot_prove_what_it_says_is_named(database: Database, tmp_path: Path) -> None:
    await told(database, CALLERS["sendgrid"])
    rules = a_rule(tmp_path)
    rules.write_text(rules.read_text().replace("proven = true\n", ""))
    book = read_rules(rules)
    seen = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=False)
    assert (seen.would_suppress, unproven_rules(seen.changes)) == (0, ["flown"])
    proven = read_rules(a_rule(tmp_path))
    seen = await read_originals_again(database, TOKENS, proven, since=START - DAY, now=NOW, act=False)
    assert (seen.would_suppress, unproven_rules(seen.changes)) == (1, [])


async def test_what_no_reader_of_bounces_reads_is_not_counted_as_read(database: Database) -> None:
    async with database.write() as session:
        raw = b"Body=STOP&From=%2B33612345678"
        await incoming.keep(session, source="twilio inbound", raw=raw, matched=True, now=START)
    seen = await read_originals_again(database, TOKENS, shipped(), since=START - DAY, now=NOW, act=True)
    assert (seen.read, seen.unread, seen.news) == (0, 1, 0)


async def test_a_text_message_that_failed_is_judged_by_the_rules_that_are_tried(
    database: Database, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rules]]\nid = "texts"\nchannel = "sms"\ncodes = [39999]\nclass = "no_such_address"\n'
        'fault = "recipient"\npermanence = "hard"\nproven = true\n'
    )
    form = {"MessageStatus": "undelivered", "MessageSid": "SM1", "ErrorCode": "39999"}
    async with database.write() as session:
        delivery = await a_delivery(session, channel=Channel.SMS, provider_message_id="SM1")
        await apply(session, read_status({**form, "To": delivery.address}, START), START)
    book = read_rules(rules)
    seen = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=False)
    assert (seen.read, seen.news, [one.after for one in seen.changes]) == (1, 0, ["texts (no_such_address)"])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"event=bounced&code=550&recipient=a%40b.fr&error=550+gone"),
        (
            'multipart/form-data; boundary="xx"',
            FORM_OF_PARTS,
        ),
    ],
)
def test_a_kept_form_is_read_as_it_was(kind: str, body: bytes) -> None:
    mailgun = PROVIDERS["mailgun"]
    first = mailgun.read(HookRequest("", {"content-type": kind}, body), TOKENS, START)
    assert mailgun.read_again(body, TOKENS, START) == first
    assert first[0].recipient == "a@b.fr"
