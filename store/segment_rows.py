"""Segments one at a time: made, changed and taken away under their number, and which campaigns hold them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignSegment
from models.errors import ConflictError
from models.segment import Segment
from models.segment_tree import Node, tree_to_json
from store.engine import insert_for
from store.loading import number_of_its_own, retire_number
from store.segments import TABLE

NAMED = 5
"""How many campaigns are named that hold a segment."""


async def next_segments(
    session: AsyncSession, *, limit: int, after: int | None = None, name: str = ""
) -> list[Segment]:
    """In the order they were made; `name`: the one that is called so. Served by the primary key."""
    wanted = select(Segment)
    if after is not None:
        wanted = wanted.where(col(Segment.id) > after)
    if name:
        wanted = wanted.where(Segment.name == name)
    return list((await session.exec(wanted.order_by(col(Segment.id)).limit(limit))).all())


async def add_segment(session: AsyncSession, *, name: str, text: str, tree: Node, now: datetime) -> Segment:
    """A new one; ConflictError when another has its name."""
    row: dict[str, Any] = {
        "name": name,
        "text": text,
        "tree": tree_to_json(tree),
        "created_at": now,
        "updated_at": now,
    }
    row |= await number_of_its_own(session, TABLE)
    made = insert_for(session, Segment).values(row).on_conflict_do_nothing(index_elements=["name"])
    number = (await session.exec(made.returning(col(Segment.id)))).scalar()
    if number is None:
        raise _taken(name)
    return (await session.exec(select(Segment).where(Segment.id == number))).one()


async def change_segment(
    session: AsyncSession, segment: Segment, *, name: str | None, rule: tuple[str, Node] | None, now: datetime
) -> Segment:
    """Give it another name, another rule or both; ConflictError when another has the name."""
    values: dict[str, Any] = {"updated_at": now}
    if name is not None and name != segment.name:
        if (await session.exec(select(Segment.id).where(Segment.name == name))).first() is not None:
            raise _taken(name)
        values["name"] = name
    if rule is not None:
        values |= {"text": rule[0], "tree": tree_to_json(rule[1])}
    segment.sqlmodel_update(values)
    session.add(segment)
    try:
        await session.flush()
    except sa.exc.IntegrityError as error:
        raise _taken(name or segment.name) from error
    return segment


async def drop_segment(session: AsyncSession, segment: Segment) -> None:
    """Take it away; ConflictError while campaigns hold it, whose audiences nobody could tell otherwise."""
    holders = await campaigns_with(session, segment.id)
    if holders:
        named = ", ".join(f"“{name}”" for name in holders)
        raise ConflictError(f"Campaigns hold this segment: {named}.", "It stays, so that they can be told.")
    # Programs keep its id, which must not come to mean another one.
    await retire_number(session, TABLE, segment.id)
    try:
        await session.delete(segment)
        await session.flush()
    except sa.exc.IntegrityError as error:
        raise ConflictError("A campaign holds this segment by now.", "It stays.") from error


async def campaigns_with(session: AsyncSession, segment_id: int) -> Collection[str]:
    """The names of some campaigns that hold a segment, the newest first. There are few of them."""
    wanted = (
        select(Campaign.name)
        .join(CampaignSegment, col(CampaignSegment.campaign_id) == col(Campaign.id))
        .where(CampaignSegment.segment_id == segment_id)
        .order_by(col(Campaign.id).desc())
        .limit(NAMED)
    )
    return list((await session.exec(wanted)).all())


def _taken(name: str) -> ConflictError:
    return ConflictError(f"There is already a segment “{name}”.", "Choose another name.")
