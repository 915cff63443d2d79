"""The ledger before news comes: a campaign that was handed over, and one row after another as a yardstick."""

import time
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import col, select

from benchmarks import newsletter
from benchmarks.event_plan import UNCERTAIN_EVERY, Message
from benchmarks.ledger import SIGNING_DOMAIN, add_people
from models.campaign import Campaign
from models.clock import SystemClock
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.states import CampaignState, Channel, DeliveryState, EventKind
from models.tokens import TokenPurpose, Tokens
from store import Database, templates
from store.outcomes import SOURCE

AGO = timedelta(hours=1)
"""When everything left."""
AT_ONCE = 5_000


class Ledger:
    """Hands out campaigns of people nobody has written to before."""

    def __init__(self, database: Database, identity_id: int, tokens: Tokens) -> None:
        """On an empty database with one identity."""
        self.database, self._identity_id, self._tokens = database, identity_id, tokens
        self._people = self.campaigns = 0

    async def handed_over(self, count: int, name: str) -> tuple[int, list[Message]]:
        """A campaign of `count` messages, all of them with the other side, a few uncertain; its number."""
        self.campaigns += 1
        first = self._people + 1
        self._people += count
        await add_people(self.database, first, count, name)
        now = SystemClock().now() - AGO
        async with self.database.write() as session:
            campaign = await self._campaign(session, name, count, now)
            wanted = select(Contact.id, Contact.email).where(Contact.canton_key == name)
            people = (await session.exec(wanted.order_by(col(Contact.id)))).all()
            connection = await session.connection()
            for start in range(0, count, AT_ONCE):
                rows = [
                    self._delivery(campaign, place, (people[place][0], people[place][1]), now)
                    for place in range(start, min(start + AT_ONCE, count))
                ]
                await connection.execute(sa.insert(Delivery), rows)
            return campaign, await self._tell_accepted(session, campaign, now)

    async def _campaign(self, session: Any, name: str, count: int, now: datetime) -> int:
        version = await templates.save_version(
            session,
            name="lettre",
            channel=Channel.EMAIL,
            subject=newsletter.SUBJECT,
            preheader=newsletter.PREHEADER,
            body=newsletter.mjml(),
            fallbacks={},
            now=now,
        )
        campaign = Campaign(
            name=name,
            channel=Channel.EMAIL,
            template_version_id=version.id,
            state=CampaignState.SENDING,
            launched_at=now,
            starts_at=now,
            expanded=True,
            targeted=count,
            frozen=count,
            created_at=now,
            updated_at=now,
        )
        session.add(campaign)
        await session.flush()
        return campaign.id

    def _delivery(
        self, campaign_id: int, place: int, person: tuple[int, str | None], now: datetime
    ) -> dict[str, object]:
        state = DeliveryState.UNCERTAIN if place % UNCERTAIN_EVERY == 0 else DeliveryState.ACCEPTED
        return {
            "campaign_id": campaign_id,
            "contact_id": person[0],
            "channel": Channel.EMAIL,
            "identity_id": self._identity_id,
            "provider": "other",
            "address": person[1],
            "state": state,
            "due_at": now,
            "attempts": 1,
            "first_attempt_at": now,
            "settled_at": now,
        }

    async def _tell_accepted(self, session: Any, campaign_id: int, now: datetime) -> list[Message]:
        """The events of the handing over, and the numbers by which a provider knows the messages."""
        delivery: Any = cast("Any", Delivery).__table__
        number = sa.literal("0102-", sa.Text) + sa.cast(delivery.c.id, sa.Text)
        mine = delivery.c.campaign_id == campaign_id
        await session.exec(sa.update(delivery).where(mine).values(provider_message_id=number))
        found = await session.exec(sa.select(delivery).where(mine).order_by(delivery.c.id))
        rows = found.all()
        told = [self._accepted(row, now) for row in rows if row.state == DeliveryState.ACCEPTED]
        connection = await session.connection()
        for start in range(0, len(told), AT_ONCE):
            await connection.execute(sa.insert(Event), told[start : start + AT_ONCE])
        make, domain = self._tokens.make, f"retours.{SIGNING_DOMAIN}"
        return [
            Message(
                row.id,
                row.contact_id,
                row.address,
                make(TokenPurpose.MESSAGE, row.id),
                f"b+{make(TokenPurpose.BOUNCE, row.id)}@{domain}",
                row.state == DeliveryState.UNCERTAIN,
            )
            for row in rows
        ]

    def _accepted(self, row: Any, now: datetime) -> dict[str, object]:
        return {
            "delivery_id": row.id,
            "campaign_id": row.campaign_id,
            "identity_id": row.identity_id,
            "contact_id": row.contact_id,
            "provider": row.provider,
            "kind": EventKind.ACCEPTED,
            "code": 250,
            "text": "2.0.0 Ok: queued",
            "source": SOURCE,
            "source_id": f"{row.id}/1",
            "details": {},
            "at": now,
            "recorded_at": now,
        }


async def analyse(database: Database) -> None:
    """What the database's own upkeep would have done by the time news comes."""
    if not database.is_sqlite:
        async with database.write() as session:
            await (await session.connection()).execute(sa.text("ANALYZE"))


async def commits_a_second(database: Database, seconds: float = 2.0) -> float:
    """Rows a second that this database takes one by one, each committed: an event's width, no index."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS yardstick (told text)"))
    text, count, begun = "x" * 300, 0, time.monotonic()
    while (gone := time.monotonic() - begun) < seconds:
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(sa.text("INSERT INTO yardstick VALUES (:told)"), {"told": text})
        count += 1
    return count / gone
