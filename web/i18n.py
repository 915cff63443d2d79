"""Two languages: texts from gettext catalogues, numbers and moments by Babel.

The catalogues are read as `.po` files at start: there is no compiled file that could be older than
its source. The sources of the texts are English; a text without translation is shown as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType

from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_date, format_time
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

LANGUAGES: Mapping[str, str] = MappingProxyType({"fr": "Français", "en": "English"})
"""Language code → how its speakers call it."""
LOCALES = MappingProxyType({"fr": Locale("fr", "FR"), "en": Locale("en", "GB")})
"""British English: a European association writes 24-hour times and days before months."""
SOURCE_LANGUAGE = "en"
CATALOGUES = Path(__file__).parent / "locale"


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text of a table for translation; it is translated where it is shown."""
    return text


def NN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802 - after N_
    """Mark a counted text of a table, singular and plural, for translation; `%(count)s` is the count."""
    return one, many


def is_single(count: float, language: str) -> bool:
    """Whether so many take the singular: English alone counts nought as many; both count from two on alike.

    CLDR has a third French form, of round millions ("un million de"), which figures do not take.
    """
    return count == 1 if language == SOURCE_LANGUAGE else abs(count) < 2


@cache
def read_catalogue(language: str) -> Mapping[str, tuple[str, ...]]:
    """Source text → its forms (one, or singular and plural) in `language`; empty for the source language."""
    if language == SOURCE_LANGUAGE:
        return MappingProxyType({})
    with (CATALOGUES / language / "LC_MESSAGES" / "tocsin.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    entries: dict[str, tuple[str, ...]] = {}
    for entry in catalogue:
        key = entry.id if isinstance(entry.id, str) else entry.id[0]
        forms = (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())
        if key and forms and all(forms):
            entries[key] = forms
    return MappingProxyType(entries)


@lru_cache(maxsize=4096)
def _number(value: float, language: str) -> str:
    # A page of figures is hundreds of them, many alike, at 50 µs each.
    return format_decimal(value, locale=LOCALES[language])


@lru_cache(maxsize=4096)
def _percent(share: float, digits: int, language: str) -> str:
    pattern = LOCALES[language].percent_formats[None].pattern
    if digits:
        pattern = pattern.replace("##0", f"##0.{'0' * digits}")
    return format_percent(share, format=pattern, locale=LOCALES[language])


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language, in one time zone: everything that depends on who reads."""

    language: str
    zone: tzinfo

    @property
    def locale(self) -> Locale:
        """Babel's own idea of the language."""
        return LOCALES[self.language]

    def say(self, text: str, **values: object) -> str:
        """`text` in this language, `%(name)s` filled from `values`."""
        found = read_catalogue(self.language).get(text, (text,))[0]
        return found % values if values else found

    def say_plural(self, one: str, many: str, count: float, **values: object) -> str:
        """`one` or `many`, as the language counts; `%(count)s` is the formatted number."""
        forms = read_catalogue(self.language).get(one, (one, many))
        chosen = forms[0] if is_single(count, self.language) else forms[-1]
        return chosen % {"count": self.number(count), **values}

    def count(self, forms: tuple[str, str], count: float) -> str:
        """So many of what `NN_` marked."""
        return self.say_plural(*forms, count)

    def number(self, value: float) -> str:
        """`1 234` or `1,234`."""
        # Minus nought would be kept for nought.
        return _number(value or 0, self.language)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share between 0 and 1 as a percentage; a dash for None (no denominator)."""
        if share is None:
            return "–"
        return _percent(share or 0.0, digits, self.language)

    def moment(self, at: datetime | None, width: str = "medium", *, seconds: bool = False) -> str:
        """Day and time in the reader's zone, to the minute or the second; a dash for None.

        `width`, medium or short, is the day's.
        """
        if at is None:
            return "–"
        hour = format_time(at, "medium" if seconds else "short", tzinfo=self.zone, locale=self.locale)
        return f"{self.day(at, width)}, {hour}"

    def day(self, at: date | datetime | None, width: str = "medium") -> str:
        """The day alone."""
        if at is None:
            return "–"
        local = at.astimezone(self.zone).date() if isinstance(at, datetime) else at
        return format_date(local, width, locale=self.locale)


def choose_language(wishes: list[str | None], accepted: str, default: str) -> str:
    """The first wish that is one of ours, else the best of an Accept-Language header, else `default`."""
    for wish in wishes:
        if wish is not None and wish in LANGUAGES:
            return wish
    ranked = [code.replace("-", "_") for code in rank_accepted(accepted)]
    found = negotiate_locale(ranked, list(LANGUAGES), sep="_") if ranked else None
    return found or (default if default in LANGUAGES else SOURCE_LANGUAGE)


def rank_accepted(header: str) -> list[str]:
    """The language codes of an Accept-Language header (RFC 9110 section 12.5.4), best first.

    Whatever cannot be read is passed over; a weight of 0 means "not this one".
    """
    ranked: list[tuple[float, str]] = []
    for part in header[:200].split(","):
        code, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if quality > 0 and code.replace("-", "").isalnum():
            ranked.append((quality, code))
    return [code for _, code in sorted(ranked, key=lambda pair: -pair[0])]
