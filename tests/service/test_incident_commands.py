"""`tocsin incidents` and `tocsin alerts`, as they are typed."""

import asyncio

import pytest

from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from scheduler.incidents import open_incident
from store import Database
from tests.clocks import START
from tests.service.conftest import Tocsin, Typed


@pytest.fixture
def typed_here(ready: Tocsin, typed: Typed) -> Typed:
    """The command, on a database with one incident."""

    async def begin() -> None:
        database = Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")
        async with database.write() as session:
            await open_incident(
                session,
                IncidentKind.BLOCKED,
                IncidentLevel.RED,
                provider="orange",
                reason="answers",
                deed=IncidentDeed.PAUSED,
                evidence={"examples": [{"code": 550, "text": "5.7.1 blocked", "count": 4}]},
                now=START,
            )
        await database.close()

    asyncio.run(begin())
    return typed


def test_incidents_are_listed_shown_and_closed_with_a_note(typed_here: Typed) -> None:
    listed = typed_here.must("incidents", "--open")
    assert "Sender or message refused" in listed
    assert "Orange" in listed
    shown = typed_here.must("incidents", "show", "1")
    assert "4 × 550 5.7.1 blocked" in shown
    assert "tocsin incidents go-on 1" in shown
    assert "Incident 1 is closed." in typed_here.must("incidents", "close", "1", "--note", "asked Orange")
    assert "was over already" in typed_here.must("incidents", "close", "1")
    shown = typed_here.must("incidents", "show", "1")
    assert "over since" in shown
    assert "asked Orange" in shown
    assert "Nothing is wrong." in typed_here.must("incidents", "--open")
    assert "Sender or message refused" in typed_here.must("incidents")


def test_letting_it_go_on_ends_it_and_twice_is_refused(typed_here: Typed) -> None:
    assert "taken back" in typed_here.must("incidents", "go-on", "1", "--by", "Ana")
    assert "Ana let it go on" in typed_here.must("incidents", "show", "1")
    ran = typed_here("incidents", "go-on", "1")
    assert ran.code != 0
    assert "has ended already" in ran.err


def test_an_incident_that_is_not_there_is_told_in_a_line(typed_here: Typed) -> None:
    ran = typed_here("incidents", "show", "77")
    assert ran.code != 0
    assert "There is no incident 77." in ran.err


def test_with_nobody_to_tell_the_test_of_alerts_says_what_to_set(ready: Tocsin, typed: Typed) -> None:
    assert ready.folder.exists()
    assert "set TOCSIN_ALERT_EMAILS or TOCSIN_ALERT_WEBHOOKS" in typed.must("alerts", "test")


def test_who_cannot_be_told_is_named_and_the_exit_status_says_so(ready: Tocsin, typed: Typed) -> None:
    assert ready.folder.exists()
    given = {
        "TOCSIN_ALERT_EMAILS": "ana@parti.example",
        "TOCSIN_ALERT_WEBHOOKS": "https://127.0.0.1:9/hook?key=secret",
        "TOCSIN_ALERT_WEBHOOK_SECRET": "sixteen characters and more",
    }
    ran = typed("alerts", "test", **given)
    assert ran.code == 1
    assert "mail: ana@parti.example was not told." in ran.out
    assert "webhook: 127.0.0.1:9 was not told." in ran.out
    assert "secret" not in ran.out
