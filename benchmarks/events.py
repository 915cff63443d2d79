"""How fast news from outside takes effect: real posts and mails to a real service, until the tables show it.

    python -m benchmarks.events --database-url postgresql://localhost/postgres

A run is over when the last effect is in the tables. Before its figures are told, each effect is compared
with what was posted, by name: nothing missing, nothing twice, nothing of what was forged.
"""

import argparse
import asyncio
import json
import socket
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from benchmarks import event_proof, ledger
from benchmarks.event_amazon import amazon
from benchmarks.event_calls import TOPIC, Call, Signer, calls_of
from benchmarks.event_figures import Costs, EventRun, goals, lines
from benchmarks.event_plan import HOOKS, Expected, Message, Way, pieces_of
from benchmarks.event_rows import Ledger, analyse, commits_a_second
from benchmarks.ledger import temporary_database
from benchmarks.processes import MeasureError, complaints, python, running, tocsin
from models.clock import SystemClock
from models.errors import BadInputError
from models.keyring import Keyring
from models.tokens import Tokens
from service import loops
from store import Database

SECRET = "a secret that lives as long as a measurement"  # noqa: S105
SAMPLES = 300
"""Pieces of news of webhooks, each run, whose effect is waited for one by one."""
LOOK_S = 0.02
SILENCE_S = 30.0
"""So long without a new event, and the measurement is given up."""
MESSAGES_A_PIECE = {Way.SENDGRID: 1 / 2.6, Way.SES: 1 / 2.6, Way.SMTP: 1.0, Way.LMTP: 1.0}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EventPlan:
    """What to measure: `events` pieces of news a run, `rate` of the paced run, `connections` of each kind."""

    events: int = 10_000
    runs: int = 3
    rate: float = 500.0
    connections: int = 20
    database_url: str = ""

    def __post_init__(self) -> None:
        """BadInputError for what cannot be measured."""
        if self.events < 500 or min(self.runs, self.connections, self.rate) < 1:
            raise BadInputError("500 events, one run, one connection and one a second are the least.")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What comes in one run, by which ways; `rate` events a second, 0: as fast as they are taken."""

    name: str
    ways: Sequence[Way]
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of a measurement, up and running."""

    plan: EventPlan
    folder: Path
    database: Database
    rows: Ledger
    signer: Signer
    service: Process
    ports: dict[str, Any] = field(default_factory=dict)


def scenarios(plan: EventPlan) -> list[Scenario]:
    """What is measured, in order."""
    everything = [Way.SENDGRID, Way.SES, Way.SMTP, Way.LMTP]
    return [
        Scenario("webhooks, 100 events a post", [Way.SENDGRID]),
        Scenario("webhooks, one event a post", [Way.SES]),
        Scenario("bounces by SMTP", [Way.SMTP]),
        Scenario("bounces by LMTP", [Way.LMTP]),
        Scenario("all together", everything),
        Scenario(f"all together, {plan.rate:,.0f}/s", everything, plan.rate),
    ]


async def bench_events(plan: EventPlan, tell: Tell) -> tuple[float, list[EventRun]]:
    """Commits a second as a yardstick, and the runs; MeasureError when an effect is missing or doubled."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            bench = await _put_up(plan, folder, stack)
            found: list[EventRun] = []
            commits: list[float] = []
            await _run(bench, Scenario("warm", scenarios(plan)[-2].ways), plan.events // 5)
            for scenario in scenarios(plan):
                for _ in range(1 if scenario.rate else plan.runs):
                    commits.append(await commits_a_second(bench.database))
                    run = await _run(bench, scenario, plan.events)
                    found.append(run)
                    tell(f"{scenario.name}: {run.rate:,.0f} events/s, {run.cpu_us:,.0f} µs of CPU an event.")
            return sorted(commits)[len(commits) // 2], found


async def _put_up(plan: EventPlan, folder: Path, stack: AsyncExitStack) -> Bench:
    url = await stack.enter_async_context(temporary_database(plan.database_url, folder))
    database = Database(url)
    stack.push_async_callback(database.close)
    keyring = Keyring(SECRET)
    identity_id = await ledger.add_sender(database, keyring, ())
    signer = Signer()
    trust = await stack.enter_async_context(amazon(folder, signer.certificate))
    ports: dict[str, Any] = {
        "web_port": _free_port(),
        "smtp_port": _free_port(),
        "lmtp_path": str(folder / "lmtp"),
    }
    environment = {
        **trust,
        "TOCSIN_DATA_DIR": str(folder / "data"),
        "TOCSIN_DATABASE_URL": url,
        "TOCSIN_SECRET_KEY": SECRET,
        "TOCSIN_PUBLIC_URL": "https://tocsin.association.example",
        "TOCSIN_BIND_PORT": str(ports["web_port"]),
        "TOCSIN_SMTP_URL": "smtp://127.0.0.1:9",
        "TOCSIN_INBOUND_HOST": "127.0.0.1",
        "TOCSIN_INBOUND_PORT": str(ports["smtp_port"]),
        "TOCSIN_INBOUND_LMTP": ports["lmtp_path"],
        "TOCSIN_HOOK_SENDGRID": signer.sendgrid_key,
        "TOCSIN_HOOK_AMAZON_SES": TOPIC,
        "TOCSIN_LOG_LEVEL": "warning",
        "MALLOC_ARENA_MAX": "2",  # as in deploy/
    }
    command = tocsin("serve")
    service, _ = await stack.enter_async_context(running(command, folder=folder, environment=environment))
    await _until_up(ports["web_port"], folder)
    rows = Ledger(database, identity_id, Tokens(keyring))
    return Bench(plan, folder, database, rows, signer, service, ports)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _until_up(port: int, folder: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            try:
                if (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise MeasureError(f"The service did not come up. {complaints(folder)}")


async def _run(bench: Bench, scenario: Scenario, events: int) -> EventRun:
    """One load, from the first post to the last effect, and the proof of it."""
    group = f"run{bench.rows.campaigns}"
    share = events // len(scenario.ways)
    counts = {way: max(1, int(share * MESSAGES_A_PIECE[way])) for way in scenario.ways}
    campaign_id, messages = await bench.rows.handed_over(sum(counts.values()), group)
    await analyse(bench.database)
    expected, calls = await asyncio.to_thread(_prepare, bench, scenario, counts, messages)
    before = await event_proof.stand(bench.database)
    async with _client(bench, scenario, calls) as client:
        costs = await Costs.now(bench.database, bench.service.pid)
        client.stdin.write(b"go\n")  # type: ignore[union-attr]
        answered = asyncio.create_task(client.stdout.readline())  # type: ignore[union-attr]
        seen, ended = await _effects(bench, before, calls, expected)
        told = json.loads(await answered or b"{}")
        spent = (await Costs.now(bench.database, bench.service.pid)) - costs
    _check_answers(calls, told)
    await event_proof.check(bench.database, campaign_id, before, expected, group=group)
    run = EventRun.of(
        scenario.name,
        events=expected.originals,
        calls=calls,
        told=told,
        seen=seen,
        ended=ended,
        spent=spent,
    )
    return replace(run, paced=scenario.rate > 0)


def _prepare(
    bench: Bench, scenario: Scenario, counts: dict[Way, int], messages: Sequence[Message]
) -> tuple[Expected, dict[Way, list[Call]]]:
    expected, calls, first, now = Expected(), dict[Way, list[Call]](), 0, SystemClock().now()
    for way in scenario.ways:
        mine = messages[first : first + counts[way]]
        first += counts[way]
        pieces = pieces_of(way, mine)
        expected.add(way, pieces)
        calls[way] = calls_of(way, pieces, bench.signer, now, samples=SAMPLES)
        expected.waiting += sum(call.stranger for call in calls[way])
    return expected, calls


@asynccontextmanager
async def _client(bench: Bench, scenario: Scenario, calls: dict[Way, list[Call]]) -> AsyncIterator[Process]:
    """The process of everybody outside, ready to begin."""
    told = {way: sum(call.news for call in some) for way, some in calls.items()}
    plan = {
        **bench.ports,
        "connections": bench.plan.connections,
        # So that all ways have told everything at the same time.
        "rates": {way: scenario.rate * count / sum(told.values()) for way, count in told.items()},
        "calls": {
            way: [asdict(call) | {"body": call.body.decode("latin-1")} for call in some]
            for way, some in calls.items()
        },
    }
    file = bench.folder / "calls.json"
    await asyncio.to_thread(file.write_text, json.dumps(plan), "utf-8")
    client = await asyncio.create_subprocess_exec(
        *python("benchmarks.event_client", str(file)), stdin=PIPE, stdout=PIPE, limit=2**26
    )
    try:
        if client.stdout is None or await client.stdout.readline() != b"ready\n":
            raise MeasureError("The client did not start.")
        yield client
    finally:
        if client.returncode is None:
            client.terminate()
        await client.communicate()


async def _effects(
    bench: Bench, before: event_proof.Before, calls: dict[Way, list[Call]], expected: Expected
) -> tuple[dict[str, float], float]:
    """When (monotonic) each sample was seen in the tables, and when the last of all events was there."""
    waited = {call.sample for way in HOOKS for call in calls.get(way, ()) if call.sample}
    seen: dict[str, float] = {}
    wanted, count, last_news = expected.events.total(), 0, time.monotonic()
    look = sa.text("SELECT delivery_id || '-' || kind FROM event WHERE delivery_id IN :numbers").bindparams(
        sa.bindparam("numbers", expanding=True)
    )
    while count < wanted or waited:
        await asyncio.sleep(LOOK_S)
        if waited:
            async with bench.database.read() as session:
                connection = await session.connection()
                numbers = sorted({int(name.partition("-")[0]) for name in waited})
                found = waited & set((await connection.execute(look, {"numbers": numbers})).scalars())
            seen |= dict.fromkeys(found, time.monotonic())
            waited -= found
        counted = await event_proof.events_since(bench.database, before)
        if counted > count:
            count, last_news = counted, time.monotonic()
        if bench.service.returncode is not None or time.monotonic() > last_news + SILENCE_S:
            raise MeasureError(
                f"{count:,} of {wanted:,} events took effect, of the samples not {sorted(waited)[:3]}."
                f" {complaints(bench.folder)}"
            )
    return seen, last_news


def _check_answers(calls: dict[Way, list[Call]], told: dict[str, Any]) -> None:
    """Every call was answered as it should be."""
    for way, some in calls.items():
        answers = {place: status for place, _, _, status in told["answers"][way]}
        wrong = [
            (call.status, answers.get(place))
            for place, call in enumerate(some)
            if answers.get(place) != call.status
        ]
        if wrong:
            raise MeasureError(
                f"{len(wrong)} of {len(some)} calls ({way}) were answered otherwise: {wrong[:3]}."
            )


def main() -> None:
    """Measure with the usual wishes, or those of the command line."""
    parser = argparse.ArgumentParser()
    for name, usual in asdict(EventPlan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(usual), default=usual)
    plan = EventPlan(**vars(parser.parse_args()))
    commits, runs = loops.run(bench_events(plan, print))
    for row in [*lines(commits, runs), *goals(runs)]:
        print("  ".join(row))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
