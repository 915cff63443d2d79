"""From the first version's tables, with data in them, to this version's: nothing lost, nothing invented."""

import asyncio
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from sqlmodel.ext.asyncio.session import AsyncSession

from models.states import CampaignState, DeliveryState, IdentityState
from scheduler.campaigns import resume
from store import Database, campaigns, contacts, identities
from store.engine import make_engine, parse_url
from store.schema import configuration

THEN = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
FIRST, LATEST = "0001", "head"
THEIR_STATES = ("active", "dns_pending", "suspended")
"""Of the identities. Nobody was asked for a proof then: one whose records were to be published could send."""


def fill(connection: sa.Connection) -> None:
    """A small installation of the first version, written as that version wrote it: by its own columns."""
    tables = sa.MetaData()
    tables.reflect(connection)

    def put(name: str, /, **given: object) -> None:
        _put(connection, tables.tables[name], given)

    consents = {"email_consent": "granted", "sms_consent": "unknown", "attributes": {}}
    put("contact", id=1, email="ada@exemple.fr", **consents)
    put("contact", id=2, email="zoe@gmail.com", **consents)
    put("contact", id=3, phone="+33612345678", **consents)
    put("template", id=1, name="Lettre", channel="email")
    put("template_version", id=1, template_id=1, number=1, fallbacks={})
    for number, state in enumerate(THEIR_STATES, 1):
        put("identity", id=number, key=f"i{number}", name="Le Parti", state=state, territory="national")
    put("dkim_key", id=1, identity_id=2, selector="s", algorithm="rsa-sha256")
    put(
        "campaign",
        id=1,
        name="Mars",
        channel="email",
        template_version_id=1,
        identity_rule="one",
        basis="consent",
        state="sending",
        frozen=2,
        expanded=True,
        targeted=2,
        problem_contacts=[],
        launched_at=THEN,
        starts_at=THEN,
    )
    put("campaign_identity", campaign_id=1, identity_id=1)
    for number, address, provider, state in (
        (1, "ada@exemple.fr", "other", "queued"),
        (2, "zoe@gmail.com", "gmail", "accepted"),
    ):
        put(
            "delivery",
            id=number,
            campaign_id=1,
            contact_id=number,
            identity_id=1,
            channel="email",
            address=address,
            provider=provider,
            state=state,
            due_at=THEN,
        )


def _put(connection: sa.Connection, table: sa.Table, given: dict[str, object]) -> None:
    values: dict[str, object] = {}
    for column in table.columns:
        if column.name in given:
            values[column.name] = given[column.name]
        elif not column.nullable and column.server_default is None:
            values[column.name] = _plain(column)
    connection.execute(sa.insert(table).values(values))


def _plain(column: "sa.Column[object]") -> object:
    match column.type:
        case sa.DateTime():
            return THEN
        case sa.Boolean():
            return False
        case sa.Integer() | sa.Float() | sa.Numeric():
            return 0
        case sa.JSON():
            return {}
        case _:
            return "email" if column.name == "channel" else ""


@pytest.fixture
def first_version(database_url: str) -> str:
    """A database of the first version with data in it."""

    async def make() -> None:
        database = Database(database_url)
        await asyncio.to_thread(command.upgrade, configuration(database.url), FIRST)
        engine = make_engine(parse_url(database_url), writes=True, pooled=False)
        async with engine.begin() as connection:
            await connection.run_sync(fill)
        await engine.dispose()
        await database.close()

    asyncio.run(make())
    return database_url


async def column(session: AsyncSession, question: str) -> list[object]:
    found = await (await session.connection()).execute(sa.text(question))
    return [row[0] for row in found]


async def test_what_was_there_is_there_and_what_is_new_is_filled_in(first_version: str) -> None:
    database = Database(first_version)
    assert await database.revision() == FIRST
    await database.migrate()
    assert await database.pending_migration() is None
    async with database.read() as session:
        ada = await contacts.get_contact(session, 1)
        lanes = await column(session, "SELECT provider FROM campaign_lane ORDER BY provider")
        domains = await column(session, "SELECT email_domain FROM contact ORDER BY id")
        progress = await campaigns.progress(session, 1)
        campaign = await campaigns.get_campaign(session, 1)
    assert ada.email == "ada@exemple.fr"
    assert lanes == ["gmail", "other"]
    assert domains == ["exemple.fr", "gmail.com", None]
    assert progress == {DeliveryState.QUEUED: 1, DeliveryState.ACCEPTED: 1}
    assert (campaign.state, campaign.urgent, campaign.windows) == (CampaignState.SENDING, False, [])
    await database.close()


async def test_who_could_send_goes_on_sending_with_the_keys_they_had(first_version: str) -> None:
    database = Database(first_version)
    await database.migrate()
    async with database.read() as session:
        found = await identities.list_identities(session)
        keys = await identities.keys_of(session, 2)
    states = [identity.state for identity in found]
    assert states == [IdentityState.ACTIVE, IdentityState.ACTIVE, IdentityState.SUSPENDED]
    assert [(key.selector, key.active_at) for key in keys] == [("s", THEN)]
    assert [identity.state_since for identity in found] == [THEN] * 3
    await database.close()


async def test_a_campaign_of_then_can_be_worked_with(first_version: str) -> None:
    from scheduler.campaigns import pause
    from scheduler.upkeep import finish_if_done
    from tests.clocks import ManualClock

    database = Database(first_version)
    await database.migrate()
    async with database.write() as session:
        await pause(session, 1, THEN)
    async with database.write() as session:
        await resume(session, 1, THEN)
        await (await session.connection()).execute(sa.text("UPDATE delivery SET state = 'accepted'"))
    await finish_if_done(database, 1, ManualClock())
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, 1)).state is CampaignState.FINISHED
    await database.close()


async def test_the_way_back_leads_to_the_first_version(first_version: str) -> None:
    database = Database(first_version)
    await database.migrate()
    await asyncio.to_thread(command.downgrade, configuration(database.url), FIRST)
    assert await database.revision() == FIRST
    await database.migrate()
    assert await database.pending_migration() is None
    async with database.read() as session:
        assert (await contacts.get_contact(session, 2)).email == "zoe@gmail.com"
    await database.close()


async def test_the_job_engine_s_tables_are_on_postgresql_alone(database_url: str) -> None:
    database = Database(database_url)
    await database.migrate()
    async with database.read() as session:
        if database.is_sqlite:
            found = await session.scalar(
                sa.text("SELECT count(*) FROM sqlite_master WHERE name LIKE 'procrastinate%'")
            )
        else:
            found = await session.scalar(
                sa.text(
                    "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'procrastinate%'"
                    " AND schemaname = 'engine'"
                )
            )
            astray = await session.scalar(
                sa.text(
                    "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'procrastinate%'"
                    " AND schemaname <> 'engine'"
                )
            )
            assert astray == 0
    assert bool(found) is not database.is_sqlite
    await database.close()
