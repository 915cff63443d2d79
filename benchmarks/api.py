"""How fast the API takes messages on: real calls to a real service, whose worker sends them meanwhile.

    python -m benchmarks.api --database-url postgresql://localhost/postgres

First one message a call at a steady pace, whatever the answers take (nobody slows down because we do), each
under an Idempotency-Key of its own; then five hundred a call, as fast as they are taken. Afterwards every
answer of 2xx is looked for in the tables: nothing missing, nothing twice.
"""

import argparse
import asyncio
import json
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import sqlalchemy as sa

from benchmarks import ledger
from benchmarks.calling import Caller
from benchmarks.event_figures import Costs
from benchmarks.ledger import temporary_database
from benchmarks.processes import MeasureError, complaints, python, running, tocsin
from models.api import KeyMode, Scope
from models.clock import SystemClock
from models.errors import BadInputError
from models.keyring import Keyring
from models.signing import DkimAlgorithm
from models.states import Channel
from service import loops
from store import Database, api_keys, templates

SECRET = "a secret that lives as long as a measurement"  # noqa: S105
PROMISED_P99_S, PROMISED_BATCH = 0.050, 5_000.0
AT_ONCE = 500
RECEIPT = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Bonjour {{ first_name }}, nous avons bien reçu vos {{ amount }}. Merci.</mj-text>
</mj-column></mj-section></mj-body></mjml>"""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """What to measure: `rate` calls a second for `seconds`, then `batches` of 500 over `connections`."""

    rate: int = 200
    seconds: int = 20
    batches: int = 60
    connections: int = 4
    worker: bool = True
    database_url: str = ""

    def __post_init__(self) -> None:
        """BadInputError for what cannot be measured."""
        if min(self.rate, self.seconds, self.batches, self.connections) < 1:
            raise BadInputError("One call a second, one second, one batch and one connection are the least.")


@dataclass(frozen=True, slots=True)
class ApiFigures:
    """What came of it; waits in seconds, costs in microseconds a message."""

    calls: int
    p50: float
    p99: float
    longest: float
    single_service_us: float
    single_database_us: float
    batch_rate: float
    batch_service_us: float
    batch_database_us: float


@dataclass(frozen=True, slots=True)
class _Bench:
    """The parts of a measurement, up and running."""

    plan: ApiPlan
    database: Database
    caller: Caller
    service: int
    taken: set[str]


async def bench_api(plan: ApiPlan, tell: Tell) -> ApiFigures:
    """Measure; MeasureError when an answer is no 2xx, or something answered is not in the tables once."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        async with AsyncExitStack() as stack:
            bench = await _put_up(plan, Path(name), stack)
            await _at_a_pace(bench, min(2, plan.seconds), "warm")
            before = await Costs.now(bench.database, bench.service)
            waits = await _at_a_pace(bench, plan.seconds, "one")
            spent = (await Costs.now(bench.database, bench.service)) - before
            tell(f"{len(waits):,} calls at {plan.rate}/s.")
            await _as_fast(bench, 4, "warm batch")
            before = await Costs.now(bench.database, bench.service)
            seconds = await _as_fast(bench, plan.batches, "batch")
            batch = (await Costs.now(bench.database, bench.service)) - before
            tell(f"{plan.batches} batches of {AT_ONCE}.")
            await _prove(bench)
    cuts = quantiles(waits, n=100)
    many = plan.batches * AT_ONCE
    return ApiFigures(
        calls=len(waits),
        p50=cuts[49],
        p99=cuts[98],
        longest=max(waits),
        single_service_us=spent.service_s / len(waits) * 1e6,
        single_database_us=spent.database_s / len(waits) * 1e6,
        batch_rate=many / seconds,
        batch_service_us=batch.service_s / many * 1e6,
        batch_database_us=batch.database_s / many * 1e6,
    )


async def _put_up(plan: ApiPlan, folder: Path, stack: AsyncExitStack) -> _Bench:
    url = await stack.enter_async_context(temporary_database(plan.database_url, folder))
    database = Database(url)
    stack.push_async_callback(database.close)
    secret = await _furnish(database)
    (folder / "sink").mkdir()
    command = python("benchmarks.sink", str(folder / "sink"), "--keep-every", "0")
    _, ports = await stack.enter_async_context(running(command, folder=folder))
    port = _free_port()
    environment = {
        "TOCSIN_DATA_DIR": str(folder / "data"),
        "TOCSIN_DATABASE_URL": url,
        "TOCSIN_SECRET_KEY": SECRET,
        "TOCSIN_PUBLIC_URL": "https://tocsin.association.example",
        "TOCSIN_BIND_PORT": str(port),
        "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{ports.split()[0]}",
        "TOCSIN_API_PER_MINUTE": "1000000",
        "TOCSIN_LOG_LEVEL": "warning",
        "MALLOC_ARENA_MAX": "2",  # as in deploy/
    }
    serve = tocsin("serve", *([] if plan.worker else ["--no-worker"]))
    service, _ = await stack.enter_async_context(running(serve, folder=folder, environment=environment))
    await _until_up(f"http://127.0.0.1:{port}/healthz", folder)
    caller = Caller(port, {"Authorization": f"Bearer {secret}"})
    stack.callback(caller.close)
    return _Bench(plan, database, caller, service.pid, set())


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _furnish(database: Database) -> str:
    """An identity that signs, a template, a key; its secret."""
    await ledger.add_sender(database, Keyring(SECRET), (DkimAlgorithm.RSA,))
    now = SystemClock().now()
    async with database.write() as session:
        await templates.save_version(
            session,
            name="Receipt",
            channel=Channel.EMAIL,
            subject="Merci {{ first_name }}",
            preheader="",
            body=RECEIPT,
            fallbacks={},
            now=now,
        )
        scopes = [Scope.MESSAGES_SEND, Scope.MESSAGES_READ]
        _, secret = await api_keys.add_key(
            session, name="bench", mode=KeyMode.LIVE, scopes=scopes, by="bench", now=now
        )
    return secret


async def _until_up(health: str, folder: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            try:
                if (await client.get(health)).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise MeasureError(f"The service did not come up. {complaints(folder)}")


def _wish(name: str) -> dict[str, Any]:
    return {
        "to": {"email": f"{name.replace(' ', '.')}@{ledger.RECIPIENT_DOMAIN}"},
        "template": {"id": "Receipt"},
        "variables": {"first_name": "Camille", "amount": "20 €"},
        "reference": name,
    }


async def _moments(rate: int, seconds: int) -> AsyncIterator[tuple[int, float]]:
    """The calls, each at the moment at which it is to begin."""
    begun = time.perf_counter()
    for number in range(rate * seconds):
        due = begun + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        yield number, due


async def _at_a_pace(bench: _Bench, seconds: int, group: str) -> list[float]:
    """How long each answer took, counted from when the call was due."""
    waits: list[float] = []
    calls: set[asyncio.Task[None]] = set()

    async def call(number: int, due: float) -> None:
        name = f"{group} {number}"
        body = json.dumps(_wish(name)).encode()
        status, answer = await bench.caller.post("/v1/messages", body, name.replace(" ", "-"))
        waits.append(time.perf_counter() - due)
        if status != httpx.codes.ACCEPTED:
            raise MeasureError(f"A call was answered with {status}: {answer[:300]!r}")
        bench.taken.add(name)

    async for number, due in _moments(bench.plan.rate, seconds):
        task = asyncio.create_task(call(number, due))
        calls.add(task)
    await asyncio.gather(*calls)
    return waits


async def _as_fast(bench: _Bench, batches: int, group: str) -> float:
    """Seconds for so many batches."""
    numbers = iter(range(batches))

    async def send_some() -> None:
        for number in numbers:
            names = [f"{group} {number} {place}" for place in range(AT_ONCE)]
            body = json.dumps({"messages": [_wish(name) for name in names]}).encode()
            key = f"{group.replace(' ', '-')}-{number}"
            status, answer = await bench.caller.post("/v1/messages/batch", body, key)
            if status != httpx.codes.MULTI_STATUS or json.loads(answer)["refused"]:
                raise MeasureError(f"A batch was answered with {status}: {answer[:300]!r}")
            bench.taken.update(names)

    begun = time.perf_counter()
    await asyncio.gather(*(send_some() for _ in range(bench.plan.connections)))
    return time.perf_counter() - begun


async def _prove(bench: _Bench) -> None:
    """Each message that was answered with 2xx is on record, with one delivery."""
    wanted = sa.text(
        "SELECT message.reference, count(delivery.id) FROM message"
        " LEFT JOIN delivery ON delivery.message_id = message.id GROUP BY message.id, message.reference"
    )
    async with bench.database.read() as session:
        rows = (await (await session.connection()).execute(wanted)).all()
    found = {row[0] for row in rows}
    if found != bench.taken or len(rows) != len(found) or any(row[1] != 1 for row in rows):
        raise MeasureError(f"{len(bench.taken):,} messages were taken on, {len(rows):,} are on record.")


def lines(figures: ApiFigures) -> list[tuple[str, str]]:
    """As they are told."""
    met = "met" if figures.p99 < PROMISED_P99_S else "missed"
    many = "met" if figures.batch_rate >= PROMISED_BATCH else "missed"
    return [
        ("one message a call", f"{figures.calls:,} calls"),
        ("  half answered within", f"{figures.p50 * 1000:.1f} ms"),
        ("  99 in 100 within", f"{figures.p99 * 1000:.1f} ms (goal < {PROMISED_P99_S * 1000:.0f}: {met})"),
        ("  the longest", f"{figures.longest * 1000:.1f} ms"),
        ("  CPU", f"{figures.single_service_us:,.0f} + {figures.single_database_us:,.0f} µs"),
        ("500 messages a call", f"{figures.batch_rate:,.0f}/s (goal ≥ {PROMISED_BATCH:,.0f}: {many})"),
        ("  CPU a message", f"{figures.batch_service_us:,.0f} + {figures.batch_database_us:,.0f} µs"),
    ]


def main() -> None:
    """Measure with the usual wishes, or those of the command line."""
    parser = argparse.ArgumentParser()
    for name, usual in asdict(ApiPlan()).items():
        if isinstance(usual, bool):
            parser.add_argument(f"--no-{name}", dest=name, action="store_false")
        else:
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(usual), default=usual)
    for row in lines(loops.run(bench_api(ApiPlan(**vars(parser.parse_args())), print))):
        print(f"{row[0]:24}{row[1]}")  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
