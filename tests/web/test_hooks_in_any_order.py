"""Every provider's news, told ten times in any order and in any portions, ends in the same state."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlmodel import col, select

from deliverability.signals.hooks import PROVIDERS
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.states import Channel, DeliveryState, EventKind, SuppressionReason
from models.suppression import Suppression, address_hash
from store import Database
from tests.clocks import START
from tests.deliverability import rows
from tests.hook_callers import CALLERS, Call, mailgun_body
from tests.hook_stories import TELLERS, WORDS
from tests.web.browsers import Site
from tests.web.test_hooks import Listener

Told = tuple[str, datetime, object]
"""One event as a provider tells it: its number, its moment, its words."""
SIGNED_ONCE = frozenset({"amazon_ses", "mailgun"})
"""What they tell again is the very call they made before."""
TIMES = 10
ORDERS = 3
TRIED = [("sqlite", key) for key in PROVIDERS] + [("postgresql", key) for key in ("amazon_ses", "sendgrid")]
LIVES = (
    WORDS,
    ("taken", "delivered", "open", "leave", "complaint"),
    ("delivered", "gone", "click"),
    ("later", "full", "later", "delivered"),
    ("later", "gone", "strange"),
    ("full",),
)
"""What becomes of the messages to six people; words a provider does not have are left out."""


@dataclass(frozen=True)
class Person:
    """One of those written to, twice: news of both messages comes mixed up."""

    contact: Contact
    deliveries: tuple[Delivery, Delivery]


async def some_people(database: Database, *, uncertain: bool) -> list[Person]:
    state = DeliveryState.UNCERTAIN if uncertain else DeliveryState.ACCEPTED
    people = []
    async with database.write() as session:
        for _ in LIVES:
            contact = await rows.a_contact(session)
            first = await rows.a_delivery(session, contact=contact, state=state)
            second = await rows.a_delivery(session, contact=contact)
            people.append(Person(contact, (first, second)))
    return people


def told_of(listener: Listener, key: str, people: list[Person]) -> Iterator[Told]:
    """Every event of every message; the second message of each arrives and is opened."""
    teller = TELLERS[key]
    for person, life in zip(people, LIVES, strict=True):
        stories = zip(person.deliveries, (life, ("delivered", "open")), strict=True)
        for delivery, words in stories:
            for place, word in enumerate(dict.fromkeys(words)):
                if word not in teller.words:
                    continue
                number, at = f"{delivery.id}-{word}", START - timedelta(hours=1) + timedelta(minutes=place)
                token = listener.token(delivery.id)
                yield number, at, teller.event(word, token, delivery.address, number, at)


async def tell(listener: Listener, key: str, told: list[Told]) -> None:
    """One call of the provider, signed as it signs."""
    caller, now = CALLERS[key], listener.clock.now()
    number, at, _ = told[0]
    if key in SIGNED_ONCE:
        now = at
    body = TELLERS[key].wrap([event for _, _, event in told])
    if key == "mailgun":
        body = body.removesuffix(b"}") + b', "signature": ' + _mailgun_proof(number, now) + b"}"
    body = caller.seals(body, number, now)
    headers = {"content-type": caller.content_type, **caller.sign(body, number, now)}
    assert await listener.post(Call(f"/hooks/{key}", headers, body)) == 200


def _mailgun_proof(number: str, now: datetime) -> bytes:
    return json.dumps(json.loads(mailgun_body("", "", number, now))["signature"]).encode()


async def state_of(database: Database, key: str, people: list[Person]) -> list[Any]:
    """All that followed, without numbers and moments of writing."""
    found: list[Any] = []
    async with database.read() as session:
        for person in people:
            for delivery in person.deliveries:
                events = await session.exec(
                    select(Event)
                    .where(Event.delivery_id == delivery.id)
                    .order_by(col(Event.at), col(Event.kind))
                )
                said = [
                    (one.kind, one.bounce_class, one.fault, one.at) for one in events if one.source == key
                ]
                after = await session.get(Delivery, delivery.id)
                assert after is not None
                found.append((sorted(said, key=repr), after.state))
            fingerprint = address_hash(Channel.EMAIL, person.contact.email or "")
            rules = await session.exec(select(Suppression).where(Suppression.address_hash == fingerprint))
            contact = await session.get(Contact, person.contact.id)
            assert contact is not None
            found.append(
                (
                    sorted((one.reason, one.lifted_at is None, one.until) for one in rules),
                    contact.email_consent,
                )
            )
    return found


async def in_one_order(listener: Listener, key: str, dice: Random, *, uncertain: bool) -> list[Any]:
    people = await some_people(listener.database, uncertain=uncertain)
    told = list(told_of(listener, key, people)) * TIMES
    dice.shuffle(told)
    while told:
        some = dice.randint(1, 40) if TELLERS[key].many else 1
        await tell(listener, key, told[:some])
        told = told[some:]
        if dice.random() < (0.3 if TELLERS[key].many else 0.03):
            listener.clock.advance(timedelta(seconds=dice.randint(0, 20)))
            await listener.apply()
    await listener.apply()
    return await state_of(listener.database, key, people)


@pytest.mark.parametrize(("migrated_url", "key"), TRIED, indirect=["migrated_url"])
async def test_told_ten_times_in_any_order_it_ends_in_the_same_state(site: Site, key: str) -> None:
    listener = Listener(site)
    ends = [
        await in_one_order(listener, key, Random(f"{key} {number}"), uncertain=number % 2 == 1)
        for number in range(ORDERS)
    ]
    for end in ends[1:]:
        assert end == ends[0]
    kinds = {kind for part in ends[0] if isinstance(part[0], list) for kind, *_ in part[0]}
    assert {EventKind.BOUNCED, EventKind.DELIVERED, EventKind.OPENED} <= kinds
    # Somebody is written to no more: what is compared is not nothing.
    assert any(rule is SuppressionReason.HARD_BOUNCE for rules, _ in ends[0][2::3] for rule, *_ in rules)
