"""The calendar of votes: nothing of it is changed without a trace."""

from datetime import date, timedelta

import pytest

from models.delivery import Delivery
from models.election import ElectionDay
from models.errors import BadInputError, ConflictError, NotFoundError
from models.identity import TerritoryKind
from models.states import CampaignState, Channel, DeliveryState
from store import Database
from store.campaigns import identities_of
from store.election_calendar import correct_day, days_in_force, days_taken_away, enter_day, take_away
from tests.clocks import START
from tests.factories import a_campaign, a_contact

SUNDAY = date(2026, 3, 15)


def a_day(name: str = "Élections municipales", day: date = SUNDAY) -> ElectionDay:
    return ElectionDay(name=name, day=day)


async def test_a_day_is_entered_once_and_tells_by_whom(database: Database) -> None:
    async with database.write() as session:
        await enter_day(session, a_day(), by="ana@example.org", now=START)
        elsewhere = ElectionDay(
            name="Élections municipales",
            day=SUNDAY,
            territory=TerritoryKind.DEPARTEMENT,
            territory_value="972",
        )
        await enter_day(session, elsewhere, by="ana@example.org", now=START)
        with pytest.raises(ConflictError, match="already"):
            await enter_day(session, a_day("ELECTIONS MUNICIPALES"), by="bob@example.org", now=START)
    async with database.read() as session:
        kept = await days_in_force(session)
    assert [(one.territory.value, one.created_by, one.created_at) for one in kept] == [
        ("national", "ana@example.org", START),
        ("departement", "ana@example.org", START),
    ]


async def test_a_day_taken_away_binds_nobody_and_stays_with_its_reason(database: Database) -> None:
    later = START + timedelta(hours=1)
    async with database.write() as session:
        day = await enter_day(session, a_day(), by="ana@example.org", now=START)
        with pytest.raises(BadInputError, match="why"):
            await take_away(session, day.id, by="bob@example.org", reason=" ", now=later)
        with pytest.raises(BadInputError, match="longer"):
            await take_away(session, day.id, by="bob@example.org", reason="x" * 501, now=later)
        await take_away(session, day.id, by="bob@example.org", reason="Reporté par décret", now=later)
        with pytest.raises(ConflictError, match="already"):
            await take_away(session, day.id, by="bob@example.org", reason="encore", now=later)
        with pytest.raises(NotFoundError):
            await take_away(session, day.id + 1, by="bob@example.org", reason="encore", now=later)
    async with database.read() as session:
        assert await days_in_force(session) == []
        (gone,) = await days_taken_away(session)
    assert (gone.removed_by, gone.removed_at, gone.removed_reason) == (
        "bob@example.org",
        later,
        "Reporté par décret",
    )
    async with database.write() as session:
        # What was taken away can be entered anew.
        await enter_day(session, a_day(), by="ana@example.org", now=later)


async def test_a_correction_keeps_what_was_there_before(database: Database) -> None:
    async with database.write() as session:
        day = await enter_day(session, a_day(), by="ana@example.org", now=START)
        moved = a_day(day=SUNDAY + timedelta(days=7))
        await correct_day(session, day.id, moved, by="bob@example.org", reason="coquille", now=START)
    async with database.read() as session:
        assert [one.day for one in await days_in_force(session)] == [date(2026, 3, 22)]
        assert [one.day for one in await days_taken_away(session)] == [SUNDAY]


async def test_what_waits_gets_its_own_deadline_back_when_the_vote_is_taken_away(database: Database) -> None:
    cut_off = START + timedelta(days=3)
    async with database.write() as session:
        day = await enter_day(session, a_day(), by="ana@example.org", now=START)
        campaign = await a_campaign(session)
        campaign.state = CampaignState.SENDING
        identity = (await identities_of(session, campaign.id))[0]
        contact = await a_contact(session, email="camille@gmail.com")
        delivery = Delivery(
            campaign_id=campaign.id,
            contact_id=contact.id,
            identity_id=identity.id,
            channel=Channel.EMAIL,
            address="camille@gmail.com",
            provider="gmail",
            state=DeliveryState.QUEUED,
            due_at=START,
            not_after=cut_off,
        )
        session.add(delivery)
        await session.flush()
        number = delivery.id
    async with database.write() as session:
        await take_away(session, day.id, by="bob@example.org", reason="Reporté", now=START)
    async with database.read() as session:
        kept = await session.get(Delivery, number)
    assert kept is not None
    assert kept.not_after is None
