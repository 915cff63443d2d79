"""How a campaign behaves: until when, at which hours, what if it is late, before others or not.

Each has a default that suits a newsletter; the form shows them folded away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.canary import CanaryDeed, CanaryPlan
from models.errors import BadInputError
from models.states import LatePolicy, Purpose
from scheduler.calendar import (
    AS_INSTALLED,
    AT_ANY_TIME,
    DAYS,
    SendingWindows,
    read_sending_windows,
    write_sending_windows,
)
from scheduler.campaigns import NewCampaign, instant
from web.forms import Form
from web.i18n import N_, Tongue

DAY_NAMES = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
LATENESS: tuple[tuple[int, str], ...] = (
    (15, N_("15 minutes")),
    (60, N_("1 hour")),
    (180, N_("3 hours")),
    (720, N_("12 hours")),
    (1440, N_("1 day")),
)
"""Minutes, and how they are called."""
USUAL, ALWAYS, CHOSEN, WRITTEN = "usual", "always", "chosen", "written"
NO_MOMENT = N_("Say on which day and at what time the campaign starts.")
NO_DEADLINE = N_("Give the deadline a day and a time, or neither.")
NO_DAYS = N_("Choose at least one day on which messages may arrive.")


@dataclass(frozen=True, slots=True)
class Options:
    """What the form holds. `hours` is usual, always, chosen (`days`, `opens`, `closes`) or written."""

    purpose: Purpose = Purpose.CAMPAIGN
    urgent: bool = False
    until_day: str = ""
    until_time: str = ""
    late_policy: LatePolicy = LatePolicy.SEND
    late_minutes: int = 60
    hours: str = USUAL
    days: Sequence[int] = (0, 1, 2, 3, 4, 5)
    opens: str = "08:00"
    closes: str = "20:00"
    written: str = ""
    spare_holidays: bool = False
    canary: bool = False
    first: int = 200
    first_wait: int = 30
    if_bad: CanaryDeed = CanaryDeed.HOLD
    if_unknown: CanaryDeed = CanaryDeed.ALERT

    @property
    def plain(self) -> bool:
        """Whether nothing differs from the defaults: then the form need not show them."""
        return self == DEFAULTS


DEFAULTS = Options()


def read_options(form: Form) -> Options:
    """The fields of the form; those that are missing are the defaults."""
    days = [day for day in form.numbers("open_day") if day < len(DAYS)]
    hours = form.text("hours", 10)
    return Options(
        purpose=form.choice("purpose", Purpose, Purpose.CAMPAIGN),
        urgent=form.ticked("urgent"),
        until_day=form.text("until_day", 10),
        until_time=form.text("until_time", 8),
        late_policy=form.choice("late_policy", LatePolicy, LatePolicy.SEND),
        late_minutes=form.number("late_minutes") or DEFAULTS.late_minutes,
        hours=hours or USUAL,
        days=days if hours else DEFAULTS.days,
        opens=form.text("opens", 8) or DEFAULTS.opens,
        closes=form.text("closes", 8) or DEFAULTS.closes,
        written=form.text("written", 300),
        spare_holidays=form.ticked("spare_holidays"),
        canary=form.ticked("canary"),
        first=form.number("first") or DEFAULTS.first,
        first_wait=form.number("first_wait") or DEFAULTS.first_wait,
        if_bad=form.choice("if_bad", CanaryDeed, DEFAULTS.if_bad),
        if_unknown=form.choice("if_unknown", CanaryDeed, DEFAULTS.if_unknown),
    )


def options_of(parts: NewCampaign) -> Options:
    """How the form shows what a campaign was asked for."""
    until = parts.not_after.astimezone(ZoneInfo(parts.zone)) if parts.not_after else None
    shown = _hours_of(parts.windows)
    return Options(
        purpose=parts.purpose,
        urgent=parts.urgent,
        until_day=until.date().isoformat() if until else "",
        until_time=f"{until:%H:%M}" if until else "",
        late_policy=parts.late_policy,
        late_minutes=parts.late_minutes,
        **_canary_of(parts.canary),
        **shown,
    )


def _canary_of(plan: CanaryPlan | None) -> dict[str, Any]:
    if plan is None:
        return {}
    return {
        "canary": True,
        "first": plan.people,
        "first_wait": round(plan.wait.total_seconds() / 60),
        "if_bad": plan.when_bad,
        "if_unknown": plan.when_unknown,
    }


def _hours_of(windows: SendingWindows) -> dict[str, Any]:
    if not windows:
        return {"hours": USUAL}
    if windows.always:
        return {"hours": ALWAYS}
    written = write_sending_windows(windows)
    if len(windows.openings) > 1:
        return {"hours": WRITTEN, "written": written}
    (opening,) = windows.openings
    return {
        "hours": CHOSEN,
        "days": tuple(sorted(opening.days)),
        "opens": _clock(opening.opens),
        "closes": _clock(opening.closes),
        "spare_holidays": windows.spare_holidays,
    }


def _clock(minutes: int) -> str:
    # A field for times knows no 24:00.
    return "23:59" if minutes >= 24 * 60 else _hour(minutes)


def wanted_by(options: Options, zone: str) -> dict[str, Any]:
    """What `NewCampaign` is given of them; BadInputError says what cannot be used."""
    return {
        "purpose": options.purpose,
        "urgent": options.urgent,
        "not_after": _deadline(options, zone),
        "late_policy": options.late_policy,
        "late_minutes": options.late_minutes,
        "windows": windows_of(options),
        "canary": CanaryPlan(
            options.first, timedelta(minutes=options.first_wait), options.if_bad, options.if_unknown
        )
        if options.canary
        else None,
    }


def _deadline(options: Options, zone: str) -> datetime | None:
    if not options.until_day and not options.until_time:
        return None
    if not options.until_day or not options.until_time:
        raise BadInputError(NO_DEADLINE)
    return instant(read_moment(options.until_day, options.until_time), zone)


def windows_of(options: Options) -> SendingWindows:
    """The hours chosen; none for the installation's."""
    match options.hours:
        case "always":
            return AT_ANY_TIME
        case "written":
            return read_sending_windows(options.written)
        case "chosen":
            if not options.days:
                raise BadInputError(NO_DAYS)
            closes = "24:00" if options.closes >= "23:59" else options.closes
            days = " ".join(DAYS[day] for day in options.days)
            found = read_sending_windows(f"{days} {options.opens}-{closes}")
            return replace(found, spare_holidays=options.spare_holidays)
        case _:
            return AS_INSTALLED


def read_moment(day: str, clock_time: str) -> datetime:
    """A day and a time of day as the wall clock shows them, without a zone; BadInputError."""
    try:
        return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock_time))
    except ValueError as error:
        raise BadInputError(NO_MOMENT) from error


def say_windows(windows: SendingWindows, tongue: Tongue) -> str:
    """Windows in the reader's words: `Monday–Saturday 08:00–20:00`."""
    if not windows or windows.always:
        return tongue.say("at any time")
    said = [
        f"{_say_days(sorted(opening.days), tongue)} {_hour(opening.opens)}–{_hour(opening.closes)}"
        for opening in windows.openings
    ]
    return ", ".join([*said, tongue.say("not on public holidays")] if windows.spare_holidays else said)


def _say_days(days: Sequence[int], tongue: Tongue) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [tongue.say(name) for name in DAY_NAMES]
    return ", ".join(names[run[0]] if len(run) == 1 else f"{names[run[0]]}–{names[run[-1]]}" for run in runs)


def _hour(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
