"""What somebody who schedules a campaign is told of the votes that are near."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from models.preflight import LintLevel
from models.states import Nature
from scheduler.campaigns import schedule
from scheduler.forecast import ForecastOptions
from scheduler.preflight import StandsInTheWayError, require_clear
from scheduler.preflight.examination import Means, examine
from scheduler.preflight.gate import GoPast, require_schedulable
from scheduler.waivers import agree_to_waiver, ask_waiver
from store import Database
from tests.clocks import ManualClock
from tests.factories import KEYRING, an_identity
from tests.scheduler.voting import (
    CLOSED,
    MAINLAND_CUT,
    MARTINIQUE_CUT,
    RHYTHM,
    a_bound_campaign,
    a_person,
    at,
    deliveries_by_address,
    entered,
    launched_at,
    left_out,
)

B, W, FINE = LintLevel.BLOCK, LintLevel.WARN, LintLevel.FINE
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOON = at("2026-03-14 12:00", "UTC").replace(tzinfo=None)


def means(clock: ManualClock) -> Means:
    return Means(
        keyring=KEYRING,
        clock=clock,
        public_url="https://liens.parti.fr",
        outlook=ForecastOptions(rhythm=RHYTHM),
    )


async def two_people(database: Database, *, nature: Nature = Nature.POLITICAL) -> int:
    async with database.write() as session:
        await a_person(session, "paris", departement="75")
        await a_person(session, "martinique", departement="972")
        made = await a_bound_campaign(session, await an_identity(session), nature=nature)
    return made.id


async def told(
    database: Database, clock: ManualClock, number: int, starts_at: datetime | None = None
) -> dict[str, tuple[LintLevel, dict[str, str]]]:
    """What is said of silence and of the nature, by code."""
    found = await examine(database, number, means(clock), starts_at=starts_at)
    return {
        one.code: (one.level, dict(one.values))
        for one in found
        if one.code.startswith(("silence.", "nature.")) and one.level is not FINE
    }


async def test_where_nobody_votes_nothing_is_said(database: Database, clock: ManualClock) -> None:
    assert await told(database, clock, await two_people(database)) == {}


async def test_a_start_in_everybodys_silence_stands_in_the_way(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number = await two_people(database)
    assert await told(database, clock, number, CLOSED - SECOND) == {
        "silence.within": (B, {"people": "2", "votes": "Municipales", "over": "2026-03-15 20:00"})
    }
    assert await told(database, clock, number, CLOSED) == {}


async def test_the_start_that_was_chosen_counts(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number = await two_people(database)
    async with database.write() as session:
        await schedule(session, number, NOON, "UTC", clock.now())
    assert set(await told(database, clock, number)) == {"silence.within"}


async def test_some_in_silence_and_the_eve_for_the_others_are_warned_of(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number = await two_people(database)
    assert await told(database, clock, number, MARTINIQUE_CUT) == {
        "silence.some": (W, {"people": "1", "votes": "Municipales"}),
        "silence.eve": (W, {"begins": "2026-03-14 00:00", "votes": "Municipales"}),
    }
    early = at("2026-03-14 00:00") - 48 * HOUR
    assert set(await told(database, clock, number, early)) == {"silence.eve"}
    assert await told(database, clock, number, early - SECOND) == {}


async def test_a_sender_that_cannot_send_yet_is_no_silence(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number = await two_people(database)
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.text("UPDATE identity SET state = 'dns_pending'"))
    assert set(await told(database, clock, number, MARTINIQUE_CUT)) == {"silence.some", "silence.eve"}


async def test_what_would_not_leave_before_silence_is_counted(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number = await two_people(database)
    async with database.write() as session:
        for extra in range(20):
            await a_person(session, f"lyon-{extra}", departement="69")
        connection = await session.connection()
        await connection.execute(sa.text("UPDATE identity SET emails_per_second = 0.1"))
    found = await told(database, clock, number, MAINLAND_CUT - timedelta(seconds=100))
    level, values = found["silence.cuts"]
    assert level is W
    assert values["cut_off"] == "2026-03-13 22:00"
    assert 9 <= int(values["people"]) <= 13


@pytest.mark.parametrize("nature", list(Nature))
async def test_it_is_asked_whether_a_campaign_is_political(
    database: Database, clock: ManualClock, nature: Nature
) -> None:
    await entered(database)
    number = await two_people(database, nature=nature)
    found = await told(database, clock, number, CLOSED - SECOND)
    assert ("nature.unsaid" in found) is (nature is Nature.UNSAID)
    assert ("silence.within" in found) is (nature is not Nature.CIVIC)


async def test_going_past_the_check_lets_nothing_leave_and_a_waiver_does(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number = await two_people(database)
    async with database.write() as session:
        starts_at = await require_schedulable(session, number, NOON, "UTC", clock.now())
    assert starts_at == at("2026-03-14 12:00", "UTC")
    with pytest.raises(StandsInTheWayError) as stopped:
        await require_clear(database, number, means(clock), starts_at=starts_at)
    assert "silence.within" in {one.code for one in stopped.value.found}
    await require_clear(database, number, means(clock), starts_at=starts_at, past=GoPast("ana", "We must."))
    async with database.write() as session:
        asked = await ask_waiver(session, number, "ana", "We must.", clock.now())
    assert "silence.within" in await told(database, clock, number, starts_at)
    clock.advance(at("2026-03-14 12:00", "UTC") - clock.now())
    await launched_at(database, clock, number)
    assert len(await left_out(database)) == 2
    assert await deliveries_by_address(database) == {}
    async with database.write() as session:
        again = await a_bound_campaign(session, await an_identity(session, key="other"))
        asked = await ask_waiver(session, again.id, "ana", "We must.", clock.now())
        await agree_to_waiver(session, asked.id, "bea", clock.now())
    assert await told(database, clock, again.id) == {}
    await launched_at(database, clock, again.id)
    assert len(await deliveries_by_address(database)) == 2
