"""Days of voting, campaigns bound by them, and people all over the country."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.election import DAY_BEFORE, ElectionDay
from models.identity import Identity
from models.states import Channel, LeftOutReason, Nature, Purpose
from scheduler.campaigns import schedule
from scheduler.content import ANY_TIME
from scheduler.expansion import launch
from scheduler.rhythm import Rhythm
from store import Database
from store.election_calendar import enter_day
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_template

PARIS = "Europe/Paris"
SUNDAY = date(2026, 3, 15)
"""Five days after `START`."""
MARGIN = timedelta(hours=2)
CLOSED = datetime(2026, 3, 15, 19, tzinfo=UTC)
RHYTHM = Rhythm(windows=ANY_TIME, zone=PARIS)


def at(text: str, zone: str = PARIS) -> datetime:
    """A moment as people there say it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


MAINLAND_CUT = at("2026-03-13 22:00")
MARTINIQUE_CUT = at("2026-03-12 22:00", "America/Martinique")


def a_vote(**changes: Any) -> ElectionDay:
    """The first round of municipal elections everywhere, unless told otherwise."""
    known: dict[str, Any] = {"name": "Municipales", "day": SUNDAY, "day_before": list(DAY_BEFORE)}
    return ElectionDay(**(known | changes))


async def entered(database: Database, **changes: Any) -> ElectionDay:
    """The same in the calendar."""
    async with database.write() as session:
        return await enter_day(session, a_vote(**changes), by="ana@parti.example", now=START)


async def a_person(session: AsyncSession, name: str, **where: str | None) -> Contact:
    """Somebody with an address and a telephone, who lives there as far as it is known."""
    person = await a_contact(session, email=f"{name}@gmail.com", phone=where.pop("phone", None))
    known = {"commune_key": None, "departement": None, "region": None, **where}
    person.sqlmodel_update(known)
    session.add(person)
    await session.flush()
    return person


async def a_bound_campaign(
    session: AsyncSession,
    sender: Identity,
    *,
    nature: Nature = Nature.POLITICAL,
    channel: Channel = Channel.EMAIL,
    purpose: Purpose = Purpose.CAMPAIGN,
    with_seeds: bool = False,
) -> Campaign:
    """A campaign to everybody, of that nature."""
    body = "{{ campaign_name }}: bonjour {{ first_name }}. STOP au 36000" if channel is Channel.SMS else ""
    version = await a_template(session, channel=channel, body=body)
    made = await a_campaign(session, version=version, senders=[sender], with_seeds=with_seeds)
    made.nature, made.purpose = nature, purpose
    session.add(made)
    await session.flush()
    return made


async def launched_at(database: Database, clock: ManualClock, campaign_id: int) -> None:
    """Scheduled and launched at the moment the clock tells."""
    now = clock.now()
    async with database.write() as session:
        await schedule(session, campaign_id, now.replace(tzinfo=None), "UTC", now)
    await launch(database, campaign_id, now, language="fr", rhythm=RHYTHM)


async def deliveries_by_address(database: Database) -> dict[str, Delivery]:
    """Everything queued, by local part."""
    async with database.read() as session:
        rows = (await session.exec(select(Delivery).order_by(sa.column("id")))).all()
    return {row.address.partition("@")[0]: row for row in rows}


async def left_out(database: Database) -> dict[int, LeftOutReason]:
    """Who gets nothing, and why."""
    async with database.read() as session:
        return {row.contact_id: row.reason for row in (await session.exec(select(LeftOut))).all()}
