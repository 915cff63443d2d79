"""In the silence before a vote nobody takes the vote itself away."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from models.election import DAY_BEFORE, ElectionDay
from models.errors import ConflictError
from scheduler.vote_corrections import correct_vote, is_held, take_vote_away
from store import Database
from store.election_calendar import days_in_force, enter_day
from tests.clocks import START

SUNDAY = date(2026, 3, 15)
ANA, BOB = "ana@example.org", "bob@example.org"


def a_day(*, number: int = 1, early: Sequence[str] = ()) -> ElectionDay:
    return ElectionDay(
        name="Vote", day=SUNDAY, round=number, day_before=list(early), created_by=ANA, created_at=START
    )


@pytest.mark.parametrize(
    ("day", "now", "held"),
    [
        # The mainland's Saturday begins at 23:00 UTC; Wallis, twelve hours ahead, is in silence by noon.
        # What is to leave there is held back two hours before.
        (a_day(), datetime(2026, 3, 13, 9, 59, tzinfo=UTC), False),
        (a_day(), datetime(2026, 3, 13, 10, 0, tzinfo=UTC), True),
        (a_day(), datetime(2026, 3, 15, 18, 59, tzinfo=UTC), True),
        (a_day(), datetime(2026, 3, 15, 19, 0, tzinfo=UTC), False),
        # Where some vote the day before, theirs begins a day early.
        (a_day(early=DAY_BEFORE), datetime(2026, 3, 13, 4, 0, tzinfo=UTC), True),
        (a_day(early=DAY_BEFORE), datetime(2026, 3, 12, 7, 59, tzinfo=UTC), False),
    ],
)
def test_a_vote_is_held_while_somebody_is_in_its_silence(
    day: ElectionDay, now: datetime, *, held: bool
) -> None:
    assert is_held(day, BOB, now) is held


def test_who_entered_it_a_moment_ago_may_take_it_back() -> None:
    within = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
    slip = ElectionDay(name="Vote", day=SUNDAY, created_by=ANA, created_at=within - timedelta(minutes=60))
    assert not is_held(slip, ANA, within)
    assert is_held(slip, BOB, within)
    assert is_held(slip, ANA, within + timedelta(seconds=1))
    nobody = ElectionDay(name="Vote", day=SUNDAY, created_by="", created_at=within)
    assert is_held(nobody, "", within)


async def test_it_stays_in_the_calendar(database: Database) -> None:
    within = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
    async with database.write() as session:
        day = await enter_day(session, a_day(), by=ANA, now=START)
        number = day.id
        with pytest.raises(ConflictError, match="is on"):
            await take_vote_away(session, number, by=BOB, reason="Reporté", now=within)
        with pytest.raises(ConflictError, match="is on"):
            await correct_vote(session, number, a_day(number=2), by=BOB, reason="Reporté", now=within)
    async with database.write() as session:
        assert [one.id for one in await days_in_force(session)] == [number]
        await correct_vote(session, number, a_day(number=2), by=BOB, reason="Reporté", now=START)
        (kept,) = await days_in_force(session)
        await take_vote_away(session, kept.id, by=BOB, reason="Annulé", now=START)
        assert await days_in_force(session) == []
        with pytest.raises(ConflictError, match="already"):
            await take_vote_away(session, kept.id, by=BOB, reason="Annulé", now=within)
