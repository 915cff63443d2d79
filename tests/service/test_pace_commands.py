"""`tocsin pace`, as it is typed."""

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from models.clock import SystemClock
from store import Database
from tests.deliverability.rows import a_delivery, put_off_unread
from tests.service.conftest import Tocsin, Typed


@pytest.fixture
def pace(ready: Tocsin, typed: Typed) -> Typed:
    """The command, on a database that is ready."""
    assert ready.folder.exists()
    return typed


def test_a_wrong_word_is_answered_with_the_right_ones_and_nothing_else(pace: Typed) -> None:
    told = pace("pace", "set", "orange", "per_second", "2", "--note", "x").err
    assert "Value error" not in told
    assert "'orange' is not one of 'relay', 'identity', 'provider'" in told


def test_a_limit_is_set_seen_and_taken_away(pace: Typed) -> None:
    assert "Nobody set a limit" in pace.must("pace", "list")
    pace.must("pace", "set", "provider", "orange", "per_second", "2", "--note", "asked us to")
    pace.must("pace", "set", "lane", "3:gmail", "per_day", "2000")
    out = pace.must("pace", "list")
    assert "asked us to" in out
    assert "3:gmail" in out
    pace.must("pace", "unset", "lane", "3:gmail", "per_day")
    assert "3:gmail" not in pace.must("pace", "list")
    assert "Bouygues" in pace.must("pace", "list", "--all")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("provider", "oranje", "per_second", "2"), "'oranje' is not a provider: orange."),
        (("lane", "gmail", "per_day", "2"), "'gmail' is not an identity's number and a provider: 3:orange."),
        (("domain", "gmail", "per_day", "2"), "is not a signing domain and a provider"),
        (("relay", "fax", "per_day", "2"), "is not a channel"),
        (("identity", "national", "per_day", "2"), "is not an identity's number"),
        (("identity", "3", "connections", "2"), "Connections are counted for a provider"),
        (("provider", "orange", "per_hour", "0"), "0 is no limit."),
    ],
)
def test_a_limit_that_could_never_hold_is_refused(pace: Typed, arguments: tuple[str, ...], told: str) -> None:
    ran = pace("pace", "set", *arguments)
    assert ran.code != 0
    assert told in " ".join(ran.err.split())


def test_what_is_slowed_is_told_with_the_answer_and_can_be_undone(ready: Tocsin, pace: Typed) -> None:
    with sqlite3.connect(ready.folder / "tocsin-data" / "tocsin.db") as database:
        database.execute(
            "INSERT INTO throttle (key, state, factor, ceiling, clean, trips, step_up, rule, reason,"
            " opens_at, changed_at)"
            " VALUES ('provider:gmail', 'open', 0.5, 1.0, 0, 1, 1, 'gmail-unusual-rate',"
            " 'unusual rate', '2999-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
    out = " ".join(pace.must("pace", "list").split())
    assert "Gmail: nothing leaves until 01/01" in out
    assert "It answered: unusual rate" in out
    assert "tocsin pace reset provider gmail" in out
    assert "Gmail: at full pace again." in pace.must("pace", "reset", "provider", "gmail")
    assert "Nothing is slowed" in pace.must("pace", "list")
    again = pace("pace", "reset", "provider", "gmail")
    assert (again.code, "Nothing slows provider gmail." in again.told) == (1, True)


def test_scope_and_subject_may_be_one_word_in_every_command(ready: Tocsin, pace: Typed) -> None:
    out = pace.must("pace", "set", "--note", "as asked", "provider:orange", "per_hour", "20")
    assert out == "provider orange: at most 20 per hour.\n"
    pace.must("pace", "set", "lane:3:gmail", "per_day", "2000")
    listed = pace.must("pace", "list")
    assert "as asked" in listed
    assert "3:gmail" in listed
    pace.must("pace", "unset", "lane:3:gmail", "per_day")
    assert "3:gmail" not in pace.must("pace", "list")
    with sqlite3.connect(ready.folder / "tocsin-data" / "tocsin.db") as database:
        for key in ("provider:orange", "identity:3:sms"):
            database.execute(
                "INSERT INTO throttle (key, state, factor, ceiling, clean, trips, step_up, rule, reason,"
                " changed_at) VALUES (?, 'closed', 0.5, 1.0, 0, 1, 1, '', '', '2026-01-01 00:00:00')",
                (key,),
            )
    assert "Orange: at full pace again." in pace.must("pace", "reset", "provider:orange")
    assert "at full pace again." in pace.must("pace", "reset", "identity", "3")
    assert "Nothing is slowed" in pace.must("pace", "list")


def test_answers_are_reviewed_and_read_again_by_other_rules(ready: Tocsin, pace: Typed) -> None:
    assert "known to a rule" in pace.must("pace", "review")
    rules = ready.folder / "new.toml"
    rules.write_text('[[rules]]\nid = "x"\ntext = "x"\nclass = "rate"\nfault = "provider"\n')
    assert "0 answers read again" in pace.must("pace", "replay", "--rules", str(rules))
    missing = pace("pace", "replay", "--rules", "nowhere.toml")
    assert missing.err == "tocsin: There is no file nowhere.toml. Look where it is, and name it anew.\n"
    rules.write_text("[[rules]]\nid = 'x'\n")
    assert "rule 1 (x): class is missing." in pace("pace", "replay", "--rules", str(rules)).err


def test_a_rule_that_would_have_stopped_everything_is_seen_before_it_holds(
    ready: Tocsin, pace: Typed
) -> None:
    async def tell() -> None:
        database = Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")
        async with database.write() as session:
            delivery = await a_delivery(session)
            for number in range(3):
                at = SystemClock().now() - timedelta(hours=number + 1)
                session.add(put_off_unread(delivery, at, number))
        await database.close()

    asyncio.run(tell())
    rules = ready.folder / "new.toml"
    rules.write_text(
        '[[rules]]\nid = "another-day"\ntext = "another day"\nclass = "block"\nfault = "provider"\n'
        'reactions = [{ do = "suspend", scope = "relay", for = "30m" }]\n'
    )
    told = pace.must("pace", "replay", "--rules", str(rules))
    assert "What would have followed from them, and how often:" in told
    (line,) = [line for line in told.splitlines() if "nothing leaves: everything, everywhere" in line]
    assert [word for word in line.split() if word.isdigit()] == ["0", "3"]
    assert "30m" in line
    assert "another-day" in line
    assert "nothing leaves" not in pace.must("pace", "replay")
