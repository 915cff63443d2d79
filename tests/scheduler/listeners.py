"""Endpoints that hear of what happens, and things that happen."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

from sqlmodel import col, select

from models.api import KeyMode
from models.campaign import Campaign
from models.clock import Clock
from models.delivery import Delivery
from models.event import event_about
from models.states import EventKind
from models.webhook import WebhookEndpoint, WebhookNotice, WebhookOutbox
from scheduler.courier import Courier, CourierOptions
from store import Database, events, webhooks
from tests.clocks import START
from tests.deliverability.rows import a_delivery
from tests.factories import KEYRING

SECRET = "whsec_" + base64.b64encode(b"thirty-two octets of no secrecy!").decode()
_numbers = count(1)


async def an_endpoint(
    database: Database,
    url: str,
    *,
    mode: KeyMode = KeyMode.LIVE,
    event_types: Sequence[str] = (),
    secret: str = SECRET,
) -> WebhookEndpoint:
    """One that hears of everything unless told otherwise."""
    async with database.write() as session:
        return await webhooks.add_endpoint(
            session,
            url=url,
            mode=mode,
            event_types=event_types,
            sealed_secret=KEYRING.encrypt(secret),
            by="test",
            now=START,
        )


def a_courier(database: Database, clock: Clock, **changes: Any) -> Courier:
    """One that reaches this machine."""
    options = {"loopback": True, "look_every": timedelta(seconds=0.02)}
    return Courier(database, clock, KEYRING, CourierOptions(**{**options, **changes}))


async def happen(
    database: Database, kind: EventKind = EventKind.ACCEPTED, times: int = 1, **given: Any
) -> Delivery:
    """Something that happens to a message, so many times."""
    async with database.write() as session:
        delivery = await a_delivery(session, **given)
        for _ in range(times):
            event = event_about(
                delivery, kind, source="test", source_id=str(next(_numbers)), at=START, now=START
            )
            assert await events.append(session, event)
    return delivery


async def noted(database: Database) -> list[tuple[str, str]]:
    """What stands in the outbox: types and modes."""
    async with database.read() as session:
        rows = (await session.exec(select(WebhookOutbox).order_by(col(WebhookOutbox.id)))).all()
    return [(row.event_type, row.mode.value) for row in rows]


async def notices(database: Database) -> list[WebhookNotice]:
    """Every notice, oldest first."""
    async with database.read() as session:
        return list((await session.exec(select(WebhookNotice).order_by(col(WebhookNotice.id)))).all())


async def endpoints(database: Database) -> list[WebhookEndpoint]:
    """Every endpoint, as it is now."""
    async with database.read() as session:
        return await webhooks.list_endpoints(session)


async def try_out(database: Database, campaign: Campaign) -> None:
    """Make a campaign one that leaves for nowhere."""
    async with database.write() as session:
        found = await session.get(Campaign, campaign.id)
        assert found is not None
        found.test = True
        session.add(found)
