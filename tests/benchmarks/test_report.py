"""The measurement of pages measures pages that are right."""

from pathlib import Path

from benchmarks.report import PAGES, bench_kept, bench_pages, bench_pages_on
from benchmarks.report_rows import fill
from store import Database
from store.tally_check import differences
from store.tally_fold import advance


async def test_every_page_is_measured() -> None:
    told: list[str] = []
    times = await bench_pages(told.append, events=1_500, messages=400)
    assert set(PAGES) <= times.milliseconds.keys()
    assert times.events >= times.campaign_events == 972
    assert len(told) == 3 + len(times.milliseconds)


async def test_every_page_is_told_beside_what_was_promised(postgresql_url: str) -> None:
    rows = await bench_pages_on(["", postgresql_url], 1_000, lambda _: None)
    assert {row[:2] for row in rows if row[3]} == {
        (kind, name) for kind in ("SQLite", "PostgreSQL") for name in PAGES
    }
    assert len([row for row in rows if not row[3]]) == 6, "what was never promised"


async def test_the_ledger_it_makes_is_counted_right(database: Database, tmp_path: Path) -> None:
    number = await fill(database, 1_000, 300)
    await advance(database, most=77)
    async with database.read() as session:
        assert await differences(session, number) == []


async def test_a_database_that_stays_is_filled_once(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/kept.db"
    first = await bench_kept(lambda _: None, address, events=500, messages=100)
    again = await bench_kept(lambda _: None, address, events=500, messages=100)
    assert (first.events > 0, again.events) == (True, 0)
    assert again.milliseconds.keys() == PAGES.keys()
