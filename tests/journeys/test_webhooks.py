"""Ten providers call a running Tocsin, each with its own signing scheme, and strangers call it as well.

`tocsin serve` runs in a process of its own and is called over HTTP. What Amazon signs with is fetched over
TLS, by way of a proxy that leads Amazon's name to a server of ours.
"""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select

from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event, Incoming
from models.news import News
from models.states import BounceClass, DeliveryState, EventKind
from models.suppression import Suppression
from models.tokens import TokenPurpose
from store import Database
from tests.deliverability.rows import TOKENS, a_delivery
from tests.hook_callers import (
    CALLERS,
    CERTIFICATE,
    CERTIFICATE_URL,
    SECRETS,
    TOPIC,
    Call,
    mailgun_body,
    seal_sns,
)
from tests.servers.web_peer import StartWebPeer, WebPeer, answer
from tests.service.conftest import LAUNCH, Tocsin, ready, tocsin

__all__ = ["ready", "tocsin"]

pytestmark = pytest.mark.journey
SECRET = "a secret for tests, long enough to be one"
AMAZON = "sns.eu-west-3.amazonaws.com"
CONFIRM = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
UNSIGNED = frozenset({"mailjet", "brevo", "postmark", "sparkpost"})
"""They sign nothing; a name and password prove them."""
TABLES: tuple[Any, ...] = (Event, News, Suppression, Incoming)


@asynccontextmanager
async def proxy_to(peer: WebPeer) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy's address, and whom it was asked for; Amazon's name leads to `peer`, no other anywhere."""
    asked: list[str] = []
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b" ")[1].decode())
        if asked[-1] != f"{AMAZON}:443":
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there, to_there = await asyncio.open_connection("127.0.0.1", peer.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, to_there), pump(there, writer))

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Listener:
    """A running `tocsin serve` that listens to every provider, and its database."""

    client: httpx.AsyncClient
    database: Database
    asked: list[str]
    amazon: WebPeer

    async def post(self, call: Call, number: int = 0, **changed: Any) -> int:
        """The answer's status, 413 when it hangs up in the midst; each `number` calls from elsewhere."""
        given = {"headers": dict(call.headers), "content": call.body} | changed
        given["headers"] = {**given["headers"], "x-forwarded-for": f"192.0.2.{number}"}
        try:
            return (await self.client.post(call.path, **given)).status_code
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            return 413

    async def a_message(self) -> Delivery:
        async with self.database.write() as session:
            return await a_delivery(session)

    async def rows(self) -> dict[str, list[str]]:
        """Everything a webhook could change."""
        found = {}
        async with self.database.read() as session:
            for table in TABLES:
                found[table.__name__] = [repr(row) for row in (await session.exec(select(table))).all()]
            states = (await session.exec(select(Delivery.id, Delivery.state, Delivery.reason))).all()
        found["Delivery"] = [repr(row) for row in states]
        return found

    async def until(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Wait for the service's own jobs; TimeoutError when they do not get there."""
        async with asyncio.timeout(60):
            while not await done():
                await asyncio.sleep(0.1)


@pytest.fixture
async def listener(ready: Tocsin, web_peer: StartWebPeer) -> AsyncIterator[Listener]:
    amazon = await web_peer(AMAZON)
    amazon.answers[CERTIFICATE_URL.removeprefix(f"https://{AMAZON}")] = answer(CERTIFICATE)
    amazon.answers[CONFIRM] = answer(b"<ok/>")
    hooks = {f"TOCSIN_HOOK_{key.upper()}": " ".join(secrets) for key, secrets in SECRETS.items()}
    async with proxy_to(amazon) as (proxy, asked):
        environment = ready.environment(
            **hooks,
            TOCSIN_SECRET_KEY=SECRET,
            TOCSIN_PUBLIC_URL="http://tocsin.test",
            TOCSIN_LOG_LEVEL="warning",
            HTTPS_PROXY=proxy,
            SSL_CERT_FILE=str(amazon.ca_file),
        )
        with subprocess.Popen(  # noqa: ASYNC220 - waited for in a thread
            [*LAUNCH, "serve", "--port", "0"],
            cwd=ready.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                greeting = await asyncio.to_thread(process.stdout.readline)
                place = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+", greeting)
                assert place, greeting
                database = Database(f"sqlite:///{ready.folder}/tocsin-data/tocsin.db")
                async with httpx.AsyncClient(base_url=place[0], trust_env=False, timeout=30) as client:
                    yield Listener(client, database, asked, amazon)
                await database.close()
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(process.wait, 40)
                if process.poll() is None:
                    process.kill()


def strangers(key: str, token: str, address: str, now: datetime) -> list[tuple[str, Call, dict[str, Any]]]:
    """Calls that are not the provider's, or not of now, and what is changed about each on the way."""
    caller = CALLERS[key]
    call = caller.call(token, address, now, "stranger")
    plain = {"content-type": caller.content_type}
    found: list[tuple[str, Call, dict[str, Any]]] = [
        ("empty", call, {"content": b"", "headers": plain}),
        ("another type", call, {"headers": {**call.headers, "content-type": "text/html"}}),
        ("no type", call, {"headers": {k: v for k, v in call.headers.items() if k != "content-type"}}),
        ("oversized", call, {"content": call.body + b" " * 9 * 1024 * 1024}),
        ("of endless length", call, {"content": _endless(call.body)}),
    ]
    if key not in {"amazon_ses", "mailgun"}:  # theirs is in the body
        found.append(("unsigned", call, {"headers": plain}))
    signature = {
        name: value[:-8] + "AAAAAAA=" for name, value in call.headers.items() if name != "content-type"
    }
    if signature:
        found.append(("forged", call, {"headers": {**call.headers, **signature}}))
    if caller.dated:
        found += [
            (f"signed {off} ago", caller.call(token, address, now - off, f"old-{off}"), {})
            for off in (timedelta(days=3), timedelta(hours=-2))
        ]
    if key == "mailgun":
        body = call.body.replace(b'"signature": "', b'"signature": "0', 1)
        found.append(("forged in the body", call, {"content": body}))
    elif key not in UNSIGNED:
        local = address.partition("@")[0].encode()
        found.append(("of another person", call, {"content": call.body.replace(local, b"victime")}))
    if key == "amazon_ses":
        message = caller.bounce(token, address, "n", now)
        found += [
            (
                "of another topic",
                Call(call.path, plain, seal_sns(message, "n", now, TopicArn=TOPIC + "x")),
                {},
            ),
            (
                "with a certificate of somebody's",
                Call(
                    call.path, plain, seal_sns(message, "n", now, SigningCertURL="https://evil.example/a.pem")
                ),
                {},
            ),
        ]
    return found


async def _endless(start: bytes) -> AsyncIterator[bytes]:
    """No length is announced, and it goes on and on."""
    yield start
    for _ in range(10):
        yield b" " * 1024 * 1024


async def test_strangers_change_nothing_and_each_provider_is_heard_once(listener: Listener) -> None:
    now = SystemClock().now()
    messages = {key: await listener.a_message() for key in CALLERS}
    tokens = {key: TOKENS.make(TokenPurpose.MESSAGE, messages[key].id) for key in CALLERS}
    before = await listener.rows()
    for number, key in enumerate(CALLERS):
        for what, call, changed in strangers(key, tokens[key], messages[key].address, now):
            # Each from elsewhere: whoever forges a lot is made to wait.
            status = await listener.post(call, number, **changed)
            assert status in {403, 413, 415}, (key, what, status)
    await asyncio.sleep(1.2)  # as long as the job takes to look
    assert await listener.rows() == before

    calls = {key: CALLERS[key].call(tokens[key], messages[key].address, now) for key in CALLERS}
    assert {key: await listener.post(call) for key, call in calls.items()} == dict.fromkeys(CALLERS, 200)

    async def are_applied() -> bool:
        return len((await listener.rows())["Event"]) == len(CALLERS)

    await listener.until(are_applied)
    after = await listener.rows()
    assert {len(after[table.__name__]) for table in TABLES} == {len(CALLERS)}
    async with listener.database.read() as session:
        events = (await session.exec(select(Event))).all()
    assert {event.source: event.delivery_id for event in events} == {key: messages[key].id for key in CALLERS}
    assert {event.kind for event in events} == {EventKind.BOUNCED}
    assert {event.bounce_class for event in events} == {BounceClass.NO_SUCH_ADDRESS}

    for key, call in calls.items():
        assert [await listener.post(call) for _ in range(3)] == [200] * 3, key
    other = mailgun_body(tokens["mailgun"], "victime@exemple.fr", "event-1", now)
    assert await listener.post(replace(calls["mailgun"], body=other)) == 403
    await asyncio.sleep(1.2)
    assert await listener.rows() == after


async def test_a_subscription_is_confirmed_over_tls_for_our_topic_alone(listener: Listener) -> None:
    now, url = SystemClock().now(), f"https://{AMAZON}{CONFIRM}"
    kind = {"Type": "SubscriptionConfirmation", "Token": "t"}

    def confirmation(**given: str) -> Call:
        body = seal_sns(b"Confirm it", "s-1", now, **{**kind, "SubscribeURL": url, **given})
        return Call("/hooks/amazon_ses", {"content-type": "text/plain"}, body)

    assert await listener.post(confirmation(TopicArn=TOPIC + "x")) == 403
    assert listener.asked == []
    assert await listener.post(confirmation(SubscribeURL="https://evil.example/")) == 200
    assert await listener.post(confirmation()) == 200
    assert [path for path in listener.amazon.asked if "Confirm" in path] == [CONFIRM]
    assert set(listener.asked) == {f"{AMAZON}:443"}
    assert sum("SimpleNotificationService" in path for path in listener.amazon.asked) == 1
    listener.amazon.answers[CONFIRM] = answer(b"", "302 Found", "Location: https://evil.example/")
    assert await listener.post(confirmation()) == 503
    assert set(listener.asked) == {f"{AMAZON}:443"}


async def test_a_message_is_settled_by_news_that_only_a_sent_one_can_bring(listener: Listener) -> None:
    async with listener.database.write() as session:
        unsure = await a_delivery(session, state=DeliveryState.UNCERTAIN)
    token = TOKENS.make(TokenPurpose.MESSAGE, unsure.id)
    call = CALLERS["postmark"].call(token, unsure.address, SystemClock().now())
    assert await listener.post(call) == 200

    async def is_settled() -> bool:
        async with listener.database.read() as session:
            state = (await session.exec(select(Delivery.state).where(Delivery.id == unsure.id))).one()
            return state is DeliveryState.ACCEPTED

    await listener.until(is_settled)
