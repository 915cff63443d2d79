"""Numbers of rows that are gone: programs keep them, so nothing else may ever get one."""

from audience.segments import parse_segment
from models.api import KeyMode
from store import Database, interactions, segment_rows, segments, webhooks
from store.contacts import erase
from store.interactions import Deed
from tests.clocks import START
from tests.factories import a_contact

TREE = parse_segment("ville:Marseille")


async def test_a_segment_gets_no_number_of_one_that_is_gone(database: Database) -> None:
    numbers = []
    for name in ("first", "second"):
        async with database.write() as session:
            made = await segment_rows.add_segment(session, name=name, text="", tree=TREE, now=START)
            numbers.append(made.id)
            await segment_rows.drop_segment(session, made)
    async with database.write() as session:
        saved = await segments.save_segment(session, name="third", text="", tree=TREE, now=START)
        again = await segments.save_segment(session, name="third", text="x", tree=TREE, now=START)
    assert saved.id == again.id
    assert len({*numbers, saved.id}) == 3


async def test_a_segment_that_is_gone_leaves_the_highest_number_behind(database: Database) -> None:
    async with database.write() as session:
        made = [
            await segment_rows.add_segment(session, name=name, text="", tree=TREE, now=START)
            for name in ("first", "second")
        ]
    numbers = [segment.id for segment in made]
    for segment in reversed(made):
        async with database.write() as session:
            await segment_rows.drop_segment(session, await segments.get_segment(session, segment.id))
    async with database.write() as session:
        new = await segment_rows.add_segment(session, name="third", text="", tree=TREE, now=START)
    assert new.id > max(numbers)


async def test_an_interaction_gets_no_number_of_one_that_is_gone(database: Database) -> None:
    numbers = []
    for remove in (True, False, True):
        async with database.write() as session:
            person = await a_contact(session)
            ((number, _),) = await interactions.write(session, [Deed(person.id, "meeting", START)], START)
        async with database.write() as session:
            # Taken away by itself, or with its person.
            await (interactions.remove(session, number) if remove else erase(session, person.id))
        numbers.append(number)
    assert len(set(numbers)) == 3


async def test_a_webhook_gets_no_number_of_one_that_is_gone(database: Database) -> None:
    numbers = []
    for _ in range(2):
        async with database.write() as session:
            made = await webhooks.add_endpoint(
                session,
                url="https://crm.example/hooks",
                mode=KeyMode.LIVE,
                event_types=(),
                sealed_secret="sealed",
                by="",
                now=START,
            )
        async with database.write() as session:
            await webhooks.remove_endpoint(session, made.id)
        numbers.append(made.id)
    assert len(set(numbers)) == 2
