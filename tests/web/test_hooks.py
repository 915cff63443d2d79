"""Providers' webhooks, from the signed call to what follows from it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from deliverability.hook_fetch import FetchError
from models.delivery import Delivery
from models.event import Event, Incoming
from models.news import News, NewsState
from models.states import BounceClass, DeliveryState, EventKind, Fault
from models.tokens import TokenPurpose
from scheduler.news import apply_news
from store import Database, news
from tests.clocks import START, ManualClock
from tests.deliverability import rows
from tests.hook_callers import (
    CALLERS,
    CERTIFICATE,
    CERTIFICATE_URL,
    SECRETS,
    TOPIC,
    Call,
    Caller,
    mailgun_body,
    seal_sns,
)
from tests.web.browsers import BASE, Site
from web import create_app
from web.hook_desk import HookDesk

EVERY = pytest.mark.parametrize("caller", CALLERS.values(), ids=list(CALLERS))


class Amazon:
    """What stands at Amazon's addresses, and which were read."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.away: set[str] = set()

    async def __call__(self, url: str) -> bytes:
        self.read.append(url)
        if url in self.away:
            raise FetchError("away")
        return CERTIFICATE if url == CERTIFICATE_URL else b"<ok/>"


class Listener:
    """A site that listens to every provider."""

    def __init__(self, site: Site) -> None:
        self.amazon = Amazon()
        self.database, self.clock, self.tokens = site.database, site.clock, site.context.tokens
        self.desk = HookDesk(self.amazon)
        context = replace(site.context, hook_secrets=SECRETS, hooks=self.desk)
        transport = httpx.ASGITransport(create_app(context))
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE)

    async def post(self, call: Call, **changed: Any) -> int:
        given = {"headers": dict(call.headers), "content": call.body} | changed
        return (await self.client.post(call.path, **given)).status_code

    async def count(self) -> None:
        """What would be written within a second."""
        await self.desk.write_down(self.database)

    async def delivery(self, state: DeliveryState = DeliveryState.ACCEPTED) -> Delivery:
        async with self.database.write() as session:
            return await rows.a_delivery(session, state=state)

    def token(self, delivery_id: int) -> str:
        return self.tokens.make(TokenPurpose.MESSAGE, delivery_id)

    async def apply(self) -> None:
        while await apply_news(self.database, self.clock):
            pass


async def events_in(database: Database) -> list[tuple[Any, ...]]:
    async with database.read() as session:
        found = (await session.exec(select(Event).order_by(col(Event.id)))).all()
        return [(one.source, one.kind, one.delivery_id, one.bounce_class, one.fault) for one in found]


async def news_in(database: Database) -> list[News]:
    async with database.read() as session:
        return list((await session.exec(select(News).order_by(col(News.id)))).all())


@pytest.fixture
def listener(site: Site) -> Listener:
    return Listener(site)


@EVERY
async def test_a_signed_bounce_is_stored_answered_and_then_applied_to_its_message(
    listener: Listener, caller: Caller
) -> None:
    gone = await listener.delivery()
    call = caller.call(listener.token(gone.id), gone.address, listener.clock.now())
    assert await listener.post(call) == 200
    assert await events_in(listener.database) == []
    await listener.apply()
    expected = (caller.key, EventKind.BOUNCED, gone.id, BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT)
    assert await events_in(listener.database) == [expected]
    (kept,) = await news_in(listener.database)
    assert (kept.state, kept.signal, kept.raw) == (NewsState.APPLIED, {}, b"")
    async with listener.database.read() as session:
        (original,) = (await session.exec(select(Incoming))).all()
    assert original.matched
    assert gone.address.encode() in original.raw


@EVERY
async def test_a_call_that_is_not_the_providers_changes_nothing(listener: Listener, caller: Caller) -> None:
    gone = await listener.delivery()
    now = listener.clock.now()
    call = caller.call(listener.token(gone.id), gone.address, now)
    other = caller.call(listener.token(gone.id), "somebody@else.example", now, "event-2")
    assert await listener.post(Call(call.path, {"content-type": caller.content_type}, b"{}")) == 403
    assert await listener.post(call, headers={**call.headers, "content-type": "text/html"}) == 415
    wrong = {name: value[:-6] + "AAAAAA" for name, value in call.headers.items() if name != "content-type"}
    if wrong:
        assert await listener.post(call, headers={**call.headers, **wrong}) == 403
    if caller.key not in {"mailjet", "brevo", "postmark", "sparkpost"}:
        changed = call.body.replace(gone.address.split("@")[0].encode(), b"victim")
        if caller.key == "mailgun":
            changed = call.body.replace(b'"token": "', b'"token": "0')
        assert changed != call.body
        assert await listener.post(call, content=changed) == 403
    assert other.body != call.body
    assert await news_in(listener.database) == []
    await listener.apply()
    assert await events_in(listener.database) == []


@pytest.mark.parametrize("key", [key for key, caller in CALLERS.items() if caller.dated])
@pytest.mark.parametrize("off", [timedelta(days=-2), timedelta(hours=1)])
async def test_a_call_signed_long_ago_or_in_the_future_changes_nothing(
    listener: Listener, key: str, off: timedelta
) -> None:
    gone = await listener.delivery()
    call = CALLERS[key].call(listener.token(gone.id), gone.address, listener.clock.now() + off)
    assert await listener.post(call) == 403
    assert await news_in(listener.database) == []


@EVERY
async def test_the_same_call_told_ten_times_tells_it_once(listener: Listener, caller: Caller) -> None:
    gone = await listener.delivery()
    call = caller.call(listener.token(gone.id), gone.address, listener.clock.now())
    for _ in range(5):
        assert await listener.post(call) == 200
    await listener.apply()
    before = await events_in(listener.database)
    for _ in range(5):
        assert await listener.post(call) == 200
        await listener.apply()
    assert len(await news_in(listener.database)) == 1
    assert await events_in(listener.database) == before
    assert len(before) == 1


async def test_a_token_of_mailgun_serves_one_body_only(listener: Listener) -> None:
    gone, now = await listener.delivery(), listener.clock.now()
    call = CALLERS["mailgun"].call(listener.token(gone.id), gone.address, now)
    assert await listener.post(call) == 200
    replayed = mailgun_body(listener.token(gone.id), "victim@exemple.fr", "event-1", now)
    assert await listener.post(call, content=replayed) == 403
    assert len(await news_in(listener.database)) == 1


@pytest.mark.parametrize("key", list(CALLERS))
async def test_a_provider_without_a_secret_is_not_listened_to(site: Site, key: str) -> None:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url=BASE)
    call = CALLERS[key].call("a" * 24, "someone@exemple.fr", START)
    assert (await client.post(call.path, headers=dict(call.headers), content=call.body)).status_code == 404


async def test_a_body_beyond_the_limit_is_refused_unread(listener: Listener) -> None:
    call = CALLERS["brevo"].call("a" * 24, "someone@exemple.fr", START)
    assert await listener.post(call, content=b" " * (2 * 1024 * 1024 + 1)) == 413


async def test_forgers_are_made_to_wait(listener: Listener) -> None:
    call = Call("/hooks/brevo", {"content-type": "application/json"}, b"{}")
    answers = [await listener.post(call) for _ in range(70)]
    assert answers[0] == 403
    assert answers[-1] == 429


@EVERY
async def test_a_right_signature_passes_whoever_forges_from_there(listener: Listener, caller: Caller) -> None:
    """Else a secret that was wrong for a while would keep the provider out when it is right again."""
    forged = Call("/hooks/brevo", {"content-type": "application/json"}, b"{}")
    for _ in range(70):
        await listener.post(forged)
    gone = await listener.delivery()
    call = caller.call(listener.token(gone.id), gone.address, listener.clock.now())
    if all(":" in secret and not secret.startswith("arn:") for secret in SECRETS[caller.key]):
        assert await listener.post(call) == 429, "a password could be guessed at for ever"
        return
    if caller.key == "amazon_ses":
        # What proves it is not fetched for a forger; once it is there it is believed.
        assert await listener.post(call) == 429
        await listener.desk.certificates(CERTIFICATE_URL)
    assert await listener.post(call) == 200
    assert await listener.post(forged) == 429


async def test_machines_are_answered_in_json_and_told_how_long_to_wait(listener: Listener) -> None:
    call = Call("/hooks/brevo", {"content-type": "application/json"}, b"{}")
    answers = [await listener.client.post(call.path, content=b"{}", headers=call.headers) for _ in range(70)]
    missing = await listener.client.post("/hooks/nobody", content=b"{}")
    for answer, status in ((answers[0], 403), (answers[-1], 429), (missing, 404)):
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 900


@pytest.mark.parametrize(
    ("key", "headers", "problem"),
    [
        ("brevo", {}, "It came without a name and password."),
        ("brevo", {"authorization": "Basic YTpi"}, "Wrong name or password."),
        ("sendgrid", {}, "Wrong signature."),
        ("resend", {}, "Not signed."),
    ],
)
async def test_the_log_says_which_check_failed(
    listener: Listener, caplog: pytest.LogCaptureFixture, key: str, headers: dict[str, str], problem: str
) -> None:
    call = Call(f"/hooks/{key}", {"content-type": "application/json", **headers}, b"{}")
    assert await listener.post(call) == 403
    (record,) = [one for one in caplog.records if one.message == "webhook refused"]
    assert (record.__dict__["provider"], record.__dict__["problem"]) == (key, problem)


@pytest.mark.parametrize(("body", "kept"), [(b"{not json", 1), (b"[1, 2]", 1), (b"", 0)])
async def test_what_is_proven_and_not_understood_stays_visible(
    listener: Listener, caplog: pytest.LogCaptureFixture, body: bytes, kept: int
) -> None:
    call = CALLERS["brevo"].call("", "a@exemple.fr", listener.clock.now())
    assert await listener.post(call, content=body) == 200
    assert "webhook not understood" in caplog.text
    async with listener.database.read() as session:
        originals = (await session.exec(select(Incoming))).all()
    assert [(one.source, one.raw, one.matched) for one in originals] == [("brevo", body, False)] * kept


async def test_a_call_that_tries_the_address_is_understood(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    call = CALLERS["sparkpost"].call("", "a@exemple.fr", listener.clock.now())
    assert await listener.post(call, content=b"[]") == 200
    assert "not understood" not in caplog.text


def _sns(now: datetime, **given: str) -> Call:
    return Call(
        "/hooks/amazon_ses", {"content-type": "text/plain"}, seal_sns(b"hello", "sns-1", now, **given)
    )


def _confirmation(now: datetime, url: str, **given: str) -> Call:
    return _sns(now, Type="SubscriptionConfirmation", Token="t", SubscribeURL=url, **given)


CONFIRM = f"https://sns.eu-west-3.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_subscription_of_our_topic_is_confirmed(listener: Listener, version: str) -> None:
    call = _confirmation(listener.clock.now(), CONFIRM, version=version)
    assert await listener.post(call) == 200
    assert listener.amazon.read == [CERTIFICATE_URL, CONFIRM]
    assert await listener.post(call) == 200
    assert listener.amazon.read == [CERTIFICATE_URL, CONFIRM, CONFIRM]


@pytest.mark.parametrize(
    "given",
    [
        {"TopicArn": "arn:aws:sns:eu-west-3:999999999999:other"},
        {"SigningCertURL": CERTIFICATE_URL.replace("https", "http")},
        {
            "SigningCertURL": "https://sns.eu-west-3.amazonaws.com.evil.example/SimpleNotificationService-1.pem"
        },
        {
            "SigningCertURL": "https://sns.eu-west-3.amazonaws.com@evil.example/SimpleNotificationService-1.pem"
        },
        {"SigningCertURL": CERTIFICATE_URL.replace("com/", "com:8443/")},
        {"SigningCertURL": CERTIFICATE_URL.replace("eu-west-3", "us-east-1")},
        {"SigningCertURL": "https://sns.eu-west-3.amazonaws.com/?Action=Publish"},
    ],
)
async def test_what_does_not_come_from_our_topic_is_refused_and_nothing_is_fetched(
    listener: Listener, given: dict[str, str]
) -> None:
    assert await listener.post(_confirmation(listener.clock.now(), CONFIRM, **given)) == 403
    assert listener.amazon.read == []


@pytest.mark.parametrize("url", ["https://evil.example/?Action=ConfirmSubscription", "http://127.0.0.1/"])
async def test_a_confirmation_leads_to_amazon_alone(listener: Listener, url: str) -> None:
    assert await listener.post(_confirmation(listener.clock.now(), url)) == 200
    assert listener.amazon.read == [CERTIFICATE_URL]


async def test_what_cannot_be_proven_now_may_be_told_again(listener: Listener) -> None:
    gone = await listener.delivery()
    call = CALLERS["amazon_ses"].call(listener.token(gone.id), gone.address, listener.clock.now())
    listener.amazon.away.add(CERTIFICATE_URL)
    assert [await listener.post(call) for _ in range(70)] == [503] * 70  # nobody is taken for a forger
    assert await news_in(listener.database) == []
    listener.amazon.away.clear()
    assert await listener.post(call) == 200
    assert len(await news_in(listener.database)) == 1


async def test_a_subscription_that_could_not_be_confirmed_is_asked_for_again(listener: Listener) -> None:
    listener.amazon.away.add(CONFIRM)
    call = _confirmation(listener.clock.now(), CONFIRM)
    assert await listener.post(call) == 503
    listener.amazon.away.clear()
    assert await listener.post(call) == 200


async def test_refused_calls_are_counted_by_why_and_told_ones_by_how_much(listener: Listener) -> None:
    caller, now = CALLERS["sendgrid"], listener.clock.now()
    call, old = (caller.call("", "a@exemple.fr", at) for at in (now, now - timedelta(days=2)))
    assert [await listener.post(one) for one in (call, old, old)] == [200, 403, 403]
    assert await listener.post(call, headers={"content-type": "application/json"}) == 403
    await listener.count()
    async with listener.database.read() as session:
        (heard,) = await news.heard(session)
    assert (heard.told, heard.last_at) == (1, now)
    assert (heard.forged, heard.stale, heard.refused_at) == (1, 2, now)


async def test_news_of_a_message_that_is_not_known_yet_waits_for_it(listener: Listener) -> None:
    first = await listener.delivery()
    unknown = first.id + 1
    caller = CALLERS["sendgrid"]
    assert await listener.post(caller.call(listener.token(unknown), "", listener.clock.now())) == 200
    await listener.apply()
    (kept,) = await news_in(listener.database)
    assert (kept.state, kept.tries, kept.due_at) == (NewsState.WAITING, 1, START + timedelta(seconds=2))
    later = await listener.delivery()
    assert later.id == unknown
    await listener.apply()
    assert await events_in(listener.database) == []  # not its turn yet
    listener.clock.advance(timedelta(seconds=2))
    await listener.apply()
    assert [one[2] for one in await events_in(listener.database)] == [later.id]


async def test_news_that_leads_to_nobody_is_given_up_after_three_days_and_stays_visible(
    listener: Listener,
) -> None:
    call = CALLERS["sendgrid"].call("", "", listener.clock.now())
    assert await listener.post(call) == 200
    for _ in range(40):
        await listener.apply()
        listener.clock.advance(timedelta(hours=2))
    await listener.count()
    async with listener.database.read() as session:
        (lost,) = await news.list_unmatched(session)
        (heard,) = await news.heard(session)
    assert (lost.source, lost.kind, lost.signal) == ("sendgrid", EventKind.BOUNCED, {})
    assert (heard.waiting, heard.unmatched, heard.last_at) == (0, 1, START)
    assert 10 < lost.tries < 20


async def test_news_of_an_address_alone_is_about_the_newest_message_to_it_unless_that_is_uncertain(
    listener: Listener, clock: ManualClock
) -> None:
    sent, uncertain = await listener.delivery(), await listener.delivery(DeliveryState.UNCERTAIN)
    caller = CALLERS["brevo"]
    for number, one in enumerate((sent, uncertain)):
        assert await listener.post(caller.call("", one.address, clock.now(), f"n{number}")) == 200
    await listener.apply()
    assert [one[2] for one in await events_in(listener.database)] == [sent.id]
    async with listener.database.read() as session:
        left = await session.get(Delivery, uncertain.id)
    assert left is not None
    assert left.state is DeliveryState.UNCERTAIN
