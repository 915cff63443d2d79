"""Servers that are slow, drop the line, refuse or say little: noted, waited for, and nothing is made up."""

import time
from datetime import timedelta

import pytest

from sandbox.imap_manners import Breakage
from store import Database
from tests.clocks import START, ManualClock
from tests.deliverability.seed_mailboxes import a_mail, a_place, events_of, poll, sent_to


@pytest.mark.parametrize("breaks", [Breakage.AT_ONCE, Breakage.AFTER_SIGN_IN, Breakage.AMID_FETCH])
async def test_a_line_that_drops_is_a_problem_and_the_next_look_finds_the_mail(
    database: Database, clock: ManualClock, breaks: Breakage
) -> None:
    async with a_place() as place:
        seed, delivery = await sent_to(database, place.port)
        place.inbox.add(a_mail(delivery), START)
        place.server.manners.breaks = breaks
        clock.advance(timedelta(hours=2))
        run = await poll(database, clock)
        assert (run.checked, run.missing) == (0, 0)
        assert run.problems[seed.address].startswith("The mailbox cannot be read")
        place.server.manners.breaks = Breakage.NEVER
        assert (await poll(database, clock)).checked == 0  # it is left alone for a while
        clock.advance(timedelta(minutes=5))
        assert (await poll(database, clock)).inbox == 1
    assert len(await events_of(database)) == 1


async def test_a_server_that_is_full_is_told_in_its_own_words(database: Database, clock: ManualClock) -> None:
    async with a_place() as place:
        place.server.manners.full = True
        seed, _ = await sent_to(database, place.port)
        run = await poll(database, clock)
    assert "Too many connections" in run.problems[seed.address]


async def test_a_slow_server_is_waited_for(database: Database, clock: ManualClock) -> None:
    async with a_place() as place:
        place.server.manners.slow_seconds = 0.1
        _, delivery = await sent_to(database, place.port)
        place.inbox.add(a_mail(delivery), START)
        assert (await poll(database, clock)).inbox == 1


async def test_a_server_that_never_gets_done_is_left_after_a_while_and_the_others_are_read(
    database: Database, clock: ManualClock
) -> None:
    async with a_place() as dripping, a_place() as other:
        dripping.server.manners.drip = True
        seed, _ = await sent_to(database, dripping.port)
        _, delivery = await sent_to(database, other.port)
        other.inbox.add(a_mail(delivery), START)
        begun = time.monotonic()
        run = await poll(database, clock, timeout_seconds=5, whole_seconds=0.5)
        assert time.monotonic() - begun < 4
        assert run.problems == {seed.address: "The mail server did not answer in time."}
        assert run.inbox == 1


async def test_a_server_that_says_nothing_of_its_folders_is_read_by_their_names(
    database: Database, clock: ManualClock
) -> None:
    async with a_place() as place:
        place.server.manners.unlisted = True
        _, delivery = await sent_to(database, place.port)
        place.junk.add(a_mail(delivery), START)
        assert (await poll(database, clock)).spam == 1


async def test_among_many_mails_ours_is_found_and_none_is_opened(
    database: Database, clock: ManualClock
) -> None:
    async with a_place() as place:
        _, delivery = await sent_to(database, place.port)
        for number in range(250):
            place.inbox.add(f"Subject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\nx\r\n".encode(), START)
        place.inbox.add(a_mail(delivery), START)
        assert (await poll(database, clock)).inbox == 1
        assert all(not mail.flags for mail in place.inbox.mails)
