"""What a launch writes down before a vote: who is left out, and until when the others' messages may leave."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from models.campaign import Campaign
from models.election import SilenceWaiver
from models.identity import TerritoryKind
from models.states import Channel, IdentityRule, LeftOutReason, LegalBasis, Nature, Purpose
from scheduler import judging
from scheduler.calendar import read_sending_windows, windows_to_rows
from scheduler.campaigns import schedule
from scheduler.choosing import Advert
from scheduler.expansion import launch
from scheduler.forecast import ForecastOptions, forecast
from scheduler.preview import AudiencePreview, preview_audience
from scheduler.silence import Home
from scheduler.waivers import agree_to_waiver, ask_waiver
from store import Database, campaigns, erasure
from store.freezing import Target
from tests.clocks import ManualClock
from tests.factories import a_seed, a_segment, an_identity
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

SECOND = timedelta(seconds=1)


async def the_country(
    database: Database, *, nature: Nature = Nature.POLITICAL, purpose: Purpose = Purpose.CAMPAIGN
) -> tuple[int, dict[str, int]]:
    """People of Paris, Martinique, Réunion, of nowhere known and of New York; a campaign to all of them."""
    async with database.write() as session:
        people = {
            "paris": await a_person(session, "paris", departement="75", commune_key="paris"),
            "martinique": await a_person(session, "martinique", departement="972"),
            "reunion": await a_person(session, "reunion", postcode="97400"),
            "nowhere": await a_person(session, "nowhere"),
            "newyork": await a_person(session, "newyork", circonscription="ZZ-01"),
        }
        made = await a_bound_campaign(session, await an_identity(session), nature=nature, purpose=purpose)
    return made.id, {name: person.id for name, person in people.items()}


async def preview(database: Database, now: datetime, *, nature: Nature, purpose: Purpose) -> AudiencePreview:
    async with database.write() as session:
        everyone = await a_segment(session)
        return await preview_audience(
            session,
            include=[everyone.id],
            exclude=[],
            channel=Channel.EMAIL,
            basis=LegalBasis.CONSENT,
            now=now,
            rhythm=RHYTHM,
            purpose=purpose,
            advert=Advert(nature, IdentityRule.ONE),
        )


async def test_each_message_must_leave_before_silence_begins_where_its_reader_lives(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number, _ = await the_country(database)
    await launched_at(database, clock, number)
    found = await deliveries_by_address(database)
    assert {name: row.not_after for name, row in found.items()} == {
        "paris": MAINLAND_CUT,
        "martinique": MARTINIQUE_CUT,
        "reunion": at("2026-03-13 22:00", "Indian/Reunion"),
        "nowhere": MAINLAND_CUT,
        "newyork": at("2026-03-12 22:00"),
    }
    assert await left_out(database) == {}


@pytest.mark.parametrize(
    ("moment", "silent"),
    [
        (at("2026-03-12 22:00") - SECOND, set[str]()),
        (at("2026-03-12 22:00"), {"newyork"}),
        (MARTINIQUE_CUT, {"newyork", "martinique"}),
        (at("2026-03-13 22:00", "Indian/Reunion"), {"newyork", "martinique", "reunion"}),
        (MAINLAND_CUT - SECOND, {"newyork", "martinique", "reunion"}),
        (MAINLAND_CUT, {"newyork", "martinique", "reunion", "paris", "nowhere"}),
        (CLOSED - SECOND, {"newyork", "martinique", "reunion", "paris", "nowhere"}),
        (CLOSED, set[str]()),
    ],
)
async def test_who_votes_soon_is_left_out_and_the_preview_said_so(
    database: Database, clock: ManualClock, moment: datetime, silent: set[str]
) -> None:
    await entered(database)
    number, people = await the_country(database)
    clock.advance(moment - clock.now())
    told = await preview(database, moment, nature=Nature.POLITICAL, purpose=Purpose.CAMPAIGN)
    assert told.left_out.get(LeftOutReason.ELECTION, 0) == len(silent)
    assert told.deliveries == len(people) - len(silent)
    await launched_at(database, clock, number)
    assert await left_out(database) == {people[name]: LeftOutReason.ELECTION for name in silent}
    found = await deliveries_by_address(database)
    assert set(found) == set(people) - silent
    assert all(row.not_after is None or row.not_after > moment for row in found.values())


@pytest.mark.parametrize(
    ("nature", "purpose"),
    [(Nature.CIVIC, Purpose.CAMPAIGN), (Nature.UNSAID, Purpose.TRANSACTIONAL)],
)
async def test_civic_campaigns_and_receipts_leave_as_if_nobody_voted(
    database: Database, clock: ManualClock, nature: Nature, purpose: Purpose
) -> None:
    await entered(database)
    number, people = await the_country(database, nature=nature, purpose=purpose)
    clock.advance(CLOSED - SECOND - clock.now())
    told = await preview(database, clock.now(), nature=nature, purpose=purpose)
    assert told.deliveries == len(people)
    await launched_at(database, clock, number)
    assert {row.not_after for row in (await deliveries_by_address(database)).values()} == {None}
    assert await left_out(database) == {}


async def test_unsaid_counts_as_political(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number, people = await the_country(database, nature=Nature.UNSAID)
    clock.advance(CLOSED - SECOND - clock.now())
    await launched_at(database, clock, number)
    assert len(await left_out(database)) == len(people)


async def test_a_vote_that_was_taken_away_or_is_far_off_binds_nobody(
    database: Database, clock: ManualClock
) -> None:
    await entered(database, removed_at=clock.now())
    await entered(database, name="Présidentielle", day=at("2026-05-10 12:00").date())
    number, _ = await the_country(database)
    await launched_at(database, clock, number)
    assert {row.not_after for row in (await deliveries_by_address(database)).values()} == {None}


async def test_the_campaigns_own_deadline_holds_where_it_comes_first(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number, _ = await the_country(database)
    own = at("2026-03-13 12:00")
    async with database.write() as session:
        await session.exec(sa.update(Campaign).values(not_after=own))
    await launched_at(database, clock, number)
    found = await deliveries_by_address(database)
    assert found["paris"].not_after == own
    assert found["martinique"].not_after == MARTINIQUE_CUT


async def test_a_vote_of_one_commune_concerns_its_people_alone(
    database: Database, clock: ManualClock
) -> None:
    await entered(
        database, territory=TerritoryKind.COMMUNE, territory_value="paris", departement="75", day_before=[]
    )
    number, people = await the_country(database)
    async with database.write() as session:
        somewhere = await a_person(session, "somewhere", departement="75")
    clock.advance(MAINLAND_CUT - clock.now())
    told = await preview(database, clock.now(), nature=Nature.POLITICAL, purpose=Purpose.CAMPAIGN)
    assert told.left_out == {LeftOutReason.ELECTION: 2}
    await launched_at(database, clock, number)
    assert set(await left_out(database)) == {people["paris"], somewhere.id}


async def test_hours_that_open_within_silence_come_too_late(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number, people = await the_country(database)
    async with database.write() as session:
        hours = windows_to_rows(read_sending_windows("sat 10:00-18:00"))
        await session.exec(sa.update(Campaign).values(windows=hours))
    clock.advance(MARTINIQUE_CUT - timedelta(days=1) - clock.now())
    await launched_at(database, clock, number)
    assert set(await left_out(database)) == set(people.values())


async def test_a_start_that_comes_late_into_silence_leaves_everybody_out(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number, people = await the_country(database)
    async with database.write() as session:
        await schedule(session, number, clock.now().replace(tzinfo=None), "UTC", clock.now())
    await launch(database, number, CLOSED - SECOND, language="fr", rhythm=RHYTHM)
    assert await left_out(database) == dict.fromkeys(people.values(), LeftOutReason.ELECTION)
    assert await deliveries_by_address(database) == {}


async def test_seeds_travel_without_a_deadline_of_their_own(database: Database, clock: ManualClock) -> None:
    await entered(database)
    async with database.write() as session:
        await a_person(session, "paris", departement="75")
        await a_seed(session)
        made = await a_bound_campaign(session, await an_identity(session), with_seeds=True)
    await launched_at(database, clock, made.id)
    found = await deliveries_by_address(database)
    assert found["paris"].not_after == MAINLAND_CUT
    assert found["seed"].not_after is None


async def test_an_agreed_waiver_lifts_silence_at_the_launch(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number, people = await the_country(database)
    async with database.write() as session:
        asked = await ask_waiver(session, number, "ana", "A court orders it.", clock.now())
        await agree_to_waiver(session, asked.id, "bea", clock.now())
    clock.advance(CLOSED - SECOND - clock.now())
    await launched_at(database, clock, number)
    assert await left_out(database) == {}
    assert set(await deliveries_by_address(database)) == set(people)


async def test_a_waiver_agreed_to_during_the_launch_lets_go_of_all_of_it(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await entered(database)
    number, _ = await the_country(database)
    async with database.write() as session:
        asked = await ask_waiver(session, number, "ana", "why", clock.now())
    forget = erasure.forget

    async def and_somebody_agrees(database: Database, campaign_id: int) -> None:
        await forget(database, campaign_id)
        async with database.write() as session:
            await session.exec(sa.update(SilenceWaiver).values(agreed_by="bea", agreed_at=clock.now()))

    assert asked.agreed_at is None
    monkeypatch.setattr(erasure, "forget", and_somebody_agrees)
    await launched_at(database, clock, number)
    assert {row.not_after for row in (await deliveries_by_address(database)).values()} == {None}


async def test_a_launch_cut_short_goes_on_within_silence_as_it_began(
    database: Database, clock: ManualClock
) -> None:
    """Judged as of its moment, and what was not sent by the cut-off is stopped at the gate."""
    await entered(database)
    number, people = await the_country(database)
    await launched_at(database, clock, number)
    async with database.write() as session:
        last = people["newyork"]
        connection = await session.connection()
        await connection.execute(sa.text("DELETE FROM delivery WHERE contact_id = :last"), {"last": last})
        await session.exec(sa.update(Campaign).values(state="launching", expanded=False))
    await launched_again(database, number)
    found = await deliveries_by_address(database)
    assert found["newyork"].not_after == at("2026-03-12 22:00")


async def launched_again(database: Database, number: int) -> None:
    await launch(database, number, CLOSED - SECOND, language="fr", rhythm=RHYTHM)


async def test_the_forecast_says_who_would_not_leave_before_silence(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number, people = await the_country(database)
    async with database.read() as session:
        options = ForecastOptions(rhythm=RHYTHM)
        soon = await forecast(session, number, clock.now(), options)
        assert (soon.messages, soon.missed, soon.silenced) == (len(people), 0, 0)
        assert (soon.not_after, soon.for_vote) == (at("2026-03-12 22:00"), True)
        late = await forecast(session, number, clock.now(), options, starts_at=MAINLAND_CUT - SECOND)
        assert (late.messages, late.silenced) == (2, 3)
    clock.advance(MARTINIQUE_CUT - SECOND - clock.now())
    async with database.write() as session:
        # One every ten seconds: of five, one is in time for the people of Martinique.
        await session.exec(sa.text("UPDATE identity SET emails_per_second = 0.1"))  # type: ignore[call-overload]
        for extra in range(20):
            await a_person(session, f"fort-de-france-{extra}", departement="972")
        slow = await forecast(session, number, clock.now(), options)
    assert slow.missed >= 19
    assert (slow.not_after, slow.for_vote) == (MARTINIQUE_CUT, True)
    await launched_at(database, clock, number)
    async with database.read() as session:
        running = await forecast(session, number, clock.now(), options)
        campaign = await campaigns.get_campaign(session, number)
    assert campaign.not_after is None
    assert (running.missed, running.not_after, running.for_vote) == (slow.missed, MARTINIQUE_CUT, True)


async def test_where_no_vote_is_near_nobody_is_asked_where_people_live(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = await the_country(database)

    def asked(person: Target) -> Home:
        raise AssertionError(person)

    monkeypatch.setattr(judging, "home_of", asked)
    await launched_at(database, clock, number)
    assert len(await deliveries_by_address(database)) == 5
