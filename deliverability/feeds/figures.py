"""Figures that providers declare, as values, and the tables they hand out as files."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from deliverability.feeds.markup import decode
from models.declared import DeclaredSource
from models.errors import BadInputError

MAX_FILE = 10_000_000
MAX_ROWS = 200_000
MAX_CELL = 1000
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y"),
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
)
_NUMBER = re.compile(r"[<>~≤≥]?\s*(-?\d+(?:[.,]\d+)?)\s*(%?)\Z")
_GROUPED = re.compile(r"(?<=\d)[ \u00a0\u202f'](?=\d{3}\b)|(?<=\d),(?=\d{3}(?:,|\b)(?!\s*%))")


class UnreadableFiguresError(BadInputError):
    """A file of figures that cannot be used."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one day, as `models.declared.DeclaredFigure` keeps it."""

    source: DeclaredSource
    subject: str
    metric: str
    day: date
    value: float | None
    words: str = ""
    provider: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a file or an answer holds; `problems`: rows that could not be read, one line each."""

    figures: tuple[Figure, ...]
    problems: tuple[str, ...] = ()


def read_table(raw: bytes) -> list[list[str]]:
    """The rows of a CSV file with commas, semicolons or tabs, cells trimmed; empty rows are left out."""
    if len(raw) > MAX_FILE:
        raise UnreadableFiguresError(f"The file is larger than {MAX_FILE // 1_000_000} megabytes.")
    text, odd = decode(raw)
    if odd:
        text = raw.decode("cp1252", "replace")
    text = text.replace("\0", "")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    mark = max(",;\t", key=first.count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=mark):
            cells = [cell.strip()[:MAX_CELL] for cell in row]
            if any(cells):
                rows.append(cells)
            if len(rows) > MAX_ROWS:
                raise UnreadableFiguresError(f"The file has more than {MAX_ROWS:,} rows.")
    except csv.Error as error:
        raise UnreadableFiguresError(f"The file is no table: {error}.") from error
    return rows


def headings(row: Sequence[str], names: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Which column holds what: `names` are the headings each thing is known by, without accents."""
    plain = [fold(cell) for cell in row]
    found: dict[str, int] = {}
    for key, known in names.items():
        place = next((plain.index(name) for name in known if name in plain), None)
        if place is not None:
            found[key] = place
    return found


def fold(text: str) -> str:
    """`Taux de plaintes (%)` → `taux de plaintes`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain).split())


def others(row: Sequence[str], head: Sequence[str], used: Mapping[str, int]) -> dict[str, str]:
    """The cells of columns nobody asked for, by their headings: kept, as they may come to mean something."""
    places = set(used.values())
    rest = zip(head, row, strict=False)
    return {name[:60]: cell for place, (name, cell) in enumerate(rest) if place not in places and cell}


def number(text: str) -> float | None:
    """`1 234`, `0,3`, `< 0.1%` (as 0.001); None for anything else."""
    found = _NUMBER.match(_GROUPED.sub("", text.strip()))
    if found is None:
        return None
    value = float(found[1].replace(",", "."))
    return value / 100 if found[2] else value


def share(text: str) -> float | None:
    """A rate as a share: `0.3%`, `0,3 %`, `0.003`; None for what is none between 0 and 1."""
    value = number(text)
    return value if value is not None and 0 <= value <= 1 else None


def day(text: str) -> date | None:
    """A day as people in Europe and machines write it; see `snds` for Microsoft's."""
    written = text.strip().removesuffix("Z").partition("+")[0].strip()
    for form in _DAYS:
        try:
            return datetime.strptime(written, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


def cells(row: Sequence[str], places: Mapping[str, int]) -> dict[str, str]:
    """The cells of a row by what they hold; "" where the row is too short."""
    return {key: row[place] if place < len(row) else "" for key, place in places.items()}


def merge(figures: Sequence[Figure]) -> Iterator[Figure]:
    """One figure for each subject, provider, metric and day; counts that come in parts are added up."""
    sums: dict[tuple[str, str, str, date], Figure] = {}
    for one in figures:
        name = (one.subject, one.provider, one.metric, one.day)
        known = sums.get(name)
        if known is not None and one.value is not None and known.value is not None and is_count(one.metric):
            value = known.value + one.value
            sums[name] = Figure(
                one.source, one.subject, one.metric, one.day, value, one.words, one.provider, one.details
            )
        else:
            sums[name] = one
    yield from sums.values()


def is_count(metric: str) -> bool:
    """Whether a metric counts; the others are shares, or words."""
    return not metric.endswith(("_rate", "_result")) and not metric.startswith("compliance_")
