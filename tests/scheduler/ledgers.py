"""A campaign on its way, and what the ledger holds of it: what tests of sending begin and end with."""

from sqlmodel import col, select

from models.delivery import Delivery
from models.event import Event
from models.states import DeliveryState, EventKind
from store import Database
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import launched


async def a_running_campaign(database: Database, *addresses: str) -> int:
    """A launched campaign to those people; its number."""
    async with database.write() as session:
        for address in addresses:
            await a_contact(session, email=address)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    return campaign.id


async def rows(database: Database) -> dict[str, Delivery]:
    """Every delivery, by address."""
    async with database.read() as session:
        return {row.address: row for row in (await session.exec(select(Delivery))).all()}


async def states(database: Database) -> dict[str, DeliveryState]:
    """Where every delivery is, by address."""
    return {address: row.state for address, row in (await rows(database)).items()}


async def kinds(database: Database) -> list[EventKind]:
    """What happened, in the order in which it was recorded."""
    async with database.read() as session:
        wanted = select(Event.kind).order_by(col(Event.id))
        return [EventKind(word) for word in (await session.exec(wanted)).all()]
