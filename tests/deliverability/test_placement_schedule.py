"""Seeds are looked into closely at first, twice more within a day, and not at all when nothing is awaited."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.placement.schedule import CLOSELY, MISSING_AFTER, is_due
from models.seed import SeedMailbox
from models.states import EventKind
from store.seeds import SentMail
from tests.clocks import START

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def a_seed(
    *, read: timedelta | None = None, checked: timedelta | None = None, problem: str = ""
) -> SeedMailbox:
    return SeedMailbox(
        id=1,
        address="temoin@gmail.com",
        provider="gmail",
        imap_host="",
        username="",
        sealed_password="",
        last_read_at=None if read is None else START + read,
        last_checked_at=None if checked is None else START + checked,
        last_problem=problem,
    )


def a_mail(seen: EventKind | None = None) -> SentMail:
    return SentMail(1, 1, START, seen)


def looks(*, seen: EventKind | None, until: timedelta = 72 * HOUR) -> list[timedelta]:
    """When a mailbox is looked into that is asked about every minute."""
    found: list[timedelta] = []
    for minutes in range(int(until / MINUTE)):
        now = minutes * MINUTE
        if is_due(a_seed(read=found[-1] if found else None), [a_mail(seen)], START + now):
            found.append(now)
    return found


def test_a_mail_not_found_is_looked_for_every_minute_then_after_two_hours_and_after_a_day() -> None:
    assert looks(seen=None) == [*(minute * MINUTE for minute in range(31)), 2 * HOUR, 24 * HOUR]


@pytest.mark.parametrize("seen", [EventKind.PLACED_INBOX, EventKind.PLACED_TAB, EventKind.PLACED_SPAM])
def test_a_mail_that_was_found_is_looked_for_again_at_the_later_hours(seen: EventKind) -> None:
    assert looks(seen=seen) == [CLOSELY, 2 * HOUR, 24 * HOUR]


def test_without_mails_nothing_is_due() -> None:
    assert not is_due(a_seed(), [], START)


def test_a_look_that_was_missed_is_made_up_for_once() -> None:
    late = START + 5 * HOUR
    assert is_due(a_seed(read=CLOSELY), [a_mail()], late)
    assert not is_due(a_seed(read=5 * HOUR), [a_mail()], late)


def test_after_a_problem_there_is_a_rest_and_the_look_stays_due() -> None:
    broken = a_seed(read=None, checked=10 * MINUTE, problem="wrong password")
    assert not is_due(broken, [a_mail()], START + 14 * MINUTE)
    assert is_due(broken, [a_mail()], START + 15 * MINUTE)
    assert is_due(a_seed(read=CLOSELY, checked=24 * HOUR, problem="x"), [a_mail()], START + 25 * HOUR)


@given(st.integers(0, 72 * 60), st.integers(0, 72 * 60))
def test_once_the_last_look_is_done_nothing_is_due_any_more(read: int, now: int) -> None:
    if read * MINUTE >= MISSING_AFTER and now >= read:
        assert not is_due(a_seed(read=read * MINUTE), [a_mail()], START + now * MINUTE)
