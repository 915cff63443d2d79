"""Campaigns with deadlines and hours, drafts changed, forecasts and warm-up plans, as a person types them."""

import sqlite3
import threading
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from models.clock import SystemClock
from tests.service.conftest import Tocsin, Typed

PEOPLE = "Prénom;Courriel;Téléphone;Code postal\n" + "".join(
    f"P{number};p{number}@{'orange.fr' if number % 2 else 'gmail.com'};+3361234{number:04};69001\n"
    for number in range(60)
)


@pytest.fixture
def drafted(ready: Tocsin, typed: Typed) -> Typed:
    """Sixty people, half of them at Orange, and a draft to all of them."""
    (ready.folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    typed("import", "people.csv", "--consent", "email", "--consent", "sms", "--source", "form")
    typed.must("segment", "add", "all", "everyone")
    typed.must("template", "add", "hello", "--starter", "newsletter")
    typed.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    typed.must("campaign", "create", "Lettre", "--template", "hello", "--segment", "all", "--from", "nat")
    return typed


def test_a_campaign_is_made_with_its_manners(drafted: Typed) -> None:
    made = drafted.must(
        *("campaign", "create", "Ce soir", "--template", "hello", "--segment", "all", "--from", "nat"),
        *("--urgent", "--until", "2040-03-01 20:00", "--late", "skip", "--late-after", "10"),
        *("--hours", "mon-fri 09:00-20:00", "--purpose", "transactional"),
    )
    assert "60 targeted, 60 would get it" in made
    shown = drafted.must("campaign", "show", "Ce soir")
    for told in ("2040-03-01 20:00", "mon-fri 09:00-20:00", "Urgent", "skip", "10 min", "transactional"):
        assert told in shown
    wrong = drafted("campaign", "edit", "Ce soir", "--hours", "lundi")
    assert (wrong.code, "mon-fri 09:00-20:00" in wrong.told) == (2, True)
    wrong = drafted("campaign", "edit", "Ce soir", "--until", "2001-01-01 00:00")
    assert (wrong.code, "has passed already" in wrong.told) == (2, True)


def test_a_draft_is_changed_and_a_scheduled_campaign_is_not(drafted: Typed) -> None:
    drafted.must("segment", "add", "nobody", "commune:Nulle")
    changed = drafted.must("campaign", "edit", "Lettre", "--name", "Courrier", "--segment", "nobody")
    assert changed == "Courrier is changed: 0 targeted, 0 would get it.\n"
    drafted.must(
        *("campaign", "edit", "1", "--segment", "all", "--exclude", "nobody", "--template", "hello"),
        *("--from", "nat", "--no-seeds", "--until", "2040-03-01 20:00"),
    )
    late = drafted("campaign", "schedule", "1", "--at", "2040-03-02 18:30")
    assert (late.code, "over before it begins" in late.told) == (2, True)
    drafted.must("campaign", "schedule", "1", "--at", "2040-03-02 18:30", "--until", "none", "--urgent")
    refused = drafted("campaign", "edit", "1", "--not-urgent")
    assert (refused.code, "is scheduled: it cannot be changed" in refused.told) == (1, True)


def test_an_edit_that_changes_nothing_says_so(drafted: Typed) -> None:
    nothing = drafted("campaign", "edit", "Lettre")
    assert (nothing.code, nothing.out) == (2, "")
    assert "Nothing to change was named." in nothing.told
    drafted.must("campaign", "edit", "Lettre", "--urgent")
    again = drafted.must("campaign", "edit", "Lettre", "--urgent", "--segment", "all")
    assert again == "Lettre is like that already: 60 targeted, 60 would get it.\n"


def test_a_vote_leaves_people_out_and_cuts_off_what_is_slow(drafted: Typed) -> None:
    drafted.must("elections", "add", "Présidentielle", "--day", "2040-03-04")
    drafted.must("campaign", "edit", "1", "--nature", "political")
    there = ("campaign", "forecast", "1", "--at", "2040-03-03 12:00")
    told = drafted.must(*there)
    assert "Lettre: nobody is left to write to." in told
    assert "60 people are in election silence when it starts, and left out." in told
    slow = drafted.must(
        *("campaign", "forecast", "1", "--at", "2040-03-02 21:59"), TOCSIN_EMAILS_PER_SECOND="0.1"
    )
    assert "of which 54 would not leave before election silence, Friday 02 March at 22:00" in slow
    wide = drafted.must(*there[:-1], "2040-03-02 21:59", TOCSIN_SILENCE_MARGIN_HOURS="3")
    assert "60 people are in election silence" in wide
    late = drafted("campaign", "schedule", "1", "--at", "2040-03-03 12:00")
    assert (late.code, "Everybody it would go to is in election silence" in late.out) == (1, True)
    early = drafted("campaign", "schedule", "1", "--at", "2040-03-01 12:00")
    assert "in election silence" not in early.out


def test_whom_it_would_reach_and_when_it_would_be_over(drafted: Typed) -> None:
    assert drafted.must("campaign", "preview", "Lettre") == "Lettre: 60 targeted, 60 would get it.\n"
    told = drafted.must("campaign", "forecast", "Lettre")
    assert "Lettre: 60 messages, finished " in told
    assert "Orange" in told
    assert "Gmail" in told
    assert "Too late" not in told
    hours = {"TOCSIN_SENDING_WINDOWS_EMAIL": "sun 03:00-03:01"}
    slow = drafted.must(
        "campaign", "forecast", "1", "--at", "2040-03-01 18:30", TOCSIN_EMAILS_PER_SECOND="0.01", **hours
    )
    assert "no end within two months" in slow
    drafted.must("campaign", "edit", "1", "--until", "2040-03-01 20:00")
    late = drafted.must(
        "campaign", "forecast", "1", "--at", "2040-03-01 19:59", TOCSIN_EMAILS_PER_SECOND="0.1"
    )
    assert "60 messages, of which 54 would miss the deadline, Thursday 01 March at 20:00" in late
    assert "Too late" in late
    assert "Start before Thursday 01 March at 19:" in late


def test_who_schedules_is_told_when_it_starts_at_once_and_when_nobody_would_get_it(drafted: Typed) -> None:
    past = drafted.must("campaign", "schedule", "Lettre", "--at", "2001-01-01 18:30")
    assert "! That moment is past, so it starts at once" in past
    drafted.must("segment", "add", "nobody", "commune:Nulle")
    made = ("campaign", "create", "Vide", "--template", "hello", "--segment", "nobody", "--from", "nat")
    drafted.must(*made)
    empty = drafted.must("campaign", "schedule", "Vide", "--at", "now")
    assert "! Vide: nobody is left to write to." in empty
    assert "past" not in empty


def test_an_identity_warms_up_by_plans_that_people_can_change(drafted: Typed) -> None:
    assert "Nobody warms up" in drafted.must("warmup", "list")
    begun = drafted.must("warmup", "start", "nat")
    assert "nat warms up at 2 providers." in begun
    assert "Warming up" in drafted.must("identity", "list")
    told = drafted.must("campaign", "forecast", "1")
    assert "nat will not be warm at Orange by then: 20 of 30 may leave on the first day" in told
    assert "nat at Orange: 25 today, on the way to 30." in drafted.must(
        "warmup", "set", "nat", "orange", "--cap", "25"
    )
    scheduled = drafted.must("campaign", "schedule", "1", "--at", "now", "--until", "2040-03-01 20:00")
    assert "! nat will not be warm at Gmail by then: 20 of 30 may leave" in scheduled
    unknown = drafted("warmup", "set", "nat", "free", "--cap", "25")
    assert (unknown.code, "warmup list" in unknown.told) == (1, True)
    assert "nat: 1 plan ended." in drafted.must("warmup", "stop", "nat", "--provider", "orange")
    assert "stopped" in drafted.must("warmup", "list", "nat")
    assert "nat: 1 plan ended." in drafted.must("warmup", "stop", "nat")
    assert "Warming up" not in drafted.must("identity", "list")


def test_workers_are_told_in_the_zone_of_the_settings(drafted: Typed, ready: Tocsin) -> None:
    now = SystemClock().now()
    ended = now.replace(microsecond=0) - timedelta(hours=1)
    with sqlite3.connect(ready.folder / "tocsin-data" / "tocsin.db") as database:
        database.execute(
            "INSERT INTO worker (id, host, pid, role, version, started_at, seen_at, stopped_at, obstacles)"
            " VALUES ('w1', 'here', 7, 'worker', '', ?, ?, ?, '[]')",
            [f"{ended:%Y-%m-%d %H:%M:%S}.000000"] * 3,
        )
    for zone in ("Europe/Paris", "Indian/Reunion"):
        wall = ended.astimezone(ZoneInfo(zone))
        assert f"ended {wall:%Y-%m-%d %H:%M} {zone}" in drafted.must("workers", TOCSIN_ZONE=zone)


def test_a_limit_that_is_used_up_is_told_by_show_and_by_watch(drafted: Typed, ready: Tocsin) -> None:
    drafted.must("pace", "set", "lane", "1:orange", "per_day", "2")
    file, now = ready.folder / "tocsin-data" / "tocsin.db", SystemClock().now()
    with sqlite3.connect(file) as database:
        database.execute("UPDATE campaign SET state = 'sending', launched_at = '2026-01-01', frozen = 1")
        database.execute(
            "INSERT INTO delivery (id, campaign_id, contact_id, channel, identity_id, provider, address,"
            " state, reason, due_at, exempt, attempts) VALUES (1, 1, 1, 'email', 1, 'orange',"
            " 'p1@orange.fr', 'queued', '', '2026-01-01', 0, 0)"
        )
        database.execute(
            "INSERT INTO campaign_lane (campaign_id, identity_id, provider) VALUES (1, 1, 'orange')"
        )
        database.execute(
            "INSERT INTO pace_window (key, started_at, used) VALUES ('lane:1:orange:per_day', ?, 2)",
            [f"{now:%Y-%m-%d %H:%M:%S}.000000"],
        )
    told = "! The limit of 2 messages a day (Les Amis, Orange) is used up, the next may leave from "
    assert told in drafted.must("campaign", "show", "Lettre")

    def pause() -> None:
        with sqlite3.connect(file) as database:
            database.execute("UPDATE campaign SET state = 'paused'")

    later = threading.Timer(1.2, pause)
    later.start()
    watched = drafted.must("campaign", "watch", "Lettre")
    later.join()
    assert watched.count(told) == 1
    assert watched.endswith("It is paused: `tocsin campaign resume 1` goes on.\n")


def test_what_is_uncertain_is_told_and_settled_as_a_person_says(drafted: Typed, ready: Tocsin) -> None:
    assert drafted.must("campaign", "uncertain", "Lettre") == "Lettre: no message is uncertain.\n"
    with sqlite3.connect(ready.folder / "tocsin-data" / "tocsin.db") as database:
        database.execute("UPDATE campaign SET state = 'finished'")
        database.execute(
            "INSERT INTO delivery (id, campaign_id, contact_id, channel, identity_id, provider, address,"
            " state, reason, due_at, exempt, attempts, settled_at) VALUES (1, 1, 1, 'email', 1, 'orange',"
            " 'p1@orange.fr', 'uncertain', '', '2026-01-01', 0, 1, '2026-01-01 10:00:00.000000')"
        )
    told = drafted.must("campaign", "uncertain", "Lettre")
    assert "Lettre: 1 message uncertain, the last since 2026-01-01 11:00 Europe/Paris." in told
    assert drafted("campaign", "uncertain", "1", "--decide", "sent", stdin="n\n").code == 1
    settled = drafted.must("campaign", "uncertain", "1", "--decide", "not_sent", "--yes")
    assert settled == "Lettre: 1 message counted as not sent.\n"
    assert drafted.must("campaign", "uncertain", "1") == "Lettre: no message is uncertain.\n"
