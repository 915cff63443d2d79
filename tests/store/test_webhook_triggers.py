"""Whatever somebody subscribed to is noted in the transaction that writes it, and nothing else is."""

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.api import KeyMode
from models.campaign import Campaign
from models.event import Event, event_about
from models.states import CampaignState, EventKind
from models.webhook import EndpointState
from models.webhook_types import OF_CAMPAIGNS, OF_EVENTS, TYPES
from store import Database, campaigns, events, webhook_triggers, webhooks
from tests.clocks import START
from tests.deliverability.rows import a_delivery, a_launched_campaign, a_seed
from tests.scheduler.listeners import an_endpoint, happen, noted, try_out

URL = "https://hooks.example/"


async def test_without_an_endpoint_nothing_is_noted(database: Database) -> None:
    await happen(database, times=3)
    assert await noted(database) == []


async def test_a_disabled_endpoint_hears_of_nothing(database: Database) -> None:
    endpoint = await an_endpoint(database, URL)
    async with database.write() as session:
        assert await webhooks.set_state(session, endpoint.id, EndpointState.DISABLED)
    await happen(database)
    assert await noted(database) == []


@pytest.mark.parametrize("kind", list(EventKind))
async def test_each_kind_of_event_is_noted_as_the_table_has_it(database: Database, kind: EventKind) -> None:
    await an_endpoint(database, URL)
    await happen(database, kind)
    wanted = OF_EVENTS.get(kind)
    assert await noted(database) == ([] if wanted is None else [(wanted, "live")])


async def test_only_what_was_asked_for_is_noted(database: Database) -> None:
    await an_endpoint(database, URL, event_types=["message.bounced", "message.clicked"])
    for kind in (EventKind.ACCEPTED, EventKind.REFUSED, EventKind.OPENED, EventKind.CLICKED):
        await happen(database, kind)
    assert [told for told, _ in await noted(database)] == ["message.bounced", "message.clicked"]


async def test_many_events_of_one_statement_are_each_noted_once_in_their_order(database: Database) -> None:
    await an_endpoint(database, URL)
    async with database.write() as session:
        delivery = await a_delivery(session)
        some = [
            event_about(delivery, kind, source="s", source_id=str(place), at=START, now=START)
            for place, kind in enumerate([EventKind.ACCEPTED, EventKind.HELD, EventKind.DELIVERED] * 100)
        ]
        assert await events.append_many(session, some) == 300
        assert await events.append_many(session, some) == 0
    assert [told for told, _ in await noted(database)] == ["message.sent", "message.delivered"] * 100


async def test_what_is_rolled_back_is_not_noted(database: Database) -> None:
    await an_endpoint(database, URL)

    async def fail() -> None:
        async with database.write() as session:
            delivery = await a_delivery(session)
            event = event_about(delivery, EventKind.ACCEPTED, source="s", source_id="1", at=START, now=START)
            await events.append(session, event)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await noted(database) == []


async def test_tests_are_noted_for_test_endpoints_and_the_rest_for_live_ones(database: Database) -> None:
    await an_endpoint(database, URL, mode=KeyMode.TEST)
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
    await try_out(database, campaign)
    await happen(database, campaign=campaign)
    await happen(database)
    assert await noted(database) == [("message.sent", "test")]
    await an_endpoint(database, URL, mode=KeyMode.LIVE)
    await happen(database)
    assert (await noted(database))[1:] == [("message.sent", "live")]


async def test_an_event_about_no_delivery_is_live(database: Database) -> None:
    await an_endpoint(database, URL)
    async with database.write() as session:
        event = Event(
            kind=EventKind.UNSUBSCRIBED, source="s", source_id="1", at=START, recorded_at=START
        )  # fmt: skip
        assert await events.append(session, event)
    assert await noted(database) == [("message.unsubscribed", "live")]


async def test_of_seeds_nobody_is_told(database: Database) -> None:
    await an_endpoint(database, URL)
    async with database.write() as session:
        seed = await a_seed(session)
    await happen(database, seed=seed)
    assert await noted(database) == []


async def test_a_campaign_that_ends_is_noted_and_a_stream_is_not(database: Database) -> None:
    await an_endpoint(database, URL, event_types=["campaign.finished"])
    async with database.write() as session:
        people, stream = [await a_launched_campaign(session) for _ in range(2)]
        stream.stream_key = "v1"
        session.add(stream)
    for campaign in (people, stream):
        async with database.write() as session:
            for state in (CampaignState.PAUSED, CampaignState.SENDING, CampaignState.FINISHED):
                await session.exec(
                    sa.update(Campaign).where(Campaign.id == campaign.id).values(state=state)  # type: ignore[arg-type]
                )
    assert await noted(database) == [("campaign.finished", "live")]
    # Nothing moved: nothing to tell.
    async with database.write() as session:
        found = await campaigns.get_campaign(session, people.id)
        found.name = "autrement"
        session.add(found)
    assert len(await noted(database)) == 1


def test_every_type_can_be_subscribed_to() -> None:
    assert set(TYPES) == {*OF_EVENTS.values(), *OF_CAMPAIGNS.values()}
    assert len(TYPES) == len(set(TYPES))


async def test_a_trigger_that_is_missing_is_noticed_and_put_back(database: Database) -> None:
    async def are_installed() -> bool:
        async with database.read() as session:
            return await (await session.connection()).run_sync(webhook_triggers.are_installed)

    assert await are_installed()
    async with database.write() as session:
        on = "" if database.is_sqlite else " ON event"
        await (await session.connection()).exec_driver_sql(f"DROP TRIGGER {webhook_triggers.EVENT}{on}")
    assert not await are_installed()
    await database.migrate()
    assert await are_installed()
    async with database.read() as session:
        assert (await session.exec(select(Event))).all() == []
