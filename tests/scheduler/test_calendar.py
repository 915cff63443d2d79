"""When messages may arrive, on the recipient's own clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError
from models.states import Channel
from scheduler.calendar import (
    AT_ANY_TIME,
    DAY_MINUTES,
    Opening,
    SendingWindows,
    UsualWindows,
    closes,
    opens,
    read_sending_windows,
    windows_from_rows,
    windows_to_rows,
    write_sending_windows,
)

PARIS = "Europe/Paris"
OFFICE = read_sending_windows("mon-fri 09:00-20:00, sat 10:00-18:00")


def paris(day: str, clock: str, fold: int = 0) -> datetime:
    wall = datetime.fromisoformat(f"{day}T{clock}")
    return wall.replace(tzinfo=ZoneInfo(PARIS), fold=fold).astimezone(UTC)


def test_while_the_window_is_open_now_is_the_moment() -> None:
    moment = paris("2026-03-10", "19:59:59")
    assert opens(OFFICE, PARIS, moment) == moment


def test_at_closing_time_it_is_tomorrow_morning() -> None:
    assert opens(OFFICE, PARIS, paris("2026-03-10", "20:00")) == paris("2026-03-11", "09:00")


def test_after_saturday_comes_monday() -> None:
    assert opens(OFFICE, PARIS, paris("2026-03-14", "18:30")) == paris("2026-03-16", "09:00")


def test_the_clock_is_that_of_the_recipient() -> None:
    nine_in_paris = paris("2026-03-10", "09:00")
    assert opens(OFFICE, "Indian/Reunion", nine_in_paris) == nine_in_paris
    in_cayenne = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    assert opens(OFFICE, "America/Cayenne", nine_in_paris) == in_cayenne


def test_without_windows_it_is_always_open() -> None:
    moment = paris("2026-03-15", "03:00")
    assert opens(SendingWindows(), PARIS, moment) == moment
    assert opens(AT_ANY_TIME, PARIS, moment) == moment


def test_a_window_that_begins_in_the_skipped_hour_begins_after_it() -> None:
    windows = read_sending_windows("daily 02:30-05:00")
    assert opens(windows, PARIS, paris("2026-03-29", "00:00")) == paris("2026-03-29", "03:00")


def test_a_window_inside_the_skipped_hour_waits_for_the_next_day() -> None:
    windows = read_sending_windows("daily 02:10-02:50")
    assert opens(windows, PARIS, paris("2026-03-29", "00:00")) == paris("2026-03-30", "02:10")


def test_a_window_inside_the_doubled_hour_opens_twice() -> None:
    windows = read_sending_windows("daily 02:10-02:50")
    first, second = paris("2026-10-25", "02:10"), paris("2026-10-25", "02:10", fold=1)
    assert opens(windows, PARIS, paris("2026-10-25", "00:00")) == first
    assert opens(windows, PARIS, first + timedelta(minutes=40)) == second == first + timedelta(hours=1)


def test_a_window_that_was_over_is_open_again_when_the_clock_falls_back() -> None:
    windows = read_sending_windows("daily 01:00-02:20")
    closed = paris("2026-10-25", "02:30")
    assert opens(windows, PARIS, closed) == paris("2026-10-25", "02:00", fold=1)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("mon-fri 09:00-20:00, sat 10:00-18:00", "mon-fri 09:00-20:00, sat 10:00-18:00"),
        ("Monday-Friday 9:00-20:00", "mon-fri 09:00-20:00"),
        ("mon-fri 09:00-12:00, 14:00-18:00", "mon-fri 09:00-12:00, mon-fri 14:00-18:00"),
        ("mon wed fri 09:00-10:00", "mon wed fri 09:00-10:00"),
        ("sat-mon 10:00-24:00", "mon sat-sun 10:00-24:00"),
        ("daily 08:00–22:00", "daily 08:00-22:00"),
        ("daily 00:00-24:00", "always"),
        ("always", "always"),
        ("", ""),
    ],
)
def test_windows_are_written_as_people_do(text: str, written: str) -> None:
    assert write_sending_windows(read_sending_windows(text)) == written


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lundi 09:00-20:00", "'lundi' is no day"),
        ("mon-x 09:00-20:00", "'mon-x' is no day"),
        ("09:00-20:00", "days are missing"),
        ("mon", "'mon' are no hours|days are missing"),
        ("mon 9-20", "'9-20' are no hours"),
        ("mon 20:00-09:00", "ends before it begins"),
        ("mon 09:00-09:00", "ends before it begins"),
        ("mon 09:00-25:00", "'25:00' is no time"),
        ("mon 09:61-10:00", "'09:61' is no time"),
        ("mon 09:00-10:00,", "days are missing|no hours"),
    ],
)
def test_what_cannot_be_understood_is_told(text: str, complaint: str) -> None:
    with pytest.raises(BadInputError, match=complaint):
        read_sending_windows(text)


def test_a_campaign_without_windows_has_those_of_the_installation() -> None:
    usual = UsualWindows()
    assert usual.windows_of([], Channel.EMAIL).always
    assert str(usual.windows_of([], Channel.SMS)) == "mon-sat 08:00-20:00"
    own = windows_to_rows(read_sending_windows("sun 10:00-11:00"))
    assert str(usual.windows_of(own, Channel.SMS)) == "sun 10:00-11:00"


def _opening(days: frozenset[int], first: int, second: int) -> Opening:
    return Opening(days, min(first, second), max(first, second) + 1)


some_windows = st.lists(
    st.builds(
        _opening,
        st.frozensets(st.integers(0, 6), min_size=1),
        st.integers(0, DAY_MINUTES - 1),
        st.integers(0, DAY_MINUTES - 1),
    ),
    min_size=1,
    max_size=3,
).map(lambda openings: SendingWindows(tuple(openings)))


@given(some_windows)
def test_windows_survive_both_their_forms(windows: SendingWindows) -> None:
    assert read_sending_windows(write_sending_windows(windows)) == windows
    assert windows_from_rows(windows_to_rows(windows)) == windows


@given(
    some_windows,
    st.sampled_from(["2026-03-28T12:00", "2026-10-24T12:00", "2026-06-01T00:00"]),
    st.integers(0, 2 * DAY_MINUTES),
)
def test_the_opening_is_the_first_open_minute(windows: SendingWindows, start: str, minutes: int) -> None:
    zone = ZoneInfo(PARIS)
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(minutes=minutes)
    found = opens(windows, PARIS, moment)
    minute = moment
    while not windows.hold(minute.astimezone(zone)):
        minute += timedelta(minutes=1)
    assert found == minute
    ends = moment
    while windows.hold(ends.astimezone(zone)) and ends < moment + timedelta(days=8):
        ends += timedelta(minutes=1)
    shut = closes(windows, PARIS, moment)
    assert shut == ends or (shut is None and ends == moment + timedelta(days=8))


def test_what_is_always_open_never_closes() -> None:
    assert closes(AT_ANY_TIME, PARIS, paris("2026-03-10", "03:00")) is None
    assert closes(OFFICE, PARIS, paris("2026-03-10", "12:00")) == paris("2026-03-10", "20:00")
