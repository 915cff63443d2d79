"""What people did, counted by the département they live in, brought up to date with the events.

Apart from `store.tally_fold` and its mark: a map may lag behind by some seconds where a report must not,
and events from before there were maps are counted by the same rounds as new ones. As there, the reading
holds nothing, and the writing is one short transaction of whoever moves the mark from where it found it.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.event import Event
from models.providers import FEEDLESS
from models.states import EventKind
from models.tally import PLACES, PlaceTally, TallyMark
from store.engine import insert_for, planned_afresh
from store.session import Database
from store.tally_fold import settled
from store.tally_keys import DECIDED

EVENTS_A_ROUND: Final = 20_000
COUNTED: Final = (
    EventKind.ACCEPTED,
    EventKind.BOUNCED,
    EventKind.CLICKED,
    EventKind.UNSUBSCRIBED,
    EventKind.COMPLAINED,
)
FIGURES: Final = ("accepted", "heard", "bounced", "clicked", "unsubscribed", "complained")
_LOOKED_AT: Final = (*COUNTED, EventKind.RESOLVED)
_EVENT = sa.inspect(Event).local_table
_CONTACT = sa.inspect(Contact).local_table.c
_PLACE = sa.inspect(PlaceTally).local_table
_MARK = sa.inspect(TallyMark).local_table


async def count_places(database: Database, *, most: int = EVENTS_A_ROUND) -> int:
    """Count what is new, `most` numbers a round, until all is counted; how many numbers were passed.

    May run in any number of processes: what one has counted, another does not count again.
    """
    high = await settled(database)
    passed = 0
    while high is not None:
        async with database.read() as session, planned_afresh(session):
            low = await counted_up_to(session)
            upto = min(high, low + most)
            if upto <= low:
                break
            grown = await _news(session, low, upto)
        async with database.write() as session:
            if not await _move_mark(session, low, upto):
                break
            await _add(session, grown)
        passed += upto - low
    return passed


async def count_places_anew(database: Database) -> None:
    """Forget all of it and count every event again, by where people live today."""
    async with database.write() as session:
        await session.exec(sa.delete(TallyMark).where(_MARK.c.shard == PLACES))
        await session.exec(sa.delete(PlaceTally))
    await count_places(database, most=5 * EVENTS_A_ROUND)


async def counted_up_to(session: AsyncSession) -> int:
    """The number of the last event that is counted; 0 before the first. By primary key."""
    mark = await session.get(TallyMark, PLACES, populate_existing=True)
    return mark.event_id if mark is not None else 0


async def _news(session: AsyncSession, low: int, high: int) -> list[dict[str, Any]]:
    """What the events after `low`, up to `high`, add: a row a campaign and département.

    Served by the primary keys of event and contact and by ix_event_delivery_id.
    """
    event = _EVENT.alias("event")
    # Added nought: grouped by the column itself, SQLite would walk through the index of all campaigns.
    campaign = (event.c.campaign_id + 0).label("campaign_id")
    place = sa.func.coalesce(_CONTACT.departement, "").label("departement")
    meaning = _meaning(event)
    heard = sa.and_(meaning == EventKind.ACCEPTED.value, event.c.provider.not_in(sorted(FEEDLESS)))
    figures = {"heard": heard} | {kind.value: meaning == kind.value for kind in COUNTED}
    statement = (
        sa.select(
            campaign,
            place,
            *(sa.func.sum(sa.case((figures[name], 1), else_=0)).label(name) for name in FIGURES),
        )
        .select_from(event.outerjoin(sa.inspect(Contact).local_table, _CONTACT.id == event.c.contact_id))
        .where(
            event.c.id > low,
            event.c.id <= high,
            event.c.kind.in_(_LOOKED_AT),
            event.c.seed.is_(False),
            event.c.campaign_id.is_not(None),
            event.c.delivery_id.is_not(None),
            meaning.is_not(None),
            ~_known_before(event, meaning),
        )
        .group_by(campaign, place)
    )
    rows = (await session.exec(statement)).all()  # type: ignore[call-overload]
    return [
        {name: row if isinstance(row, str) else int(row) for name, row in one._asdict().items()}
        for one in rows
    ]


def _meaning(event: Any) -> sa.ColumnElement[str | None]:
    """The kind an event counts as: what a mail scanner clicked counts for nobody, what was decided does."""
    machine, decision = (event.c.details[name].as_string() for name in ("machine", "decision"))
    kind = sa.type_coerce(event.c.kind, sa.String)
    return sa.case(
        (sa.and_(kind == EventKind.CLICKED.value, machine.is_not(None)), sa.null()),
        (kind != EventKind.RESOLVED.value, kind),
        *((decision == word, meant.value) for word, meant in DECIDED.items() if meant in COUNTED),
        else_=sa.null(),
    )


def _known_before(event: Any, meaning: sa.ColumnElement[str | None]) -> sa.ColumnElement[bool]:
    """Whether an earlier event of the delivery said the same: what is told twice counts once."""
    earlier = _EVENT.alias("earlier")
    return sa.exists().where(
        earlier.c.delivery_id == event.c.delivery_id,
        earlier.c.id < event.c.id,
        earlier.c.kind.in_(_LOOKED_AT),
        _meaning(earlier) == meaning,
    )


async def _move_mark(session: AsyncSession, low: int, high: int) -> bool:
    """Compare and swap; False when another process was here first."""
    start = insert_for(session, _MARK).values(shard=PLACES, event_id=0).on_conflict_do_nothing()
    await session.exec(start)
    move = sa.update(TallyMark).where(_MARK.c.shard == PLACES, _MARK.c.event_id == low).values(event_id=high)
    return (await session.exec(move.execution_options(synchronize_session=False))).rowcount == 1


async def _add(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Add to the counters, in the order of their keys, so that nobody waits in a circle."""
    if not rows:
        return
    rows.sort(key=lambda row: (row["campaign_id"], row["departement"]))
    for start in range(0, len(rows), 500):
        insert = insert_for(session, _PLACE).values(rows[start : start + 500])
        more = {name: _PLACE.c[name] + insert.excluded[name] for name in FIGURES}
        await session.exec(
            insert.on_conflict_do_update(index_elements=["campaign_id", "departement"], set_=more)
        )
