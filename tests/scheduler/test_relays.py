"""From a campaign through a provider's relay and back by its webhook: news finds the message it is about."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlmodel import select

from deliverability.signals.hooks import PROVIDERS, HookRequest
from models.clock import SystemClock
from models.event import Event
from models.states import DeliveryState, EventKind
from models.tokens import Tokens
from models.values import Signal
from scheduler.letters import Addresses
from scheduler.news import apply_news
from scheduler.scribe import Office, Order, Scribe
from sender import SmtpOptions, SmtpServer, SmtpTransport
from sender.relays import MANNERS, ProviderRelay
from sender.smtp import Tls
from store import Database, news
from tests.factories import KEYRING
from tests.scheduler.desks import a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign, rows
from tests.scheduler.test_scribes import a_pen, a_wording, letters_of
from tests.sender.servers import Manners, SmtpPeer
from tests.sender.test_relays import NUMBERS

ADA = "ada@gmail.com"
Story = Callable[[str, str], object]


def _sns(event: Mapping[str, Any]) -> object:
    return {"Type": "Notification", "MessageId": "n-1", "Message": json.dumps(event)}


def _ses(remembered: str, number: str) -> object:
    name, _, token = remembered.partition("=")
    tags = {name: [token]} if token else {}
    mail = {"messageId": number, "destination": [ADA], "tags": tags}
    return _sns({"eventType": "Delivery", "delivery": {"recipients": [ADA]}, "mail": mail})


def _sendgrid(remembered: str, number: str) -> object:
    told = json.loads(remembered)["unique_args"] if remembered else {}
    return [
        {"event": "delivered", "email": ADA, "sg_message_id": f"{number}.filter0077p1.215.5717FC.0", **told}
    ]


def _mailgun(remembered: str, _number: str) -> object:
    event = {"event": "delivered", "id": "e-1", "recipient": ADA, "user-variables": json.loads(remembered)}
    return {"event-data": event}


def _mailjet(remembered: str, number: str) -> object:
    told = {"event": "sent", "email": ADA, "MessageID": 19421777835146490, "Message_GUID": number}
    return [told | {"CustomID": remembered}]


def _brevo(remembered: str, number: str) -> object:
    return {"event": "delivered", "email": ADA, "message-id": f"<{number}>", "X-Mailin-custom": remembered}


def _postmark(remembered: str, _number: str) -> object:
    return {"RecordType": "Delivery", "Recipient": ADA, "Metadata": {"tocsin": remembered}}


def _sparkpost(remembered: str, _number: str) -> object:
    event = {
        "type": "delivery",
        "event_id": "1",
        "rcpt_to": ADA,
        "rcpt_meta": json.loads(remembered)["metadata"],
    }
    return [{"msys": {"message_event": event}}]


def _mandrill(remembered: str, _number: str) -> object:
    return [{"event": "delivered", "msg": {"email": ADA, "_id": "m-1", "metadata": json.loads(remembered)}}]


def _postal(remembered: str, _number: str) -> object:
    message = {"id": 1, "to": ADA, "tag": remembered, "direction": "outgoing", "message_id": "x@rp.example"}
    return {"event": "MessageSent", "uuid": "u-1", "payload": {"message": message}}


STORIES: Mapping[str, Story] = {
    "amazon_ses": _ses,
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "mailjet": _mailjet,
    "brevo": _brevo,
    "postmark": _postmark,
    "sparkpost": _sparkpost,
    "mandrill": _mandrill,
    "postal": _postal,
}
"""What a provider's webhook says of a delivered message, of what its header said and of its number."""


def told_by(key: str, remembered: str, number: str) -> list[Signal]:
    """What the provider's call is read as."""
    said = STORIES[key](remembered, number)
    body, kind = json.dumps(said).encode(), "application/json"
    if key == "mandrill":
        body, kind = (
            urlencode({"mandrill_events": json.dumps(said)}).encode(),
            "application/x-www-form-urlencoded",
        )
    request = HookRequest("https://tocsin.exemple.fr/hooks/x", {"content-type": kind}, body)
    return PROVIDERS[key].read(request, Tokens(KEYRING), SystemClock().now())


@asynccontextmanager
async def a_relay(reply: str) -> AsyncIterator[SmtpPeer]:
    peer = await SmtpPeer(Manners(replies={"DOT": reply})).start()
    yield peer
    await peer.stop()


async def sent_through(database: Database, key: str, reply: str) -> str:
    """Send a message through the provider; what its header had it remember."""
    await a_running_campaign(database, ADA)
    async with a_relay(reply) as peer:
        relay = ProviderRelay(key)
        transport = SmtpTransport(
            SmtpOptions(relay=SmtpServer("127.0.0.1", peer.port, Tls.NONE), number_in=relay.number_in)
        )
        clock = SystemClock()
        await drain_all(database, a_dispatcher(database, transport, clock, relay=relay), clock.now())
        await transport.close()
        (letter,) = peer.messages
    parsed = message_from_bytes(letter.content, policy=policy.default)
    return str(parsed.get(MANNERS[key].header or "X-Nothing", ""))


async def apply_all(database: Database, told: list[Signal]) -> list[tuple[int | None, EventKind]]:
    """Store and apply; which deliveries something was recorded of."""
    async with database.write() as session:
        await news.keep(session, told, SystemClock().now())
    await apply_news(database, SystemClock())
    async with database.read() as session:
        found = (await session.exec(select(Event).where(Event.source == told[0].source))).all()
        return [(event.delivery_id, EventKind(event.kind)) for event in found]


def test_every_provider_with_webhooks_can_be_the_relay() -> None:
    assert set(MANNERS) == set(PROVIDERS)
    assert set(STORIES) == {key for key, manner in MANNERS.items() if manner.header}


@pytest.mark.parametrize("key", STORIES)
async def test_what_a_provider_remembers_leads_its_news_to_the_message(database: Database, key: str) -> None:
    remembered = await sent_through(database, key, "250 2.0.0 Kept")
    delivery = (await rows(database))[ADA]
    assert (delivery.state, delivery.provider_message_id) == (DeliveryState.ACCEPTED, None)
    (told,) = told_by(key, remembered, "unknown-number")
    assert told.delivery_id == delivery.id
    assert await apply_all(database, [told]) == [(delivery.id, EventKind.DELIVERED)]


@pytest.mark.parametrize("key", NUMBERS)
async def test_the_number_a_relay_answered_with_leads_its_news_to_the_message(
    database: Database, key: str
) -> None:
    number, said = NUMBERS[key]
    await sent_through(database, key, said.format(number))
    delivery = (await rows(database))[ADA]
    assert delivery.provider_message_id == number
    (told,) = told_by(key, "", number)
    nameless = replace(told, recipient=None)
    assert nameless.delivery_id is None
    assert await apply_all(database, [nameless]) == [(delivery.id, EventKind.DELIVERED)]


async def test_a_relay_that_is_nobodys_is_told_nothing_and_asked_for_no_number(database: Database) -> None:
    await a_running_campaign(database, ADA)
    number, said = NUMBERS["amazon_ses"]
    async with a_relay(said.format(number)) as peer:
        transport = SmtpTransport(SmtpOptions(relay=SmtpServer("127.0.0.1", peer.port, Tls.NONE)))
        clock = SystemClock()
        await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
        await transport.close()
        (letter,) = peer.messages
    assert (await rows(database))[ADA].provider_message_id is None
    parsed = message_from_bytes(letter.content, policy=policy.default)
    headers = {manner.header.lower() for manner in MANNERS.values() if manner.header}
    assert not headers & {name.lower() for name in parsed}
    assert "message-id" in "".join(parsed["DKIM-Signature"].lower().split())


def test_scribes_tell_the_provider_as_this_process_does() -> None:
    relay, pen = ProviderRelay("sparkpost"), a_pen()
    addresses = Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr", relay)
    scribe = Scribe(Office(addresses.public_url, dict(addresses.tokens.keys), relay))
    letters = [tuple(letter) for letter in letters_of(1, count=1)]
    now, told = SystemClock().now(), (pen.letterhead, pen.sender)
    (sheet,) = scribe.carry_out(Order(1, now, "k", told, {1: a_wording(1)}, (), letters)).sheets
    assert b"\r\nX-MSYS-API: " in sheet[3]
