"""Seeds travel among the people, at random places of their lanes' order that a second draw finds again."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.campaign import Campaign
from models.delivery import Delivery
from models.identity import Identity
from models.seed import SeedMailbox
from models.states import IdentityState, LeftOutReason
from scheduler import expansion
from scheduler.campaigns import pause, resume
from scheduler.expansion import launch
from scheduler.sowing import Grain, draw_grains, sow
from store import Database, campaigns, freezing, touches
from store.freezing import Frozen
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_seed, an_identity
from tests.scheduler.test_expansion import deliveries_of, launched, left_out_of, scheduled

LANES = st.sampled_from([(1, "gmail"), (1, "orange"), (2, "gmail")])
DUE = st.integers(0, 3).map(lambda minutes: START + timedelta(minutes=minutes))
SHARE = st.floats(0, 1, exclude_max=True)


def some_people(people: list[tuple[tuple[int, str], datetime]]) -> Frozen:
    return Frozen(
        contact_ids=list(range(1, len(people) + 1)),
        seed_ids=[None] * len(people),
        identity_ids=[lane[0] for lane, _ in people],
        providers=[lane[1] for lane, _ in people],
        addresses=[f"p{number}@exemple.fr" for number in range(len(people))],
        due_at=[due for _, due in people],
    )


def a_grain(lane: tuple[int, str], where: float, seed_id: int = 1) -> Grain:
    return Grain(seed_id, "seed@gmail.com", lane[0], lane[1], 0.0, where)


def order_of(frozen: Frozen, lane: tuple[int, str]) -> list[tuple[int | None, int | None]]:
    """Contact and seed of each row of a lane, as it leaves."""
    rows = zip(
        frozen.due_at,
        range(len(frozen.due_at)),
        zip(frozen.identity_ids, frozen.providers, strict=True),
        zip(frozen.contact_ids, frozen.seed_ids, strict=True),
        strict=True,
    )
    return [whom for _, _, its_lane, whom in sorted(rows) if its_lane == lane]


@given(st.lists(st.tuples(LANES, DUE), max_size=30), LANES, SHARE)
def test_a_seed_has_any_place_of_its_lane_with_the_same_chance_and_nobody_changes_places(
    people: list[tuple[tuple[int, str], datetime]], lane: tuple[int, str], where: float
) -> None:
    before, frozen = some_people(people), some_people(people)
    left = sow(frozen, [a_grain(lane, where)])
    size = len(order_of(before, lane))
    if not size:
        assert (len(left), frozen) == (1, before)
        return
    after = order_of(frozen, lane)
    assert left == []
    assert after.index((None, 1)) == int(where * (size + 1))
    assert [whom for whom in after if whom != (None, 1)] == order_of(before, lane)
    lengths = {len(column) for column in (frozen.seed_ids, frozen.addresses, frozen.due_at, frozen.providers)}
    assert lengths == {len(people) + 1}


@given(st.lists(SHARE, min_size=2, max_size=8))
def test_several_seeds_of_a_lane_keep_the_places_they_drew(draws: list[float]) -> None:
    lane = (1, "gmail")
    frozen = some_people([(lane, START)] * 10)
    sow(frozen, [a_grain(lane, where, seed_id) for seed_id, where in enumerate(draws, 1)])
    order = order_of(frozen, lane)
    for seed_id, where in enumerate(draws, 1):
        people_before = sum(contact is not None for contact, _ in order[: order.index((None, seed_id))])
        assert people_before == int(where * 11)


def test_a_seed_of_a_canary_goes_with_the_first_slice() -> None:
    lane = (1, "gmail")
    frozen = some_people([(lane, START), *[(lane, START + timedelta(hours=9))] * 50])
    assert sow(frozen, [a_grain(lane, 0.9)], span=timedelta(minutes=15)) == []
    assert frozen.due_at[frozen.seed_ids.index(1)] == START


def test_the_draw_is_even_and_the_same_every_time() -> None:
    identities = [Identity(id=number, key=str(number), name="") for number in (1, 2)]
    seeds = [
        SeedMailbox(
            id=number, address=f"s{number}@x", provider="", imap_host="", username="", sealed_password=""
        )
        for number in range(1, 501)
    ]
    grains = draw_grains(7, identities, seeds)
    assert grains == draw_grains(7, identities, seeds) != draw_grains(8, identities, seeds)
    assert Counter(grain.identity_id for grain in grains) == {1: 500, 2: 500}
    for draws in ([grain.when for grain in grains], [grain.where for grain in grains]):
        quarters = Counter(int(draw * 4) for draw in draws)
        assert all(200 <= quarters[quarter] <= 300 for quarter in range(4))
    assert [grain.when for grain in grains] == sorted((grain.when for grain in grains), reverse=True)


async def with_seeds(database: Database, *, people: int, seeds: int) -> Campaign:
    async with database.write() as session:
        for number in range(people):
            await a_contact(session, email=f"p{number}@{'gmail.com' if number % 2 else 'orange.fr'}")
        for number in range(seeds):
            await a_seed(session, address=f"seed{number}@gmail.com")
        await a_seed(session, address="seed@free.fr", provider="free")
        return await a_campaign(session)


def shape(rows: list[Delivery]) -> list[tuple[int | None, int | None, datetime]]:
    return [(row.contact_id, row.seed_id, row.due_at) for row in rows]


@pytest.mark.parametrize("batches_before", [1, 2, 5])
async def test_a_launch_that_was_interrupted_puts_the_seeds_where_they_were_to_go(
    database: Database, monkeypatch: pytest.MonkeyPatch, batches_before: int
) -> None:
    monkeypatch.setattr(expansion, "BATCH", 10)
    campaign = await with_seeds(database, people=60, seeds=12)
    real, written = freezing.freeze, 0

    async def pause_after(session: Any, *args: Any) -> bool:
        nonlocal written
        done = bool(await real(session, *args))
        written += 1
        if written == batches_before:
            await pause(session, campaign.id, START)
        return done

    campaign_id = await scheduled(database, campaign)
    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", pause_after)
        await launch(database, campaign_id, START, language="fr")
    assert len([row for row in await deliveries_of(database, campaign_id) if row.contact_id]) < 60
    async with database.write() as session:
        await resume(session, campaign_id, START)
    await launch(database, campaign_id, START, language="fr")
    interrupted = await deliveries_of(database, campaign_id)
    places = [place for place, row in enumerate(interrupted) if row.seed_id is not None]
    assert len(places) == 13

    # What the draw says of an undisturbed launch: how many people of the lane leave before each seed.
    gmail = [row for row in interrupted if row.provider == "gmail"]
    grains = {
        grain.seed_id: grain
        for grain in draw_grains(campaign_id, [await _sender(database)], _seeds_of(gmail))
    }
    for place, row in enumerate(gmail):
        if row.seed_id is not None:
            before = sum(one.contact_id is not None for one in gmail[:place])
            batch = int(grains[row.seed_id].when * 6)
            assert before == batch * 5 + int(grains[row.seed_id].where * 6)
    # Nobody of the audience is at Free: its seed goes alone, at the end.
    assert interrupted[-1].provider == "free"


async def _sender(database: Database) -> Identity:
    async with database.read() as session:
        (identity,) = await campaigns.identities_of(session, 1)
        return identity


def _seeds_of(rows: list[Delivery]) -> list[SeedMailbox]:
    return [
        SeedMailbox(
            id=row.seed_id, address=row.address, provider="", imap_host="", username="", sealed_password=""
        )
        for row in rows
        if row.seed_id is not None
    ]


async def test_where_the_most_engaged_go_first_seeds_do_not_go_before_them(database: Database) -> None:
    async with database.write() as session:
        sender = await an_identity(session, state=IdentityState.WARMING)
        for number in range(20):
            await a_contact(session, email=f"p{number}@gmail.com")
        for number in range(20):
            await a_seed(session, address=f"seed{number}@gmail.com")
        campaign = await a_campaign(session, senders=[sender])
    await launched(database, campaign)
    rows = await deliveries_of(database, campaign.id)
    people = {row.due_at for row in rows if row.contact_id is not None}
    seeds = {row.due_at for row in rows if row.seed_id is not None}
    assert seeds <= people
    assert START not in seeds


async def test_an_identity_that_cannot_send_writes_to_no_seed(database: Database) -> None:
    async with database.write() as session:
        able = await an_identity(session)
        suspended = await an_identity(session, key="rhone")
        await a_contact(session)
        await a_seed(session)
        campaign = await a_campaign(session, senders=[able, suspended])
    campaign_id = await scheduled(database, campaign)
    async with database.write() as session:
        suspended.state = IdentityState.SUSPENDED
        session.add(suspended)
    await launch(database, campaign_id, START, language="fr")
    rows = await deliveries_of(database, campaign_id)
    assert {row.identity_id for row in rows if row.seed_id is not None} == {able.id}
    assert LeftOutReason.NO_IDENTITY not in (await left_out_of(database, campaign_id)).values()


async def test_what_a_seed_gets_counts_in_nobodys_frequency(database: Database) -> None:
    campaign = await with_seeds(database, people=1, seeds=3)
    await launched(database, campaign)
    (person,) = [row.contact_id for row in await deliveries_of(database, campaign.id) if row.contact_id]
    async with database.read() as session:
        known = await touches.expected(
            session, [person], since=START - timedelta(days=1), campaign_id=0, now=START
        )
    assert [len(touch) for touch in known.values()] == [1]
