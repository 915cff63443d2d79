"""The public holidays of France, computed: eleven for everybody, and one more in each territory overseas.

Labour code, L3133-1 and L3422-2. A table of dates would have to be kept up. The two more of Alsace and
Moselle are left out: hours know a person's time zone, which is that of Paris there.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType

FIXED = frozenset({(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)})
"""Month and day."""
AFTER_EASTER = (1, 39, 50)
"""Easter Monday, Ascension Day, Whit Monday: days after Easter Sunday."""
OVERSEAS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "Indian/Mayotte": (4, 27),
        "America/Martinique": (5, 22),
        "America/Guadeloupe": (5, 27),
        "America/Marigot": (5, 28),
        "America/Cayenne": (6, 10),
        "America/St_Barthelemy": (10, 9),
        "Indian/Reunion": (12, 20),
    }
)
"""Time zone → the day on which slavery's abolition is remembered there."""
LONGEST_GAP = 40
"""Days within which each weekday comes that is no holiday: three Thursdays of May may be, in a row."""


def is_holiday(day: date, zone: str) -> bool:
    """Whether `day` is a public holiday of France, on the clock of `zone` (IANA)."""
    month_and_day = (day.month, day.day)
    return (
        month_and_day in FIXED
        or OVERSEAS.get(zone) == month_and_day
        or (day - easter(day.year)).days in AFTER_EASTER
    )


@lru_cache(maxsize=16)
def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by Meeus's method (Astronomical Algorithms, chapter 8)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leaps, odd = divmod(century, 4)
    moon = (19 * golden + century - leaps - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    quarter, left = divmod(rest, 4)
    weekday = (32 + 2 * odd + 2 * quarter - moon - left) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    return date(year, 3, 22) + timedelta(days=moon + weekday - 7 * late)
