"""The counters brought up to date with the events: a bit at a time, once each, without missing one.

Events get their numbers before they are committed. On PostgreSQL one with a small number may therefore
appear after one with a larger: the mark moves only past numbers whose transactions have all ended. The
reading is done without holding anything; the writing is one short transaction, and only of the process
that moves the mark from where it found it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from models.event import Event
from models.tally import Account, Tally, TallyMark
from store.engine import insert_for, last_number, planned_afresh, writers_of
from store.session import Database
from store.tallies import BY_TRIGGER
from store.tally_keys import Growth, Key, Timeline
from store.tally_ledger import counters_of, timeline_of, together
from store.tally_news import answers, grown, histories, singles, wordings
from store.tally_triggers import recount

EVENTS_A_ROUND = 20_000
ROWS_A_STATEMENT = 500
PATIENCE_S = 1.0
A_LOOK_S = 0.01
_TALLY = sa.inspect(Tally).local_table
_MARK = sa.inspect(TallyMark).local_table
_EVENT = sa.inspect(Event).local_table
KEY = ("campaign_id", "account", "identity_id", "provider", "word", "shard")
TIMELINE = (Account.SPAN, Account.MOMENT)


async def advance(database: Database, *, shard: int = 0, most: int = EVENTS_A_ROUND) -> int:
    """Count what is new, `most` numbers a round, until all is counted; how many numbers were passed.

    May run in any number of processes: what one has counted, another does not count again.
    """
    high = await settled(database)
    passed = 0
    while high is not None:
        async with database.read() as session, planned_afresh(session):
            low = await _mark(session, shard)
            upto = min(high, low + most)
            if upto <= low:
                break
            growth, texts, lines = await _news(session, low, upto)
        async with database.write() as session:
            if not await _move_mark(session, shard, low, upto):
                break
            await _store(session, shard, growth, texts)
            await _store_timelines(session, shard, lines)
        passed += upto - low
    return passed


async def recount_states(database: Database) -> None:
    """Count where deliveries stand, and who was left out, anew, while nobody may change them."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(recount)


async def rebuild(database: Database) -> None:
    """Count all events anew beside the counters in force, then put the new ones in their place."""
    async with database.write() as session:
        await _forget(session, 1)
        await session.exec(_delete(TallyMark).where(_MARK.c.shard == 1))
        session.add(TallyMark(shard=1, event_id=0))
    await advance(database, shard=1, most=5 * EVENTS_A_ROUND)
    async with database.write() as session:
        counted = await _mark(session, 1)
        # Moved first: a round of the old counters that is under way finds its mark gone and gives up.
        await session.exec(_update(TallyMark).where(_MARK.c.shard == 0).values(event_id=counted))
        await _forget(session, 0)
        await session.exec(_update(Tally).where(*_of(1)).values(shard=0))
        await session.exec(_delete(TallyMark).where(_MARK.c.shard == 1))


async def settled(database: Database) -> int | None:
    """The highest number up to which every event is committed or never will be; None: not known soon."""
    async with database.read() as session:
        last = await last_number(session, _EVENT)
        writers = await writers_of(session, _EVENT)
    for _ in range(int(PATIENCE_S / A_LOOK_S)):
        if not writers:
            return last
        await asyncio.sleep(A_LOOK_S)
        async with database.read() as session:
            writers &= await writers_of(session, _EVENT)
    return None


async def _mark(session: AsyncSession, shard: int) -> int:
    found = await session.exec(sa.select(_MARK.c.event_id).where(_MARK.c.shard == shard))  # type: ignore[call-overload]
    return int(found.scalar_one())


async def _news(
    session: AsyncSession, low: int, high: int
) -> tuple[Growth, dict[int, dict[tuple[str, str], str]], dict[int, Timeline]]:
    """What the events after `low`, up to `high`, add to the counters of each campaign."""
    statement = sa.union_all(singles(low=low, high=high), histories(low=low, high=high))
    growth = grown((await session.exec(statement)).all(), low=low)  # type: ignore[call-overload]
    texts = {campaign: await wordings(session, keys, known=()) for campaign, keys in growth.items()}
    return growth, texts, await answers(session, low=low, high=high)


async def _move_mark(session: AsyncSession, shard: int, low: int, high: int) -> bool:
    """Compare and swap; False when another process was here first."""
    move = _update(TallyMark).where(_MARK.c.shard == shard, _MARK.c.event_id == low).values(event_id=high)
    return (await session.exec(move)).rowcount == 1


async def _store(
    session: AsyncSession, shard: int, growth: Growth, texts: Mapping[int, Mapping[tuple[str, str], str]]
) -> None:
    rows = [
        _row_of(campaign, key, shard, counted.count, texts[campaign].get((key.provider, key.word), ""))
        for campaign, counters in growth.items()
        for key, counted in counters.items()
    ]
    await _upsert(session, rows, added=True)


async def _store_timelines(session: AsyncSession, shard: int, lines: Mapping[int, Timeline]) -> None:
    """Timelines are few rows a campaign: read, put together, written; all anew when the step has changed."""
    for campaign, line in sorted(lines.items()):
        mine = (_TALLY.c.campaign_id == campaign, _TALLY.c.shard == shard, _TALLY.c.account.in_(TIMELINE))
        found = await session.exec(sa.select(_TALLY.c.account, _TALLY.c.word, _TALLY.c.count).where(*mine))  # type: ignore[call-overload]
        stored = timeline_of({Key(row.account, 0, "", row.word): int(row.count) for row in found})
        whole = together((stored, line))
        if whole is None:
            continue
        if stored is not None and stored.step != whole.step:
            await session.exec(_delete(Tally).where(*mine))
        rows = [_row_of(campaign, key, shard, count, "") for key, count in counters_of(whole).items()]
        await _upsert(session, rows, added=False)


async def _upsert(session: AsyncSession, rows: list[dict[str, Any]], *, added: bool) -> None:
    """Add to the counters, or set them; in the order of their keys, so that nobody waits in a circle."""
    rows.sort(key=lambda row: tuple(str(row[name]) for name in KEY))
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        insert = insert_for(session, _TALLY).values(rows[start : start + ROWS_A_STATEMENT])
        count = _TALLY.c.count + insert.excluded.count if added else insert.excluded.count
        await session.exec(insert.on_conflict_do_update(index_elements=KEY, set_={"count": count}))


def _row_of(campaign_id: int, key: Key, shard: int, count: int, text: str) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "account": key.account,
        "identity_id": key.identity_id,
        "provider": key.provider,
        "word": key.word,
        "shard": shard,
        "count": count,
        "text": text,
    }


def _of(shard: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (_TALLY.c.shard == shard, _TALLY.c.account.not_in(BY_TRIGGER))


async def _forget(session: AsyncSession, shard: int) -> None:
    await session.exec(_delete(Tally).where(*_of(shard)))


def _delete(table: type[SQLModel]) -> sa.Delete:
    return sa.delete(table).execution_options(synchronize_session=False)


def _update(table: type[SQLModel]) -> sa.Update:
    return sa.update(table).execution_options(synchronize_session=False)
