"""People nobody knows yet, with their tags and proofs of consent: many at a time, in three statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from store.arriving import ArrivingRows, arrange, arriving, at_place, receive, taking
from store.contacts import BLANK, add_tags, prepared
from store.engine import is_embedded
from store.loading import Texts, as_text

__all__ = ["Newcomers", "Proof", "TargetingProof", "arrange_people", "insert_people"]

Proof = tuple[str, str, str, str]
"""A statement of consent as it is kept: channel, status, source, moment."""
TargetingProof = tuple[str, str, str]
"""A statement about targeting as it is kept: status, source, moment."""
_PROOF: Final = ("channel", "status", "source", "given_at")
_WITH_MOMENT: Final = ("consent_record", "targeting_statement")


@dataclass(frozen=True, slots=True)
class Newcomers:
    """New contacts, each known by its place, with what is theirs; made by `arrange_people`.

    `count` is how many there are, `constants` are columns that all have alike, `labels` the words that their
    tags need in the vocabulary, by key.
    """

    rows: ArrivingRows
    count: int
    constants: dict[str, str | int | None]
    labels: dict[str, str]


def arrange_people(
    places: Sequence[int],
    columns: Mapping[str, Texts],
    worn: Sequence[tuple[str, int]],
    said: Sequence[tuple[int, Proof]],
    *,
    agreed: Sequence[tuple[int, TargetingProof]] = (),
    labels: Mapping[str, str],
    now: datetime,
    embedded: bool,
) -> Newcomers:
    """People on their way to `insert_people`; no database is needed for this.

    `columns` are text, as `store.loading.as_text` writes it, of `prepared` values, row by row. `worn` are
    tags (key and wearer), in the order of keys, `said` statements (who and what) about channels and `agreed`
    about targeting; people by place.
    """
    at = as_text(now)
    alike = {name: as_text(value) for name, value in prepared(BLANK).items() if name not in columns}
    keys, wearers = zip(*worn, strict=True) if worn else ((), ())
    tables = {
        "contact": (places, columns),
        "contact_tag": (wearers, {"tag_key": keys}),
        "consent_record": _by_column(said, _PROOF),
        "targeting_statement": _by_column(agreed, _PROOF[1:]),
    }
    constants: dict[str, str | int | None] = {**alike, "created_at": at, "updated_at": at}
    return Newcomers(arrange(tables, embedded=embedded), len(places), constants, dict(labels))


def _by_column(
    proofs: Sequence[tuple[int, tuple[str, ...]]], names: Sequence[str]
) -> tuple[list[int], dict[str, Texts]]:
    parts = zip(*(proof for _, proof in proofs), strict=True)
    return [place for place, _ in proofs], dict(zip(names, parts, strict=False))


async def insert_people(
    session: AsyncSession,
    numbers: Sequence[int],
    people: Newcomers,
    *,
    trusting: bool = False,
    now: datetime,
) -> set[int] | None:
    """Create those who share no key with a contact that exists, and what is theirs; None: all of them.

    Else their numbers; `numbers` have been reserved: the one for each place. `trusting`: that somebody is
    there already is so unlikely that PostgreSQL may raise IntegrityError then, rather than look for each.
    """
    if "contact" not in people.rows.columns:
        return set()
    await receive(session, people.rows)
    number = at_place(numbers, embedded=is_embedded(session))
    made = await _insert_contacts(session, numbers, people, number, trusting=trusting)
    there = "true"
    if made is not None:
        there = f"{number} IN (SELECT id FROM contact WHERE id BETWEEN {numbers[0]} AND {numbers[-1]})"  # noqa: S608 - numbers
    connection = await session.connection()
    if "contact_tag" in people.rows.columns:
        worn = f"SELECT DISTINCT tag_key FROM {arriving('contact_tag')} WHERE {there}"  # noqa: S608 - our own words
        keys = people.labels if made is None else (await connection.exec_driver_sql(worn)).scalars().all()
        await add_tags(session, {key: people.labels[key] for key in keys}, ())
    for table in ("contact_tag", *_WITH_MOMENT):
        if table in people.rows.columns:
            constants = {"recorded_at": as_text(now)} if table in _WITH_MOMENT else {}
            whose = ("contact_id", number)
            statement = taking(
                session, people.rows, table, number=whose, constants=constants, condition=there
            )
            await connection.exec_driver_sql(statement)
    return made


async def _insert_contacts(
    session: AsyncSession, numbers: Sequence[int], people: Newcomers, number: str, *, trusting: bool
) -> set[int] | None:
    connection = await session.connection()
    embedded = is_embedded(session)
    careful = embedded or not trusting
    statement = taking(
        session,
        people.rows,
        "contact",
        number=("id", number),
        constants=people.constants,
        ending=" ON CONFLICT DO NOTHING" if careful else "",
    )
    # Numbers come as one word: to fetch a row for each takes ten times as long.
    if embedded or not careful:
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
