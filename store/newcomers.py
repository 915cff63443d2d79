"""People nobody knows yet, with their tags and proofs of consent: many at a time, in three statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from store.arriving import ArrivingRows, arrange, arriving, copy_rows, receive, taking
from store.contacts import BLANK, add_tags, prepared
from store.engine import is_embedded
from store.loading import Texts, as_text

__all__ = ["Newcomers", "Proof", "arrange_people", "insert_people"]

Proof = tuple[str, str, str, str]
"""A statement of consent as it is kept: channel, status, source, moment."""
_PROOF: Final = ("channel", "status", "source", "given_at")
_THEIRS: Final = ("contact_tag", "consent_record")


@dataclass(frozen=True, slots=True)
class Newcomers:
    """New contacts with what is theirs, on their way; made by `arrange_people`.

    `count` is how many there are, `constants` are columns that all rows of a table have alike and that are
    not among them, `labels` the words that their tags need in the vocabulary, by key.
    """

    rows: ArrivingRows
    count: int
    constants: dict[str, dict[str, str | int | None]]
    labels: dict[str, str]


def arrange_people(
    whose: Sequence[int],
    columns: Mapping[str, Texts],
    worn: Sequence[tuple[str, int]],
    said: Sequence[tuple[int, Proof]],
    *,
    labels: Mapping[str, str],
    now: datetime,
    embedded: bool,
) -> Newcomers:
    """People on their way to `insert_people`; no database is needed for this.

    People are known by their numbers, for SQLite by their places among the numbers that `insert_people`
    gets. `columns` are text, as `store.loading.as_text` writes it, of `prepared` values, row by row. `worn`
    are tags (key and wearer), in the order of keys, and `said` statements (who and what).
    """
    at = as_text(now)
    alike = {name: as_text(value) for name, value in prepared(BLANK).items() if name not in columns}
    keys, wearers = zip(*worn, strict=True) if worn else ((), ())
    parts = zip(*(proof for _, proof in said), strict=True)
    tables = {
        "contact": (whose, columns),
        "contact_tag": (wearers, {"tag_key": keys}),
        "consent_record": ([who for who, _ in said], dict(zip(_PROOF, parts, strict=False))),
    }
    constants: dict[str, dict[str, str | int | None]] = {
        "contact": {**alike, "created_at": at, "updated_at": at},
        "consent_record": {"recorded_at": at},
    }
    if embedded:
        return Newcomers(arrange(tables, embedded=True), len(whose), constants, dict(labels))
    rows = arrange(tables, embedded=False, alike=constants)
    return Newcomers(rows, len(whose), {}, dict(labels))


async def insert_people(
    session: AsyncSession, numbers: Sequence[int], people: Newcomers, *, trusting: bool = False
) -> set[int] | None:
    """Create those who share no key with a contact that exists, and what is theirs; None: all of them.

    Else their numbers; `numbers` have been reserved, and rise: the one for each place. `trusting`: that
    somebody is there already is so unlikely that PostgreSQL may raise IntegrityError then, rather than look
    for each.
    """
    if "contact" not in people.rows.columns:
        return set()
    if trusting and not is_embedded(session):
        await _copy(session, people)
        return None
    await receive(session, people.rows)
    number = f"place + {numbers[0]}" if is_embedded(session) else "place"
    made = await _insert_contacts(session, numbers, people, number)
    there = "true"
    if made is not None:
        there = f"{number} IN (SELECT id FROM contact WHERE id BETWEEN {numbers[0]} AND {numbers[-1]})"  # noqa: S608 - numbers
    connection = await session.connection()
    if "contact_tag" in people.rows.columns:
        worn = f"SELECT DISTINCT tag_key FROM {arriving('contact_tag')} WHERE {there}"  # noqa: S608 - our own words
        keys = people.labels if made is None else (await connection.exec_driver_sql(worn)).scalars().all()
        await add_tags(session, {key: people.labels[key] for key in keys}, ())
    for table in _THEIRS:
        if table in people.rows.columns:
            statement = taking(
                *(session, people.rows, table),
                number=("contact_id", number),
                constants=people.constants.get(table, {}),
                condition=there,
            )
            await connection.exec_driver_sql(statement)
    return made


async def _copy(session: AsyncSession, people: Newcomers) -> None:
    await copy_rows(session, people.rows, "contact", number="id")
    await add_tags(session, people.labels, ())
    for table in _THEIRS:
        if table in people.rows.columns:
            await copy_rows(session, people.rows, table, number="contact_id")


async def _insert_contacts(
    session: AsyncSession, numbers: Sequence[int], people: Newcomers, number: str
) -> set[int] | None:
    connection = await session.connection()
    statement = taking(
        *(session, people.rows, "contact"),
        number=("id", number),
        constants=people.constants.get("contact", {}),
        ending=" ON CONFLICT DO NOTHING",
    )
    # Numbers come as one word: to fetch a row for each takes ten times as long.
    if is_embedded(session):
        done = await connection.exec_driver_sql(statement)
        if done.rowcount == people.count:
            return None
        between = f"BETWEEN {numbers[0]} AND {numbers[-1]}"
        who_came = f"SELECT group_concat(id) FROM contact WHERE id {between}"  # noqa: S608 - numbers
    else:
        made = f"WITH made AS ({statement} RETURNING id)"
        who_came = f"{made} SELECT string_agg(CAST(id AS text), ',') FROM made"  # noqa: S608 - our own words
    listed = (await connection.exec_driver_sql(who_came)).scalar()
    return set(map(int, listed.split(","))) if listed else set()
