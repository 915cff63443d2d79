"""New people by the batch: every row finds its number, and whoever is there already stays as they are."""

from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped
from sqlmodel import col, select

from models.contact import ConsentRecord, Contact, ContactTag, Tag
from store import Database, contacts
from store.loading import as_text
from store.newcomers import Newcomers, arrange_people, insert_people
from tests.clocks import START

ODD = {0: "tab\tand \\N", 1: "per % cent's", 2: "line\nbreak"}
SAID = ("email", "granted", "a 'source' of 5 %", as_text(START) or "")


def arranged(places: Sequence[int], *, embedded: bool) -> Newcomers:
    columns: dict[str, list[str | None]] = {
        "email": [f"a{place}@b.fr" for place in places],
        "phone": [None for _ in places],
        "first_name": [ODD[place] for place in places],
    }
    return arrange_people(
        *(places, columns),
        [*(("ecole", place) for place in places if place), *(("sante", place) for place in places)],
        [(place, SAID) for place in places],
        labels={"ecole": "École", "sante": "Santé"},
        now=START,
        embedded=embedded,
    )


async def those_with(database: Database, owner: Mapped[int]) -> list[int]:
    async with database.read() as session:
        return sorted((await session.exec(select(owner))).all())


@pytest.mark.parametrize("places", [(0, 1, 2), (0, 2), (2,), ()])
@pytest.mark.parametrize("apart", [False, True])
async def test_rows_known_by_their_places_get_the_numbers_reserved_for_them(
    database: Database, places: Sequence[int], *, apart: bool
) -> None:
    async with database.write() as session:
        [there] = await contacts.insert_contacts(session, [{"email": "a2@b.fr"}], now=START)
        numbers = await contacts.reserve(session, 3)
        if apart and not database.is_sqlite:
            # Another import has drawn numbers in between.
            numbers = [numbers[0], numbers[1] + 5, numbers[2] + 9]
        people = arranged(places, embedded=database.is_sqlite)
        made = await insert_people(session, numbers, people, now=START)
    came = [numbers[place] for place in places if place != 2]
    assert made == set(came)
    async with database.read() as session:
        wanted = select(col(Contact.id), col(Contact.first_name)).where(col(Contact.id) != there)
        found = (await session.exec(wanted)).all()
        sources = (await session.exec(select(col(ConsentRecord.source)))).all()
        words = set((await session.exec(select(col(Tag.key)))).all())
    assert {tuple(row) for row in found} == {(numbers[p], ODD[p]) for p in places if p != 2}
    assert await those_with(database, col(ConsentRecord.contact_id)) == came
    assert set(sources) <= {SAID[2]}
    wearers = came + [number for number in came if number != numbers[0]]
    assert await those_with(database, col(ContactTag.contact_id)) == sorted(wearers)
    # Words only of tags that somebody wears.
    assert words == {"sante"} & ({"sante"} if came else set()) | ({"ecole"} if numbers[1] in came else set())


@pytest.mark.parametrize("trusting", [False, True])
async def test_where_nobody_is_there_already_all_are_in(database: Database, *, trusting: bool) -> None:
    async with database.write() as session:
        numbers = await contacts.reserve(session, 3)
        people = arranged((0, 1, 2), embedded=database.is_sqlite)
        made = await insert_people(session, numbers, people, trusting=trusting, now=START)
    assert made is None or made == set(numbers)
    assert await those_with(database, col(Contact.id)) == numbers


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_trust_that_was_misplaced_is_an_error_and_leaves_nothing(database: Database) -> None:
    async with database.write() as session:
        there = await contacts.insert_contacts(session, [{"email": "a2@b.fr"}], now=START)

    async def trust() -> None:
        async with database.write() as session:
            numbers = await contacts.reserve(session, 3)
            people = arranged((0, 1, 2), embedded=database.is_sqlite)
            await insert_people(session, numbers, people, trusting=True, now=START)

    with pytest.raises(IntegrityError):
        await trust()
    assert await those_with(database, col(Contact.id)) == there


async def test_batch_after_batch_sees_its_own_rows_alone(database: Database) -> None:
    for place in (0, 1, 2):
        async with database.write() as session:
            people = arranged((place,), embedded=database.is_sqlite)
            numbers = await contacts.reserve(session, 3)
            await insert_people(session, numbers, people, now=START)
    assert len(await those_with(database, col(Contact.id))) == 3
    assert len(await those_with(database, col(ContactTag.contact_id))) == 5


async def test_backslashes_of_a_file_stay_what_they_are_beside_what_is_not_said(database: Database) -> None:
    names = [r"\N", "ends in \\", "Nadia", None, r"a\Nb"]
    columns: dict[str, list[str | None]] = {
        "email": [f"a{place}@b.fr" for place in range(len(names))],
        "first_name": names,
    }
    async with database.write() as session:
        numbers = await contacts.reserve(session, len(names))
        people = arrange_people(
            range(len(names)), columns, [], [], labels={}, now=START, embedded=database.is_sqlite
        )
        await insert_people(session, numbers, people, trusting=True, now=START)
    async with database.read() as session:
        found = (await session.exec(select(Contact.first_name).order_by(col(Contact.id)))).all()
    assert list(found) == names
