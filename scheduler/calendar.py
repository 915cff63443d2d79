"""When a message may arrive: days and hours on the recipient's own wall clock. Pure.

A campaign's windows go before the installation's. The question is always about an instant, never about
arithmetic on wall-clock times: in the night the clocks change, an hour is missing or comes twice.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from models.errors import BadInputError
from models.states import Channel
from scheduler.holidays import LONGEST_GAP, is_holiday

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ADVICE: Final = "Write as in 'mon-fri 09:00-20:00, sat 10:00-18:00', or 'always'."
ALWAYS: Final = "always"
NOT_ON_HOLIDAYS: Final = "not on holidays"
DAY_MINUTES: Final = 24 * 60
_HOURS = re.compile(r"(?P<opens>\d{1,2}:\d{2})-(?P<closes>\d{1,2}:\d{2})\Z")
_CLOCK = re.compile(r"(?P<hours>\d{1,2}):(?P<minutes>\d{2})\Z")


@dataclass(frozen=True, slots=True)
class Opening:
    """Hours of some days: `days` from 0 for Monday; `opens` and `closes` in minutes, the second not in it."""

    days: frozenset[int]
    opens: int
    closes: int

    def holds(self, wall: datetime) -> bool:
        """Whether a wall-clock moment is in it."""
        minutes = wall.hour * 60 + wall.minute
        return wall.weekday() in self.days and self.opens <= minutes < self.closes


@dataclass(frozen=True, slots=True)
class SendingWindows:
    """When messages may arrive; without openings nothing is said: the installation's hold instead.

    `spare_holidays`: shut for the whole of a public holiday.
    """

    openings: tuple[Opening, ...] = ()
    spare_holidays: bool = False

    def __bool__(self) -> bool:
        return bool(self.openings)

    def __str__(self) -> str:
        return write_sending_windows(self)

    @property
    def always(self) -> bool:
        """Whether every minute of the week is in them."""
        return self == AT_ANY_TIME

    def hold(self, wall: datetime) -> bool:
        """Whether a wall-clock moment is in one of them."""
        if self.spare_holidays and is_holiday(wall.date(), getattr(wall.tzinfo, "key", "")):
            return False
        return any(opening.holds(wall) for opening in self.openings)


AS_INSTALLED: Final = SendingWindows()
AT_ANY_TIME: Final = SendingWindows((Opening(frozenset(range(7)), 0, DAY_MINUTES),))
BY_DAY: Final = SendingWindows((Opening(frozenset(range(6)), 8 * 60, 20 * 60),))
"""Monday to Saturday, 8:00 to 20:00: when people accept that their telephone rings."""


def read_sending_windows(text: str) -> SendingWindows:
    """Windows as people write them; `always` for any time, nothing for what the installation says.

    Each begins with its days (`mon-fri`, `sat`, `daily`), then its hours (`09:00-12:00`); commas separate
    them, and hours after a comma without days are of the same days. `not on holidays` at the end spares
    public holidays. BadInputError says what is wrong.
    """
    text = text.strip().lower().replace("–", "-")
    if text.endswith(NOT_ON_HOLIDAYS):
        hours = text.removesuffix(NOT_ON_HOLIDAYS).rstrip(" ,")
        if not hours:
            raise BadInputError(f"{text!r} says no hours.", f"Write as in '{ALWAYS}, {NOT_ON_HOLIDAYS}'.")
        return SendingWindows(read_sending_windows(hours).openings, spare_holidays=True)
    if text in {"", ALWAYS}:
        return AT_ANY_TIME if text else SendingWindows()
    openings: list[Opening] = []
    days: frozenset[int] = frozenset()
    for part in (part.strip() for part in text.split(",")):
        words = part.split()
        days = _days_of(words[:-1]) if len(words) > 1 else days
        if not words or not days:
            raise BadInputError(f"{part!r} is no sending window: its days are missing.", ADVICE)
        openings.append(Opening(days, *_read_hours(words[-1])))
    return SendingWindows(tuple(openings))


def _days_of(words: Sequence[str]) -> frozenset[int]:
    return frozenset().union(*map(_read_days, words))


def _read_days(word: str) -> frozenset[int]:
    if word == "daily":
        return frozenset(range(7))
    first, dash, last = word.partition("-")
    if first[:3] not in DAYS or (dash and last[:3] not in DAYS):
        raise BadInputError(f"{word!r} is no day of the week.", ADVICE)
    start = DAYS.index(first[:3])
    # "sat-mon" goes over the end of the week.
    span = (DAYS.index(last[:3]) - start) % 7 if dash else 0
    return frozenset((start + step) % 7 for step in range(span + 1))


def _read_hours(word: str) -> tuple[int, int]:
    hours = _HOURS.match(word)
    if hours is None:
        raise BadInputError(f"{word!r} are no hours.", ADVICE)
    opens, closes = _minutes(hours["opens"]), _minutes(hours["closes"])
    if closes <= opens:
        raise BadInputError(
            f"{word!r} ends before it begins.", "For a night, write two: 'fri 22:00-24:00, sat 00:00-02:00'."
        )
    return opens, closes


def _minutes(clock: str) -> int:
    parts = _CLOCK.match(clock)
    minutes = int(parts["hours"]) * 60 + int(parts["minutes"]) if parts else DAY_MINUTES + 1
    if parts is None or int(parts["minutes"]) > 59 or minutes > DAY_MINUTES:
        raise BadInputError(f"{clock!r} is no time of the day.", ADVICE)
    return minutes


def write_sending_windows(windows: SendingWindows) -> str:
    """The written form, which `read_sending_windows` reads back."""
    if windows.always:
        return ALWAYS
    written = [
        f"{_write_days(opening.days)} {_write_hours(opening.opens)}-{_write_hours(opening.closes)}"
        for opening in windows.openings
    ]
    return ", ".join([*written, NOT_ON_HOLIDAYS] if windows.spare_holidays else written)


def _write_days(days: frozenset[int]) -> str:
    """Runs of days, `mon-fri sun`; all of them are `daily`."""
    if len(days) == 7:
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return " ".join(DAYS[run[0]] + (f"-{DAYS[run[-1]]}" if len(run) > 1 else "") for run in runs)


def _write_hours(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def windows_to_rows(windows: SendingWindows) -> list[dict[str, str]]:
    """The form in which `Campaign.windows` keeps them: days and hours, a row an opening."""
    return [
        {
            "days": _write_days(opening.days),
            "from": _write_hours(opening.opens),
            "to": _write_hours(opening.closes),
            **({"holidays": "shut"} if windows.spare_holidays else {}),
        }
        for opening in windows.openings
    ]


def windows_from_rows(rows: Iterable[Mapping[str, str]]) -> SendingWindows:
    """What `windows_to_rows` wrote."""
    kept = list(rows)
    openings = (
        Opening(_days_of(row["days"].split()), _minutes(row["from"]), _minutes(row["to"])) for row in kept
    )
    return SendingWindows(tuple(openings), spare_holidays=any("holidays" in row for row in kept))


def opens(windows: SendingWindows, zone: str, moment: datetime) -> datetime:
    """The first instant from `moment` on, in UTC, at which the windows are open in `zone`.

    `moment` itself when they are. Windows without an opening are always open. An opening that falls into
    the hour the clocks skip begins with the hour after it.
    """
    if not windows or windows.always:
        return moment
    return _first(windows, zone, moment, opened=True) or moment


def closes(windows: SendingWindows, zone: str, moment: datetime) -> datetime | None:
    """The first instant from `moment` on, in UTC, at which the windows are shut in `zone`; None: never.

    `moment` itself when they are.
    """
    if not windows or windows.always:
        return None
    return _first(windows, zone, moment, opened=False)


def _first(windows: SendingWindows, zone: str, moment: datetime, *, opened: bool) -> datetime | None:
    named = _zone(zone)
    if windows.hold(moment.astimezone(named)) is opened:
        return moment
    # In the night of a change an opening may be skipped: nine days always hold the next week's.
    today = moment.astimezone(named).date() - timedelta(days=1)
    for step in range(10 + (LONGEST_GAP if windows.spare_holidays else 0)):
        for instant in sorted(set(_turns(windows, today + timedelta(days=step), named))):
            if instant >= moment and windows.hold(instant.astimezone(named)) is opened:
                return instant
    return None


def _turns(windows: SendingWindows, day: date, zone: tzinfo) -> Iterator[datetime]:
    """The instants of a local day at which the windows may begin or cease to be open."""
    midnight = datetime.combine(day, time())
    for opening in windows.openings:
        if day.weekday() in opening.days:
            for minutes in (opening.opens, opening.closes):
                wall = midnight + timedelta(minutes=minutes)
                # A time that comes twice begins or ends two openings.
                yield from (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    start, end = ((midnight + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC) for days in (0, 1))
    if start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        yield _change_between(start, end, zone)


def _change_between(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    """The instant between two at which the clocks of `zone` change, to the second."""
    before = start.astimezone(zone).utcoffset()
    while end - start > timedelta(seconds=1):
        middle = (start + (end - start) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            start = middle
        else:
            end = middle
    return end


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class UsualWindows:
    """The installation's windows, for campaigns that say nothing of their own."""

    email: SendingWindows = AT_ANY_TIME
    sms: SendingWindows = BY_DAY

    def windows_of(self, rows: Iterable[Mapping[str, str]], channel: Channel) -> SendingWindows:
        """Those of a campaign, from its `windows`, or else the installation's for its channel."""
        return windows_from_rows(rows) or (self.email if channel is Channel.EMAIL else self.sms)
