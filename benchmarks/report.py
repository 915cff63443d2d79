"""How long a campaign's page and its report take, with millions of events behind them.

Both databases are filled by one statement a table: a campaign of many messages (most accepted, some
deferred first, refused, bounced or clicked), and others beside it until there are as many events as asked
for. Then the pages are asked for as a browser does.
"""

import argparse
import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from benchmarks.ledger import temporary_database
from benchmarks.report_rows import EVENTS_A_MESSAGE, append, fill, largest_of
from models.access import Role
from models.clock import SystemClock
from models.keyring import Keyring
from models.tokens import Tokens
from store import Database, campaigns, users
from store.reports import campaign_counts
from store.tally_fold import advance
from store.territory_fold import count_places
from web import WebContext, create_app, hash_password

MESSAGES_A_CAMPAIGN = 1_000_000
LOOKS = 9
BEHIND = 20_000
PAGES = {
    "campaign page": "/campaigns/{}",
    "report page": "/campaigns/{}/report",
    "live figures": "/campaigns/{}/live",
    "list of campaigns": "/campaigns",
    "pace page": "/pace",
    "report as CSV": "/campaigns/{}/report.csv",
    "report as PDF": "/campaigns/{}/report.pdf",
    "deliverability": "/deliverability",
    "one identity": "/deliverability/identities/1",
    "the study's table": "/deliverability/study",
    "map of a year": "/deliverability/map?days=365",
    "incidents": "/incidents",
}
PROMISED_MS = 300
"""For the pages of a campaign with ten million events behind them."""
PASSWORD = "une phrase assez longue"  # noqa: S105 - of an account that lives as long as a measurement
Tell = Callable[[str], None]


@dataclass(slots=True)
class PageTimes:
    """Medians in milliseconds, by what was asked for; and what the filling and counting cost."""

    events: int = 0
    campaign_events: int = 0
    milliseconds: dict[str, float] = field(default_factory=dict)
    counting_us_an_event: float = 0.0


async def bench_kept(tell: Tell, database_url: str, *, events: int, messages: int) -> PageTimes:
    """The same on a database that stays: filled when it has no campaign yet, and left as it is."""
    database = Database(database_url)
    try:
        await database.migrate()
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
            return await _measure(database, tell, events, messages, Path(folder), kept=True)
    finally:
        await database.close()


async def bench_pages(
    tell: Tell, *, events: int = 10_000_000, messages: int = MESSAGES_A_CAMPAIGN, database_url: str = ""
) -> PageTimes:
    """Fill a temporary database and time the pages of its largest campaign, which has `messages`."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        async with temporary_database(database_url, Path(folder)) as url:
            database = Database(url)
            try:
                return await _measure(database, tell, events, messages, Path(folder))
            finally:
                await database.close()


async def bench_pages_on(
    addresses: Sequence[str], events: int, tell: Tell
) -> list[tuple[str, str, str, str]]:
    """The same on each server, SQLite where an address is empty; a row a page: where, what, time, if met.

    One campaign has a tenth of the events at least, up to MESSAGES_A_CAMPAIGN messages.
    """
    rows = []
    messages = max(1, min(MESSAGES_A_CAMPAIGN, events // 10))
    for address in addresses:
        kind = "PostgreSQL" if address else "SQLite"
        tell(f"{kind}: filling a ledger with {events:,} events.")
        times = await bench_pages(tell, events=events, messages=messages, database_url=address)
        for name, took in times.milliseconds.items():
            # The old way, which the pages are compared with, was never promised anything.
            promised = name in PAGES
            met = ("met" if took < PROMISED_MS else "MISSED") if promised else ""
            rows.append((kind, name, f"{took:.0f} ms", met))
    return rows


async def _prepare(database: Database, tell: Tell, events: int, messages: int) -> tuple[int, PageTimes]:
    """The largest campaign of a filled ledger whose events are counted, and what that took."""
    times = PageTimes(campaign_events=int(messages * EVENTS_A_MESSAGE))
    began = time.perf_counter()
    largest = await largest_of(database) or await fill(database, events, messages)
    tell(f"filled in {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    times.events = await advance(database, most=200_000)
    took = time.perf_counter() - began
    times.counting_us_an_event = took / max(times.events, 1) * 1e6
    tell(f"counted {times.events:,} events in {took:.0f} s")
    began = time.perf_counter()
    await count_places(database, most=200_000)
    tell(f"and by département in {time.perf_counter() - began:.0f} s")
    return largest, times


async def _measure(
    database: Database, tell: Tell, events: int, messages: int, folder: Path, *, kept: bool = False
) -> PageTimes:
    largest, times = await _prepare(database, tell, events, messages)

    async def measure(name: str, look: Callable[[], Awaitable[object]], looks: int = LOOKS) -> None:
        times.milliseconds[name] = await _median(look, looks)
        tell(f"{name}: {times.milliseconds[name]:.0f} ms")

    async with _SignedIn(database, folder) as browser:
        for name, path in PAGES.items():
            await measure(name, partial(_get, browser, path.format(largest)))
        if kept:
            return times
        await append(database, largest, BEHIND)
        path = PAGES["report page"].format(largest)
        await measure(f"report page, {BEHIND:,} events not counted yet", partial(_get, browser, path))
    async with database.read() as session:
        await measure("states, row by row", partial(campaigns.count_states, session, largest), 1)
        await measure("report, row by row", partial(campaign_counts, session, largest), 1)
    return times


async def _median(look: Callable[[], Awaitable[object]], looks: int) -> float:
    taken = []
    for _ in range(looks):
        began = time.perf_counter()
        await look()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def _get(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{path} answered {answer.status_code}")


class _SignedIn:
    """A browser of somebody who may read everything."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    async def __aenter__(self) -> httpx.AsyncClient:
        clock = SystemClock()
        # On a database that stays there was somebody before.
        address = f"bench-{secrets.token_hex(4)}@example.org"
        async with self._database.write() as session:
            await users.add_user(
                session,
                email=address,
                name="Bench",
                password_hash=hash_password(PASSWORD),
                role=Role.ADMIN,
                language="fr",
                now=clock.now(),
            )
        keyring = Keyring("a secret that lives as long as a measurement")
        context = WebContext(
            database=self._database,
            clock=clock,
            tokens=Tokens(keyring),
            keyring=keyring,
            public_url="http://bench.example",
            setup_code="",
            data_dir=self._folder,
        )
        transport = httpx.ASGITransport(create_app(context))
        self._client = httpx.AsyncClient(transport=transport, base_url=context.public_url)
        page = (await self._client.get("/sign-in")).text
        token = page.partition('name="csrf" value="')[2].partition('"')[0]
        fields = {"csrf": token, "email": address, "password": PASSWORD}
        await self._client.post("/sign-in", data=fields)
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


def main() -> None:
    """`python -m benchmarks.report --events 10000000`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--messages", type=int, default=MESSAGES_A_CAMPAIGN)
    parser.add_argument("--database-url", default="", help="a server on which a database is made and removed")
    parser.add_argument("--kept", default="", help="a database that stays, to be filled once: its address")
    options = parser.parse_args()
    how = {"events": options.events, "messages": options.messages}
    if options.kept:
        asyncio.run(bench_kept(_say, options.kept, **how))
    else:
        asyncio.run(bench_pages(_say, database_url=options.database_url, **how))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script for people


if __name__ == "__main__":
    main()
