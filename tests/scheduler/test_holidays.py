"""Public holidays: computed, off unless asked for, on the recipient's own clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError
from scheduler.calendar import (
    AT_ANY_TIME,
    SendingWindows,
    closes,
    opens,
    read_sending_windows,
    windows_from_rows,
    windows_to_rows,
    write_sending_windows,
)
from scheduler.holidays import LONGEST_GAP, easter, is_holiday

PARIS = "Europe/Paris"
SPARING = read_sending_windows("mon-sat 08:00-20:00, not on holidays")


def at(day: str, clock: str, zone: str = PARIS) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    "day",
    ["1954-04-18", "2000-04-23", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25", "2285-03-22"],
)
def test_easter_is_where_the_calendar_has_it(day: str) -> None:
    assert easter(int(day[:4])).isoformat() == day


def test_a_year_has_its_eleven_holidays() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    assert [f"{day:%d/%m}" for day in days if is_holiday(day, PARIS)] == (
        ["01/01", "06/04", "01/05", "08/05", "14/05", "25/05", "14/07", "15/08", "01/11", "11/11", "25/12"]
    )


def test_overseas_remembers_abolition_on_its_own_day() -> None:
    assert is_holiday(date(2026, 12, 20), "Indian/Reunion")
    assert not is_holiday(date(2026, 12, 20), PARIS)
    assert is_holiday(date(2026, 5, 22), "America/Martinique")


def test_holidays_are_days_like_others_unless_they_are_spared() -> None:
    holiday = at("2026-07-14", "10:00")
    assert opens(read_sending_windows("mon-sat 08:00-20:00"), PARIS, holiday) == holiday
    assert opens(SPARING, PARIS, holiday) == at("2026-07-15", "08:00")
    assert opens(SPARING, PARIS, at("2026-07-13", "21:00")) == at("2026-07-15", "08:00")


def test_a_holiday_is_shut_from_midnight_to_midnight_of_the_recipient() -> None:
    windows = read_sending_windows("always, not on holidays")
    assert not windows.always
    eve = at("2026-05-07", "12:00")
    assert opens(windows, PARIS, eve) == eve
    assert closes(windows, PARIS, eve) == at("2026-05-08", "00:00")
    assert opens(windows, PARIS, at("2026-05-08", "00:00")) == at("2026-05-09", "00:00")
    cayenne = "America/Cayenne"
    assert opens(windows, cayenne, at("2026-06-10", "09:00", cayenne)) == at("2026-06-11", "00:00", cayenne)
    assert opens(windows, PARIS, at("2026-06-10", "09:00")) == at("2026-06-10", "09:00")


def test_christmas_and_new_year_on_the_only_day_are_both_waited_over() -> None:
    fridays = read_sending_windows("fri 09:00-10:00, not on holidays")
    assert opens(fridays, PARIS, at("2026-12-25", "09:00")) == at("2027-01-08", "09:00")


@given(st.dates(date(2020, 1, 1), date(2300, 1, 1)), st.sampled_from([PARIS, "America/Martinique"]))
def test_each_weekday_comes_back_as_no_holiday_before_long(day: date, zone: str) -> None:
    weeks = range(0, LONGEST_GAP + 1, 7)
    assert any(not is_holiday(day + timedelta(days=days), zone) for days in weeks)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("mon-sat 08:00-20:00, not on holidays", "mon-sat 08:00-20:00, not on holidays"),
        ("Mon-Sat 08:00-20:00 NOT ON HOLIDAYS", "mon-sat 08:00-20:00, not on holidays"),
        ("always, not on holidays", "daily 00:00-24:00, not on holidays"),
    ],
)
def test_what_is_typed_is_kept_and_read_back(typed: str, written: str) -> None:
    windows = read_sending_windows(typed)
    assert windows.spare_holidays
    assert write_sending_windows(windows) == written
    assert read_sending_windows(written) == windows
    assert windows_from_rows(windows_to_rows(windows)) == windows
    assert windows != SendingWindows(windows.openings)
    assert not windows_from_rows(windows_to_rows(AT_ANY_TIME)).spare_holidays


def test_holidays_without_hours_are_refused() -> None:
    with pytest.raises(BadInputError, match="says no hours"):
        read_sending_windows("not on holidays")
