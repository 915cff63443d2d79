"""Answers read again: for review, and by other rules."""

from datetime import timedelta
from pathlib import Path

import pytest

from deliverability.replay import replay, review, skeleton
from deliverability.rulebook import read_rules, shipped
from models.event import Event
from models.states import BounceClass, EventKind, Fault, Permanence
from store import Database
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
