"""Which column of a file is which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audience.addresses import AddressError, read_email
from audience.exports import Export, recognise
from audience.fields import FIELD_BY_NAME, FIELDS
from audience.import_file import ImportFileError
from audience.segment_words import attribute_key
from models.segment_tree import ATTRIBUTE_PREFIX
from models.text import fold

__all__ = ["IGNORE", "Column", "map_columns"]

IGNORE: Final = "ignore"
_KEYS: Final = frozenset({"email", "phone", "external_id"})
_REFUSALS: Final = frozenset({"email_refusal", "sms_refusal"})
"""What several columns may say: each no counts."""


@dataclass(frozen=True, slots=True)
class Column:
    """Column number `index` from 0: `field` is a known field, `attr.NAME`, or `ignore`."""

    index: int
    header: str
    field: str


def map_columns(
    header: Sequence[str], mapping: Mapping[str, str], *, keep_unknown: bool = True
) -> tuple[Column, ...]:
    """A field for every column; ImportFileError when that cannot be told, or when no column is a key.

    `mapping` is header → field and goes before what headers say by themselves. Columns nobody knows
    become free attributes, or are ignored without `keep_unknown`; those without a heading are ignored.
    """
    _refuse_data(header)
    wanted = _wanted(header, mapping)
    fields = [wanted.get(fold(title)) for title in header]
    export = recognise(header)
    if export is not None:
        _recognise_export(header, fields, export)
    _recognise(header, fields)
    columns = tuple(
        Column(index, title, field or _free(title, keep=keep_unknown))
        for index, (title, field) in enumerate(zip(header, _number(fields), strict=True))
    )
    _refuse_doubles(columns)
    if not _KEYS & {column.field for column in columns}:
        raise ImportFileError(
            f"No column is an e-mail address, a telephone or an identifier: {_listed(header)}.",
            "Say which one is, as in --map 'Column=email'.",
        )
    return columns


def _refuse_data(header: Sequence[str]) -> None:
    for title in header:
        try:
            read_email(title)
        except AddressError:
            continue
        raise ImportFileError(
            "The file has no header: its first line holds an e-mail address.",
            "Put a line above it that names the columns.",
        )


def _wanted(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    titles = {fold(title) for title in header}
    wanted: dict[str, str] = {}
    for title, field in mapping.items():
        if fold(title) not in titles:
            raise ImportFileError(f"The file has no column “{title}”.", f"It has {_listed(header)}.")
        wanted[fold(title)] = _field(field)
    return wanted


def _field(name: str) -> str:
    if name.startswith(ATTRIBUTE_PREFIX) and attribute_key(name.removeprefix(ATTRIBUTE_PREFIX)):
        return ATTRIBUTE_PREFIX + attribute_key(name.removeprefix(ATTRIBUTE_PREFIX))
    if name in FIELD_BY_NAME or name == IGNORE:
        return name
    raise ImportFileError(
        f"There is no field “{name}”.", f"Choose from {', '.join(FIELD_BY_NAME)}, attr.NAME, {IGNORE}."
    )


def _recognise_export(header: Sequence[str], fields: list[str | None], export: Export) -> None:
    """Give each field the column in which that program keeps it."""
    titles = [fold(title) for title in header]
    for heading, name in export.fields.items():
        if name in fields and name not in _REFUSALS:
            continue
        for index, title in enumerate(titles):
            if title == heading and fields[index] is None:
                fields[index] = name
                break
    for index, title in enumerate(titles):
        if fields[index] is None and title in export.useless:
            fields[index] = IGNORE


def _number(fields: Sequence[str | None]) -> list[str | None]:
    """The second column of a refusal gets a name of its own, and so does each further one."""
    seen: dict[str, int] = {}
    named: list[str | None] = []
    for name in fields:
        if name in _REFUSALS and name is not None:
            seen[name] = seen.get(name, 0) + 1
            named.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
        else:
            named.append(name)
    return named


def _recognise(header: Sequence[str], fields: list[str | None]) -> None:
    """Give each field the column whose heading is the surest name for it; a second choice stays free.

    A file with both “Téléphone” and “Portable” has its mobile numbers in the second.
    """
    titles = [fold(title) for title in header]
    for field in FIELDS:
        if field.name in fields and field.name not in _REFUSALS:
            continue
        for heading in field.headers:
            free = [i for i, title in enumerate(titles) if title == heading and fields[i] is None]
            for index in free:
                fields[index] = field.name
            if free and field.name not in _REFUSALS:
                break


def _free(title: str, *, keep: bool) -> str:
    key = attribute_key(title)
    return f"{ATTRIBUTE_PREFIX}{key}" if keep and key else IGNORE


def _refuse_doubles(columns: Sequence[Column]) -> None:
    seen: dict[str, Column] = {}
    for column in columns:
        first = seen.setdefault(column.field, column)
        if first is not column and column.field != IGNORE:
            raise ImportFileError(
                f"Columns {first.index + 1} (“{first.header}”) and {column.index + 1} (“{column.header}”) "
                f"both say {column.field}.",
                f"Rename one, or say --map '{column.header}={IGNORE}'.",
            )


def _listed(header: Sequence[str]) -> str:
    shown = [f"“{title[:40]}”" for title in header[:30] if title]
    return ", ".join(shown) + (" …" if len(header) > 30 else "")
