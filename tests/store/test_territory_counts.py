"""What people did is counted where they live, each once, and never told of so few that they are somebody."""

import asyncio
import itertools
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.event import Event, event_about
from models.states import EventKind
from models.tally import PlaceTally
from store import Database, reports
from store.tally_check import differences
from store.territory_counts import FEWEST, Figures, Places, of_campaign, of_period, uncounted
from store.territory_fold import count_places, count_places_anew
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_launched_campaign, a_seed

HOMES = ("13", "2A", "974", None, "13")
KINDS = (
    EventKind.ACCEPTED,
    EventKind.DEFERRED,
    EventKind.REFUSED,
    EventKind.BOUNCED,
    EventKind.CLICKED,
    EventKind.UNSUBSCRIBED,
    EventKind.COMPLAINED,
    EventKind.RESOLVED,
)
Happening = tuple[int, EventKind, dict[str, str]]
happenings = st.tuples(
    st.integers(0, len(HOMES)),
    st.sampled_from(KINDS),
    st.sampled_from([{}, {"machine": "agent"}, {"decision": "sent"}, {"decision": "not_sent"}]),
)
sizes = st.dictionaries(
    st.sampled_from(["", "01", "13", "2A", "48", "75", "971"]), st.integers(0, 40), min_size=1
)


async def people_of(session: AsyncSession) -> tuple[Campaign, list[Delivery]]:
    """A campaign to a few people here and there, at providers that tell of complaints and not; and a seed."""
    campaign = await a_launched_campaign(session)
    made = []
    for number, home in enumerate(HOMES):
        contact = await a_contact(session)
        contact.departement = home
        provider = ("gmail", "orange")[number % 2]
        made.append(await a_delivery(session, campaign=campaign, contact=contact, provider=provider))
    made.append(await a_delivery(session, campaign=campaign, seed=await a_seed(session)))
    return campaign, made


def an_event(delivery: Delivery, kind: EventKind, number: int, details: dict[str, str]) -> Event:
    event = event_about(
        delivery, kind, source="test", source_id=f"{delivery.id}:{number}", at=START, now=START
    )
    event.details = details
    return event


async def rows_of(session: AsyncSession) -> dict[tuple[int, str], PlaceTally]:
    return {(one.campaign_id, one.departement): one for one in (await session.exec(select(PlaceTally))).all()}


async def a_place(
    session: AsyncSession, campaign: Campaign, departement: str, arrived: int, **more: int
) -> None:
    session.add(
        PlaceTally(campaign_id=campaign.id, departement=departement, accepted=arrived, heard=arrived, **more)
    )
    await session.flush()


async def test_each_person_counts_once_where_they_live_for_what_they_did(database: Database) -> None:
    async with database.write() as session:
        campaign, made = await people_of(session)
        for number, (who, kind, details) in enumerate(
            [
                *((who, EventKind.ACCEPTED, {}) for who in range(6)),
                (0, EventKind.CLICKED, {}),
                (0, EventKind.CLICKED, {}),
                (4, EventKind.CLICKED, {"machine": "agent"}),
                (1, EventKind.COMPLAINED, {}),
                (2, EventKind.BOUNCED, {}),
                (3, EventKind.UNSUBSCRIBED, {}),
                (5, EventKind.CLICKED, {}),
            ]
        ):
            session.add(an_event(made[who], kind, number, details))
    assert await count_places(database, most=3) > 0
    assert await count_places(database, most=3) == 0
    async with database.read() as session:
        found = await rows_of(session)
        assert await uncounted(session) == 0
    told = {
        place: (one.accepted, one.heard, one.bounced, one.clicked, one.unsubscribed, one.complained)
        for (_, place), one in found.items()
    }
    # The two of Bouches-du-Rhône have Gmail, the one of Corsica has not; the seed is nobody.
    assert told == {
        "13": (2, 0, 0, 1, 0, 0),
        "2A": (1, 1, 0, 0, 0, 1),
        "974": (1, 0, 1, 0, 0, 0),
        "": (1, 1, 0, 0, 1, 0),
    }
    assert {number for number, _ in found} == {campaign.id}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(happenings, st.sampled_from([1, 2, 1000])), max_size=30))
def test_the_places_add_up_to_the_report_after_any_history(
    migrated_sqlite_file: Path, tmp_path: Path, steps: list[Happening | int]
) -> None:
    async def check() -> None:
        file = tmp_path / "tocsin.db"
        shutil.copyfile(migrated_sqlite_file, file)
        database = Database(f"sqlite:///{file}")
        async with database.write() as session:
            campaign, made = await people_of(session)
        for number, step in enumerate([*steps, 1000]):
            if isinstance(step, int):
                await count_places(database, most=step)
                continue
            async with database.write() as session:
                session.add(an_event(made[step[0]], step[1], number, step[2]))
        async with database.read() as session:
            counts = await reports.campaign_counts(session, campaign.id)
            places = await rows_of(session)
        expected: Counter[str] = Counter()
        for lane in counts.lanes:
            expected.update({kind.value: news for kind, news in lane.news.items()})
            expected["heard"] += lane.news.get(EventKind.ACCEPTED, 0) * (lane.provider != "gmail")
        for name in ("accepted", "heard", "bounced", "clicked", "unsubscribed", "complained"):
            assert sum(getattr(one, name) for one in places.values()) == expected[name], name
        await database.close()
        file.unlink()

    asyncio.run(check())


async def test_whoever_moves_stays_counted_where_the_news_found_them(database: Database) -> None:
    async with database.write() as session:
        campaign, made = await people_of(session)
        session.add(an_event(made[0], EventKind.ACCEPTED, 0, {}))
    await count_places(database)
    async with database.write() as session:
        contact = await a_contact(session)
        contact.departement = "75"
        made[0].contact_id = contact.id
        session.add(an_event(made[0], EventKind.CLICKED, 1, {}))
    await count_places(database)
    async with database.read() as session:
        found = await rows_of(session)
    assert found[campaign.id, "13"].accepted == 1
    assert found[campaign.id, "75"].clicked == 1
    await count_places_anew(database)
    async with database.read() as session:
        again = await rows_of(session)
    assert again[campaign.id, "13"].accepted == 1


async def test_counting_row_by_row_finds_a_place_that_is_wrong(database: Database) -> None:
    async with database.write() as session:
        campaign, made = await people_of(session)
        session.add(an_event(made[1], EventKind.ACCEPTED, 0, {}))
    async with database.read() as session:
        # What is not counted yet is no difference.
        assert await differences(session, campaign.id) == []
    await count_places(database)
    async with database.write() as session:
        assert await differences(session, campaign.id) == []
        (place,) = (await session.exec(select(PlaceTally))).all()
        place.heard += 1
        session.add(place)
        await session.flush()
        assert await differences(session, campaign.id) == ["places heard: 2, and should be 1"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(campaigns=st.lists(sizes, min_size=1, max_size=3))
@example(campaigns=[{"01": 5, "13": 30}, {"48": 3}])
@example(campaigns=[{"01": 9, "13": 9, "48": 9, "75": 40}])
def test_nothing_is_told_of_fewer_than_ten_not_even_by_taking_away(
    migrated_sqlite_file: Path, tmp_path: Path, campaigns: list[dict[str, int]]
) -> None:
    async def check() -> None:
        file = tmp_path / "tocsin.db"
        shutil.copyfile(migrated_sqlite_file, file)
        database = Database(f"sqlite:///{file}")
        async with database.write() as session:
            made = []
            for number, places in enumerate(campaigns):
                campaign = await a_launched_campaign(session)
                campaign.launched_at = START + timedelta(days=number)
                made.append(campaign)
                for place, arrived in places.items():
                    await a_place(session, campaign, place, arrived, clicked=1)
        async with database.read() as session:
            alone = [await of_campaign(session, campaign.id) for campaign in made]
            growing = [
                await of_period(session, START, START + timedelta(days=days)) for days in range(len(made) + 1)
            ]
        for told, places in zip(alone, campaigns, strict=True):
            assert_nobody_stands_alone(told, places)
        for shorter, longer in itertools.pairwise(growing):
            for place, figures in longer.shown.items():
                gained = figures.arrived - shorter.shown.get(place, Figures()).arrived
                assert gained == 0 or gained >= FEWEST
            rest = (longer.together or Figures()).arrived - (shorter.together or Figures()).arrived
            assert rest == 0 or rest >= FEWEST
        await database.close()
        file.unlink()

    asyncio.run(check())


def assert_nobody_stands_alone(told: Places, places: dict[str, int]) -> None:
    assert all(figures.arrived >= FEWEST for figures in told.shown.values())
    assert all(figures.arrived == places[place] for place, figures in told.shown.items())
    left = {place: arrived for place, arrived in places.items() if place not in told.shown}
    assert told.hidden == frozenset(left)
    if not left:
        assert told.together is None
    elif sum(places.values()) >= FEWEST:
        # What is left of the whole is many people of two places at least.
        assert sum(left.values()) >= FEWEST
        assert len(left) >= 2
        assert told.together is not None
        assert told.together.arrived == sum(left.values())
    else:
        assert told.together is None
    if all(arrived >= FEWEST for arrived in places.values()):
        assert not left


async def test_small_places_are_hidden_with_the_next_larger_one(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        campaign.launched_at = START
        for place, arrived in {"48": 3, "05": 12, "75": 400, "": 50}.items():
            await a_place(session, campaign, place, arrived, clicked=2)
    async with database.read() as session:
        told = await of_campaign(session, campaign.id)
        period = await of_period(session, START, START + timedelta(days=1))
        before = await of_period(session, START - timedelta(days=1), START)
    assert {place: figures.arrived for place, figures in told.shown.items()} == {"": 50, "75": 400}
    assert told.hidden == {"48", "05"}
    assert told.together == Figures(accepted=15, heard=15, clicked=4)
    assert told.whole.arrived == 465
    assert period == told
    assert before == Places({}, None, frozenset(), 0)
