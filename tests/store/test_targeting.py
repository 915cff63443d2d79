"""What people said of being chosen by their data: kept once, told by its latest, gone with the person."""

from datetime import timedelta

from audience.targeting import record_targeting
from models.contact import Contact
from models.states import ConsentStatus
from store import Database, targeting
from store.targeting import Said
from tests.clocks import START
from tests.factories import a_contact

GRANTED, WITHDRAWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN
DAY = timedelta(days=1)


async def test_the_same_statement_is_kept_once_and_the_latest_of_each_kind_is_known(
    database: Database,
) -> None:
    async with database.write() as session:
        number, other = (await a_contact(session)).id, (await a_contact(session)).id
        said = [
            Said(number, GRANTED, "stand", START - 9 * DAY),
            Said(number, GRANTED, "stand", START - 9 * DAY),
            Said(number, GRANTED, "lettre", START - 2 * DAY),
            Said(number, WITHDRAWN, "x" * 400, START - 5 * DAY),
        ]
        await targeting.add_statements(session, said, START)
        await targeting.add_statements(session, said[:1], START)
    async with database.read() as session:
        kept = await targeting.statements_of(session, number, limit=10)
        latest = await targeting.latest_statements(session, [number, other])
    assert [(one.status, one.source) for one in kept] == [
        *((GRANTED, "lettre"), (WITHDRAWN, "x" * 300), (GRANTED, "stand")),
    ]
    assert latest == {(number, GRANTED): START - 2 * DAY, (number, WITHDRAWN): START - 5 * DAY}


async def test_what_an_erased_person_said_is_erased_with_them(database: Database) -> None:
    async with database.write() as session:
        gone, stays = await a_contact(session), await a_contact(session)
        numbers = gone.id, stays.id
        await targeting.add_statements(
            session, [Said(number, GRANTED, "stand", START) for number in numbers], START
        )
    async with database.write() as session:
        contact = await session.get(Contact, numbers[0])
        await session.delete(contact)
    async with database.read() as session:
        left = [await targeting.statements_of(session, number, limit=10) for number in numbers]
    assert [len(found) for found in left] == [0, 1]


async def test_a_no_said_now_stands_whatever_date_the_yes_bears(database: Database) -> None:
    """A file with hours on another clock dates agreements ahead; taken in again they change nothing."""
    to_come = START + timedelta(hours=1)
    async with database.write() as session:
        number = (await a_contact(session)).id
        for status, given_at in ((GRANTED, to_come), (WITHDRAWN, START), (GRANTED, to_come)):
            await record_targeting(session, number, status, source="stand", given_at=given_at, now=START)
    async with database.read() as session:
        found = await session.get_one(Contact, number)
        assert found.targeting_consent is WITHDRAWN


async def test_a_no_of_an_earlier_day_does_not_outlive_a_later_yes(database: Database) -> None:
    async with database.write() as session:
        number = (await a_contact(session)).id
        for status, given_at in ((GRANTED, START - DAY), (WITHDRAWN, START - 2 * DAY)):
            await record_targeting(session, number, status, source="stand", given_at=given_at, now=START)
    async with database.read() as session:
        assert (await session.get_one(Contact, number)).targeting_consent is GRANTED
