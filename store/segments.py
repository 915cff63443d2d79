"""Rows of segments, and how many people a rule keeps."""

from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.errors import NotFoundError
from models.segment import Segment
from models.segment_tree import Node, Or, tree_from_json, tree_to_json
from store.engine import insert_for
from store.loading import number_of_its_own
from store.segment_sql import leads_in, matching

__all__ = ["count_matching", "find_segment", "get_segment", "list_segments", "save_segment", "tree_of"]
TABLE = cast("sa.Table", cast("Any", Segment).__table__)


async def save_segment(session: AsyncSession, *, name: str, text: str, tree: Node, now: datetime) -> Segment:
    """Create the segment of that name, or give it this rule; served by the unique index of the name."""
    rule = {"text": text, "tree": tree_to_json(tree), "updated_at": now}
    number = await number_of_its_own(session, TABLE)
    insert = insert_for(session, Segment).values(name=name, created_at=now, **rule, **number)
    await session.exec(insert.on_conflict_do_update(index_elements=["name"], set_=rule))
    found = await session.exec(
        select(Segment).where(Segment.name == name).execution_options(populate_existing=True)
    )
    return found.one()


async def find_segment(session: AsyncSession, name: str) -> Segment | None:
    """The segment of that exact name; served by the unique index of the name."""
    return (await session.exec(select(Segment).where(Segment.name == name))).one_or_none()


async def get_segment(session: AsyncSession, segment_id: int) -> Segment:
    """The segment of that number, NotFoundError when there is none; served by the primary key."""
    segment = await session.get(Segment, segment_id)
    if segment is None:
        raise NotFoundError(f"There is no segment number {segment_id}.")
    return segment


async def list_segments(session: AsyncSession) -> list[Segment]:
    """All segments by name; there are few."""
    return list((await session.exec(select(Segment).order_by(col(Segment.name)))).all())


def tree_of(segment: Segment) -> Node:
    """The rule of a stored segment, checked; SegmentError when a newer Tocsin wrote it."""
    return tree_from_json(segment.tree)


async def count_matching(session: AsyncSession, tree: Node, *, now: datetime) -> int:
    """How many contacts the rule keeps; served by the indexes `matching` names, a scan when none fits.

    When indexes give the people of each alternative, they are found one alternative after the other and
    put together: asked at once, PostgreSQL would look at everybody.
    """
    parts = tree.children if isinstance(tree, Or) and all(map(leads_in, tree.children)) else (tree,)
    number = cast("sa.ColumnElement[int]", Contact.id)
    first, *others = (sa.select(number).where(matching(part, now=now)) for part in parts)
    if not others:
        question = select(sa.func.count()).select_from(Contact).where(matching(tree, now=now))
    else:
        question = select(sa.func.count()).select_from(sa.union(first, *others).subquery())
    return (await session.exec(question)).one()
