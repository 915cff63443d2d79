"""Days and moments as files and people write them: ISO 8601, or day first as in French.

Month first (American) is not read: 03/04 would be ambiguous, and a wrong date of consent is no proof.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

from models.errors import BadInputError

_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})(?P<mark>[/.-])(?P<month>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})")
_TIME = re.compile(r"[T ]+(?:à )?(?P<hour>[0-9]{1,2})[:h](?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?")
ADVICE: Final = "Write 2026-03-15 or 15/03/2026."


@lru_cache(maxsize=8192)
def read_day(text: str) -> date:
    """The day written `2026-03-15`, `15/03/2026`, `15-03-2026` or `15.03.2026`; BadInputError otherwise.

    A time of day after it is passed over.
    """
    return read_moment(text).date()


def read_moment(text: str) -> datetime:
    """The day, and the time where there is one, aware, in UTC; without an offset the time is taken as UTC."""
    written = text.strip()
    try:
        if re.match(r"[0-9]{4}-", written):
            moment = datetime.fromisoformat(written)
        else:
            moment = _read_day_first(written)
    except ValueError as error:
        raise BadInputError(f"“{text[:40]}” is no date.", ADVICE) from error
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise BadInputError(f"“{text[:40]}” is no date.", ADVICE) from error


def _read_day_first(written: str) -> datetime:
    match = _DAY_FIRST.match(written)
    if match is None:
        raise ValueError(written)
    rest = written[match.end() :]
    clock = _TIME.fullmatch(rest) if rest else None
    if rest and clock is None:
        raise ValueError(written)
    hour, minute, second = (int(part or 0) for part in clock.groups()) if clock else (0, 0, 0)
    return datetime(
        int(match["year"]), int(match["month"]), int(match["day"]), hour, minute, second, tzinfo=UTC
    )
