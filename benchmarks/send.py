"""One configuration measured: the parts put up, a warm-up, the runs, the proof, the yardsticks.

The clock runs from the moment the first delivery of a run is claimed to the moment the last one is recorded,
both as the ledger says. What comes before, the freezing of the audience, is told apart.
"""

import asyncio
import json
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import col, select

from benchmarks import ledger
from benchmarks.certificate import write_certificate
from benchmarks.counting import SinkControl, control
from benchmarks.figures import Figures, Run, highest
from benchmarks.nodemailer import measure_nodemailer
from benchmarks.plan import SendPlan, Signing
from benchmarks.processes import (
    Cost,
    MeasureError,
    complaints,
    cores_here,
    cost,
    helpers_of,
    python,
    running,
    tocsin,
)
from benchmarks.proof import check_arrivals, check_signatures
from benchmarks.yardsticks import RsaYardstick
from models.delivery import Delivery
from models.keyring import Keyring
from models.signing import DkimAlgorithm
from models.states import WAITING, DeliveryState
from store import Database
from store.campaigns import progress

SECRET = "a secret that lives as long as a measurement"  # noqa: S105
SILENCE_S = 90
"""So long without a message, and the measurement is given up."""
LOOK_S = 0.02
PLAIN_MESSAGES = 300
KEPT = 200
RELAY_ROOM = {"other": ledger.NO_LIMIT}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one measurement, up and running."""

    plan: SendPlan
    folder: Path
    database: Database
    identity_id: int
    sink_process: Process
    sink: SinkControl
    workers: Sequence[Process]


async def bench_send(plan: SendPlan, tell: Tell) -> Figures:
    """Measure; MeasureError when a message is missing, came twice or is not signed well."""
    rsa = await asyncio.to_thread(RsaYardstick)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            bench, ports = await _put_up(plan, folder, stack, tell)
            tell(f"Warming up with {plan.warm_up:,} messages.")
            await _run(bench, "warm", range(1, plan.warm_up + 1), rsa)
            runs, first, peak_before = [], plan.warm_up + 1, None
            for number, size in enumerate(plan.sizes, 1):
                if size != plan.run_recipients:
                    peak_before = highest(*_costs(bench))
                numbers = range(first, first + size)
                runs.append(await _run(bench, f"run{number}", numbers, rsa))
                tell(f"Run {number} of {len(plan.sizes)}: {runs[-1].rate:,.0f} messages/s.")
                first += size
            keys = await ledger.key_records(bench.database, bench.identity_id)
            signatures = await check_signatures(folder / "sink", keys)
            costs, helpers = _costs(bench)
            await _stop_workers(bench)
            plain = await _plain(ports[0], folder, tell) if plan.yardsticks and not plan.tls else None
            nodemailer = await measure_nodemailer(ports[0], folder, tell) if plan.nodemailer else None
            together = await asyncio.to_thread(rsa.rate_on, cores_here())
        beside = (together, plain, nodemailer, peak_before)
        return Figures(plan, tuple(runs), costs, helpers, signatures, *beside)


async def _put_up(
    plan: SendPlan, folder: Path, stack: AsyncExitStack, tell: Tell
) -> tuple[Bench, tuple[int, int]]:
    (folder / "sink").mkdir()
    certificate = folder / "certificate.pem"
    if plan.tls:
        write_certificate(certificate)
    words = ["--keep-every", str(max(1, plan.total // KEPT))]
    words += ["--certificate", str(certificate)] if plan.tls else []
    sink_process, line = await stack.enter_async_context(
        running(python("benchmarks.sink", str(folder / "sink"), *words), folder=folder)
    )
    port, side_port = map(int, line.split())
    relay_port = port
    if plan.round_trip_ms:
        delay = python("benchmarks.delay", str(port), "--rtt", str(plan.round_trip_ms))
        _, line = await stack.enter_async_context(running(delay, folder=folder))
        relay_port = int(line)
    url = await stack.enter_async_context(ledger.temporary_database(plan.database_url, folder))
    database = Database(url)
    stack.push_async_callback(database.close)
    tell(f"Writing {plan.total:,} people into {'PostgreSQL' if plan.database_url else 'SQLite'}.")
    identity_id = await _fill(plan, database)
    sink = await stack.enter_async_context(control(side_port))
    workers = await stack.enter_async_context(_workers(plan, folder, url, relay_port))
    return Bench(plan, folder, database, identity_id, sink_process, sink, workers), (port, side_port)


async def _fill(plan: SendPlan, database: Database) -> int:
    algorithms: tuple[DkimAlgorithm, ...] = ()
    if plan.signing is Signing.PRODUCT:
        algorithms = (DkimAlgorithm.RSA, *((DkimAlgorithm.ED25519,) if plan.ed25519 else ()))
    identity_id = await ledger.add_sender(database, Keyring(SECRET), algorithms)
    await ledger.add_people(database, 1, plan.warm_up, "warm")
    first = plan.warm_up + 1
    for number, size in enumerate(plan.sizes, 1):
        await ledger.add_people(database, first, size, f"run{number}")
        first += size
    return identity_id


@asynccontextmanager
async def _workers(plan: SendPlan, folder: Path, url: str, port: int) -> AsyncIterator[list[Process]]:
    environment = {
        "TOCSIN_DATA_DIR": str(folder / "data"),
        "TOCSIN_DATABASE_URL": url,
        "TOCSIN_SECRET_KEY": SECRET,
        "TOCSIN_PUBLIC_URL": "https://tocsin.association.example",
        "TOCSIN_SMTP_URL": f"{'smtps' if plan.tls else 'smtp'}://127.0.0.1:{port}",
        "TOCSIN_SMTP_CONNECTIONS": str(plan.connections),
        "TOCSIN_EMAILS_PER_SECOND": str(ledger.NO_LIMIT),
        "TOCSIN_PROVIDER_RATES": json.dumps(RELAY_ROOM),
        "TOCSIN_LOG_LEVEL": "warning",
        "MALLOC_ARENA_MAX": "2",  # as in deploy/
        **({} if plan.scribes is None else {"TOCSIN_SCRIBES": str(plan.scribes)}),
        **({"TOCSIN_SMTP_CA_FILE": str(folder / "certificate.pem")} if plan.tls else {}),
    }
    command = python("benchmarks.worker", "--threads", str(plan.threads))
    if plan.database_url and not plan.threads:
        command = tocsin("worker")
    async with AsyncExitStack() as stack:
        started = [running(command, folder=folder, environment=environment) for _ in range(plan.processes)]
        yield [(await stack.enter_async_context(one))[0] for one in started]


async def _run(bench: Bench, group: str, numbers: range, rsa: RsaYardstick) -> Run:
    """One campaign to the people with these numbers, from the freeze to the last record."""
    signatures = await asyncio.to_thread(rsa.rate)
    await bench.sink.mark(group)
    before = [_cpu_s(worker) for worker in bench.workers]
    server_before = await ledger.server_cpu_s(bench.database)
    begun_ns = time.monotonic_ns()
    campaign_id = await ledger.start_campaign(bench.database, bench.identity_id, group)
    claimed_ns = await _claimed(bench, campaign_id)
    recorded_ns = await _recorded(bench, campaign_id, len(numbers))
    spent = [_cpu_s(worker) - then for worker, then in zip(bench.workers, before, strict=True)]
    server_s = await ledger.server_cpu_s(bench.database) - server_before
    count = await bench.sink.count()
    await asyncio.to_thread(check_arrivals, bench.folder / "sink" / group, numbers)
    async with bench.database.read() as session:
        states = await progress(session, campaign_id)
    if states != {DeliveryState.ACCEPTED: len(numbers)}:
        raise MeasureError(f"The ledger and the sink disagree: {dict(states)}.")
    return Run(
        messages=len(numbers),
        octets=count.octets,
        seconds=(recorded_ns - claimed_ns) / 1e9,
        freeze_s=(claimed_ns - begun_ns) / 1e9,
        lag_s=max(0.0, (recorded_ns - count.last_ns) / 1e9),
        cpu_s=tuple(spent),
        server_cpu_s=server_s,
        sink_cpu_s=count.cpu_s,
        signatures_per_s=signatures,
    )


def _costs(bench: Bench) -> tuple[tuple[Cost, ...], tuple[Cost, ...]]:
    """What the sending processes have cost so far, and those that write for them."""
    scribes = (pid for worker in bench.workers for pid in helpers_of(worker.pid))
    return tuple(cost(worker.pid) for worker in bench.workers), tuple(map(cost, scribes))


def _cpu_s(worker: Process) -> float:
    """Of the process and those that write for it."""
    return sum(cost(pid).cpu_s for pid in (worker.pid, *helpers_of(worker.pid)))


async def _claimed(bench: Bench, campaign_id: int) -> int:
    """When (monotonic, ns) the first delivery of the campaign left the queue: the work begins there."""
    begun = time.monotonic()
    while not await _any(bench.database, campaign_id, frozenset(DeliveryState) - {DeliveryState.QUEUED}):
        await asyncio.sleep(LOOK_S / 4)
        _require_progress(bench, begun, "The campaign was not begun.")
    return time.monotonic_ns()


async def _recorded(bench: Bench, campaign_id: int, expected: int) -> int:
    """When (monotonic, ns) the ledger says that nothing of the campaign is under way any more."""
    arrived, last_news = 0, time.monotonic()
    while arrived < expected:
        await asyncio.sleep(LOOK_S * 5)
        count = (await bench.sink.count()).messages
        last_news = time.monotonic() if count > arrived else last_news
        arrived = count
        _require_progress(bench, last_news, f"{arrived:,} of {expected:,} messages arrived, then no more.")
    while await _any(bench.database, campaign_id, WAITING):
        await asyncio.sleep(LOOK_S)
        _require_progress(bench, last_news, "Every message arrived, but not every one was recorded.")
    return time.monotonic_ns()


def _require_progress(bench: Bench, last_news: float, problem: str) -> None:
    dead = [worker.pid for worker in bench.workers if worker.returncode is not None]
    if dead or time.monotonic() > last_news + SILENCE_S:
        ended = f" {len(dead)} of the processes that send ended." if dead else ""
        raise MeasureError(f"{problem}{ended} {complaints(bench.folder)}".strip())


async def _any(database: Database, campaign_id: int, states: frozenset[DeliveryState]) -> bool:
    async with database.read() as session:
        one = select(Delivery.id).where(
            col(Delivery.campaign_id) == campaign_id, col(Delivery.state).in_(states)
        )
        return (await session.exec(one.limit(1))).first() is not None


async def _stop_workers(bench: Bench) -> None:
    for worker in bench.workers:
        worker.terminate()
    await asyncio.gather(*(worker.communicate() for worker in bench.workers))


async def _plain(port: int, folder: Path, tell: Tell) -> float:
    tell(f"The plain way, {PLAIN_MESSAGES} messages.")
    command = python("benchmarks.plain", str(port), str(PLAIN_MESSAGES))
    async with running(command, folder=folder) as (_, line):
        return float(json.loads(line)["rate"])
