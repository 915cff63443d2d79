"""Answers read again: for review, and by other rules."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.replay import carry_out, replay, review, skeleton
from deliverability.rulebook import RuleBook, read_rules, shipped
from deliverability.suppression import weigh
from deliverability.undoing import undo_rule
from models.delivery import Delivery
from models.errors import BadInputError
from models.event import Event
from models.states import BounceClass, EventKind, Fault, Permanence
from store import Database, suppressions
from tests.clocks import START
from tests.deliverability.rows import a_delivery

DAY = timedelta(days=1)


async def an_answer(
    database: Database, number: int, text: str, *, rule: str = "", kind: EventKind = EventKind.DEFERRED
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        session.add(
            Event(
                delivery_id=delivery.id,
                campaign_id=delivery.campaign_id,
                identity_id=delivery.identity_id,
                provider="other",
                kind=kind,
                code=int(text[:3]),
                text=text[4:],
                rule=rule,
                bounce_class=BounceClass.UNKNOWN,
                fault=Fault.UNKNOWN,
                permanence=Permanence.SOFT,
                source="dispatch",
                source_id=f"{number}",
                at=START,
                recorded_at=START,
            )
        )


async def test_answers_nobody_knows_are_listed_by_their_form(database: Database) -> None:
    await an_answer(database, 1, "299 Queue AB12CD34EF full for ada@b.fr from 192.0.2.7")
    await an_answer(database, 2, "299 Queue ZZ98YX76WV full for bob@c.fr from 192.0.2.9")
    await an_answer(database, 3, "299 Something else")
    await an_answer(database, 4, "450 Greylisted", rule="words-greylist")
    async with database.read() as session:
        forms = await review(session, since=START - DAY)
        assert await review(session, since=START + DAY) == []
    assert [(form.text, form.count) for form in forms] == [
        ("Queue <id> full for <address> from <ip>", 2),
        ("Something else", 1),
    ]
    assert "ZZ98YX76WV" in forms[0].example


async def test_a_new_rule_is_tried_on_the_past_and_changes_nothing(
    database: Database, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rules]]\nid = "gone"\ntext = "has left us"\nclass = "no_such_address"\nfault = "recipient"\n'
        'permanence = "hard"\nproven = true\n'
    )
    for number in range(3):
        await an_answer(database, number, "599 This person has left us", kind=EventKind.REFUSED)
    async with database.read() as session:
        seen = await replay(session, read_rules(rules), since=START - DAY)
        same = await replay(session, shipped(), since=START - DAY)
    (change,) = seen.changes
    assert (seen.read, change.count, seen.would_suppress, seen.would_spare) == (3, 3, 3, 0)
    assert (change.before, change.after) == ("no rule (unknown)", "gone (no_such_address)")
    assert same.would_suppress == 0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("4.7.1 <ada@b.fr>: wait 300 s", "4.7.1 <<address>>: wait 300 s"),
        ("blocked 2001:db8:0:1::5 id 123456", "blocked <ip> id <number>"),
    ],
)
def test_the_form_of_an_answer_leaves_out_what_varies(text: str, form: str) -> None:
    assert skeleton(text) == form


def a_rule(folder: Path) -> RuleBook:
    rules = folder / "rules.toml"
    rules.write_text(
        '[[rules]]\nid = "gone"\ntext = "has left us"\nclass = "no_such_address"\nfault = "recipient"\n'
        'permanence = "hard"\nproven = true\n'
    )
    return read_rules(rules)


async def standing(database: Database) -> int:
    async with database.read() as session:
        return sum((await suppressions.count_by_reason(session, START + DAY)).values())


async def test_a_rule_carried_out_on_the_past_suppresses_once_and_is_taken_back_by_another(
    database: Database, tmp_path: Path
) -> None:
    for number in range(3):
        await an_answer(database, number, "599 This person has left us", kind=EventKind.REFUSED)
    book = a_rule(tmp_path)
    first = await carry_out(database, book, since=START - DAY, now=START + DAY)
    again = await carry_out(database, book, since=START - DAY, now=START + DAY)
    assert (first.would_suppress, await standing(database)) == (3, 3)
    assert (again.changes, again.would_suppress) == ((), 0)
    back = await carry_out(database, shipped(), since=START - DAY, now=START + DAY)
    assert (back.would_spare, await standing(database)) == (3, 0)
    forth = await carry_out(database, book, since=START - DAY, now=START + DAY)
    assert (forth.would_suppress, await standing(database)) == (3, 3)


async def test_what_a_rule_suppressed_is_undone_as_a_whole_with_a_trace(
    database: Database, tmp_path: Path
) -> None:
    now = START + DAY
    for number in range(3):
        await an_answer(database, number, "599 This person has left us", kind=EventKind.REFUSED)
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=now)
    dry = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=False)
    assert (dry.found, dry.lifted, await standing(database)) == (3, 3, 3)
    other = await undo_rule(database, "g_ne", since=START, why="ada: wrong", now=now, apply=True)
    later = await undo_rule(database, "gone", since=now + DAY, why="ada: wrong", now=now, apply=True)
    assert (other.found, later.found) == (0, 0)
    done = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=True)
    again = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=True)
    assert (done.lifted, again.found, await standing(database)) == (3, 0, 0)
    # What was heard before does not suppress anybody anew.
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=now)
    assert await standing(database) == 0
    with pytest.raises(BadInputError):
        await undo_rule(database, "gone", since=START, why=" ", now=now, apply=True)


async def bounced_again(session: AsyncSession) -> Delivery:
    """The one message there is came back, as another rule reads it."""
    event = (await session.exec(select(Event).where(Event.source == "dispatch"))).one()
    session.add(
        Event(
            delivery_id=event.delivery_id,
            campaign_id=event.campaign_id,
            identity_id=event.identity_id,
            kind=EventKind.BOUNCED,
            rule="another",
            bounce_class=BounceClass.NO_SUCH_ADDRESS,
            fault=Fault.RECIPIENT,
            permanence=Permanence.HARD,
            source="dsn",
            source_id="1",
            at=START,
            recorded_at=START,
        )
    )
    await session.flush()
    return (await session.exec(select(Delivery))).one()


async def test_who_earned_it_without_the_rule_stays_suppressed(database: Database, tmp_path: Path) -> None:
    now = START + DAY
    await an_answer(database, 1, "599 This person has left us", kind=EventKind.REFUSED)
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=now)
    async with database.write() as session:
        await bounced_again(session)
    done = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=True)
    assert (done.found, done.kept, done.lifted, await standing(database)) == (1, 1, 0, 1)


async def test_who_earns_it_while_a_rule_is_undone_stays_suppressed(
    database: Database, tmp_path: Path
) -> None:
    now = START + DAY
    await an_answer(database, 1, "599 This person has left us", kind=EventKind.REFUSED)
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=now)
    async with database.write() as session:
        delivery = await bounced_again(session)
        await weigh(session, delivery.channel, delivery.address, now)
        undoing = asyncio.create_task(
            undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=True)
        )
        await asyncio.wait({undoing}, timeout=0.5)
    done = await undoing
    assert (done.kept, done.lifted, await standing(database)) == (1, 0, 1)
