"""Column types every table shares, written once so that both databases keep the same promises."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

from models.errors import NaiveDatetimeError

# Before the first table is defined: a constraint without a name could never be changed on SQLite.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, always aware and in UTC, on the way in and on the way out.

    SQLite drops the offset of an aware datetime without a word; here a naive one is refused and
    an aware one is brought to UTC before it is stored.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC; a naive moment raises NaiveDatetimeError."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise NaiveDatetimeError(value)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Aware, in UTC, also where the database kept no offset."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite gives automatic row ids to INTEGER columns only."""

JsonColumn = sa.JSON().with_variant(postgresql.JSONB, "postgresql")


NUMBERED_ONCE: Final = {"sqlite_autoincrement": True}
"""The last of a table's arguments, where programs keep numbers: one whose row is gone is never given again.

Sequences of PostgreSQL are like that anyway. Where rows are written with numbers of ours, or the table is
older, `models.worker.NumbersUsed` keeps the same promise.
"""


def primary_key() -> Any:
    """An automatic 64-bit row id; None only before the first flush."""
    return Field(default=None, primary_key=True, sa_type=BigId)


def foreign_key(target: str, *, index: bool = False, nullable: bool = False, cascade: bool = False) -> Any:
    """A reference to `table.column`; with `cascade` the row goes when what it refers to goes."""
    options: dict[str, Any] = {"default": None} if nullable else {}
    if cascade:
        options["ondelete"] = "CASCADE"
    return Field(sa_type=BigId, foreign_key=target, index=index, nullable=nullable, **options)


def moment(*, nullable: bool = False, index: bool = False) -> Any:
    """A UTC moment; nullable ones default to None."""
    options: dict[str, Any] = {"default": None} if nullable else {}
    return Field(sa_type=UtcDateTime, nullable=nullable, index=index, **options)


def choice(
    values: type[StrEnum],
    *,
    default: StrEnum | None = None,
    nullable: bool = False,
    server_default: bool = False,
    primary_key: bool = False,
) -> Any:
    """An enumeration kept by value in a text column, so a new member needs no database type change.

    `server_default`: rows that were there before the column get `default`.
    """
    kind = sa.Enum(
        values,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )
    options: dict[str, Any] = {"default": default} if default is not None or nullable else {}
    if server_default and default is not None:
        options["sa_column_kwargs"] = {"server_default": default.value}
    return Field(sa_type=kind, nullable=nullable, primary_key=primary_key, **options)


def document(default: Mapping[str, Any] | list[Any] | None = None, *, server_default: bool = False) -> Any:
    """A JSON document (JSONB on PostgreSQL). Replace it whole: in-place changes are not noticed.

    `server_default`: rows that were there before the column get an empty one.
    """
    factory = (lambda: list(default)) if isinstance(default, list) else (lambda: dict(default or {}))
    empty = "[]" if isinstance(default, list) else "{}"
    options: dict[str, Any] = {"sa_column_kwargs": {"server_default": empty}} if server_default else {}
    return Field(default_factory=factory, sa_type=JsonColumn, nullable=False, **options)
