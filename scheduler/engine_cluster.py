"""The engine of many processes: procrastinate on the PostgreSQL of the ledger, in its schema `engine`.

It carries wishes from process to process and wakes whoever is free. The work itself runs in tasks of our
own, not in procrastinate's: a worker loop that has lost the database ends and is started again, and what is
on the wire must not be cut short by that. Nothing of it is tried again by the engine, and no job excludes
another: rows say what is due, who has taken it (`store.turns`) and how fast it may go.

Wishes are made after the commit of what they are about, never inside that transaction: a duplicate key would
roll our own rows back.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import procrastinate
import psycopg
from procrastinate import exceptions, jobs
from procrastinate.periodic import PeriodicRegistry
from psycopg.conninfo import make_conninfo

from models.clock import Clock
from models.errors import StoreError
from scheduler.engine import JobFunction

log = logging.getLogger(__name__)

SCHEMA = "engine"
GUARD_S = 5.0
"""A query that takes longer has lost its connection: half-open ones hang for ever."""
HEARTBEAT_S = 5.0
STALLED_S = 20.0
POLL_S = 0.5
"""How late a job asked for at a moment may start: PostgreSQL notifies of new jobs, not of due ones."""
QUEUES = {"send": 32, "io": 8}
"""How many jobs of each queue a process works on at once: full lanes must not keep the sweep waiting."""
REGULAR = "io"
"""The queue whose worker asks for what is done regularly."""
SENDS = frozenset({"drain"})
LAST_WORDS = timedelta(seconds=5)
"""How long a job that was cut short may take to leave things tidy."""
GOODBYE_S = 5.0
"""How long procrastinate may take to sign off; with its connection gone it might never."""
FIRST = {"launch": 10, "sweep": 5}
"""Jobs taken before others that wait, the highest first."""
TRIES = 3
RESCUE = "engine.rescue"
AWAY = (exceptions.ConnectorException, psycopg.Error, OSError, TimeoutError)
"""What comes and goes with the database."""


def connection_info(url: str) -> str:
    """`url` (postgresql://…) as libpq reads it, so that a lost peer is noticed and our schema is found."""
    return make_conninfo(
        url.replace("+psycopg", "", 1),
        connect_timeout=5,
        keepalives_idle=30,
        tcp_user_timeout=15_000,
        options=f"-c search_path={SCHEMA} -c timezone=UTC",
    )


class _Guarded(procrastinate.PsycopgConnector):
    """procrastinate's connections, none of which may keep anybody waiting for ever."""

    async def open_async(self, pool: Any = None) -> None:
        """Open without waiting for PostgreSQL: it may come later."""
        if pool is not None:
            await super().open_async(pool)
        elif self._async_pool is None:
            self._async_pool = await self._create_pool(self._pool_args)
            await self._async_pool.open(wait=False)

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        async with asyncio.timeout(GUARD_S):
            await super().execute_query_async(query, **arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> Any:
        async with asyncio.timeout(GUARD_S):
            return await super().execute_query_one_async(query, **arguments)

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> Any:
        async with asyncio.timeout(GUARD_S):
            return await super().execute_query_all_async(query, **arguments)


class ClusterEngine:
    """`scheduler.engine.Engine` over any number of processes and machines."""

    def __init__(self, url: str, clock: Clock, *, grace: timedelta = timedelta(seconds=25)) -> None:
        """`url`: of the ledger, postgresql://…; `grace`: how long jobs may take to end after `run`'s end."""
        self._clock = clock
        self._grace = grace
        connector = _Guarded(conninfo=connection_info(url), min_size=1, max_size=8, timeout=GUARD_S)
        self._app = procrastinate.App(connector=connector)
        self._opening = asyncio.Lock()
        self._open = False
        self._running: set[asyncio.Task[None]] = set()
        rescue = self._app.task(name=RESCUE, queue="io", queueing_lock=RESCUE)(self._rescue)
        # Every worker loop asks for all regular jobs by itself: in each process one of them is to.
        self._beside = self._app.with_connector(connector)
        self._beside.periodic_registry = PeriodicRegistry()  # type: ignore[no-untyped-call]
        # Also what notices a dead connection: without a periodic job a lost LISTEN is lost in silence.
        for app in (self._app, self._beside):
            app.periodic(cron=_cron(timedelta(seconds=10)), periodic_id=RESCUE)(rescue)

    def job(self, name: str, function: JobFunction) -> None:
        """Make `function` known under `name`."""

        async def carry(timestamp: int | None = None, **args: int | str) -> None:  # noqa: ARG001 - of periodic jobs
            work = asyncio.create_task(_carry_out(name, function(**args), args), name=f"job {name}")
            self._running.add(work)
            work.add_done_callback(self._running.discard)
            await asyncio.shield(work)

        queue = "send" if name in SENDS else "io"
        self._app.task(name=name, queue=queue, priority=FIRST.get(name, 0))(carry)

    async def defer(
        self, name: str, *, key: str, at: datetime | None = None, args: dict[str, int | str] | None = None
    ) -> bool:
        """Ask for a run, at once or at a moment; False when a pending one is at least as early.

        StoreError when the database is away.
        """
        moment = None if at is None or at <= self._clock.now() else at
        await self._be_open()
        for _ in range(TRIES):
            try:
                wish = self._app.configure_task(name, schedule_at=moment, queueing_lock=key)
                await wish.defer_async(**(args or {}))
            except exceptions.AlreadyEnqueued:
                # Another process may take, cancel or renew the pending one between these steps: once more.
                if not await self._forget(key, later_than=moment or self._clock.now()):
                    return False
            except AWAY as error:
                raise _away(error) from error
            else:
                return True
        return False

    async def cancel(self, key: str) -> bool:
        """Forget the pending job of `key`; one that runs goes on."""
        await self._be_open()
        return await self._forget(key)

    def every(self, span: timedelta, name: str) -> None:
        """Run `name` once each `span` over all processes; whole seconds, minutes or hours, rounded down."""
        self._app.periodic(cron=_cron(span), periodic_id=name, queueing_lock=f"every:{name}")(
            self._app.tasks[name]
        )

    async def run(self) -> None:
        """Work until cancelled; jobs under way are then given time to end."""
        await self._be_open()
        looping = [
            asyncio.create_task(self._keep_working(queue, number), name=f"engine worker {queue}")
            for queue, number in QUEUES.items()
        ]
        try:
            await asyncio.gather(*looping)
        finally:
            for loop in looping:
                loop.cancel()
            await asyncio.wait(looping, timeout=GOODBYE_S)
            if self._running:
                await asyncio.wait(self._running, timeout=self._grace.total_seconds())
            for task in self._running:
                task.cancel()
            # They still write down what became of what was on the wire.
            if self._running:
                await asyncio.wait(self._running, timeout=LAST_WORDS.total_seconds())
            await self.close()

    async def close(self) -> None:
        """Let go of every connection; for those who only asked, and never ran."""
        async with self._opening:
            if self._open:
                self._open = False
                await self._app.close_async()

    async def _be_open(self) -> None:
        async with self._opening:
            if not self._open:
                await self._app.open_async()
                self._open = True

    async def _keep_working(self, queue: str, concurrency: int) -> None:
        """A worker whose connection breaks stops by itself, without an error: it is started again."""
        app = self._app if queue == REGULAR else self._beside
        while True:
            try:
                await app.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=concurrency,
                    fetch_job_polling_interval=POLL_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_S,
                    # Ours go on by themselves, and `run` waits for them.
                    shutdown_graceful_timeout=0,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            except AWAY as error:
                log.warning("the job engine lost the database", extra={"problem": _words(error)})
            await asyncio.sleep(POLL_S + random.random())  # noqa: S311 - so that not all come back at once

    async def _forget(self, key: str, *, later_than: datetime | None = None) -> bool:
        """Remove the pending jobs of `key`, only later ones if so asked; False when there was none of those.

        StoreError when the database is away.
        """
        manager = self._app.job_manager
        try:
            pending = await manager.list_jobs_async(queueing_lock=key, status=jobs.Status.TODO.value)
            if later_than is not None:
                if not pending:
                    return True  # taken meanwhile: the wish can be made now
                pending = [job for job in pending if job.scheduled_at and job.scheduled_at > later_than]
            removed = [
                await manager.cancel_job_by_id_async(job.id, delete_job=True)
                for job in pending
                if job.id is not None
            ]
        except AWAY as error:
            raise _away(error) from error
        return any(removed) or (later_than is not None and bool(pending))

    async def _rescue(self, timestamp: int) -> None:  # noqa: ARG002 - of periodic jobs
        """Put the jobs of workers that are gone back into the queue.

        Finished and asked for anew: to try one again violates the key when a twin is pending.
        """
        manager = self._app.job_manager
        try:
            await manager.prune_stalled_workers(STALLED_S)
            stalled = await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S)
        except AWAY as error:
            log.warning("stalled jobs not looked for", extra={"problem": _words(error)})
            return
        for job in stalled:
            try:
                await manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
                if job.task_name != RESCUE and job.queueing_lock is not None:
                    args: Any = dict(job.task_kwargs)
                    args.pop("timestamp", None)
                    await self.defer(job.task_name, key=job.queueing_lock, args=args)
            except (*AWAY, StoreError):
                continue  # it ended after all, or another worker was quicker


async def _carry_out(name: str, work: Awaitable[None], args: dict[str, int | str]) -> None:
    try:
        await work
    except Exception:
        # The sweep asks again for whatever this left undone.
        told = {f"job_{key}": value for key, value in args.items()}
        log.exception("job failed", extra={"job": name, **told})


def _cron(span: timedelta) -> str:
    """`span` as cron with seconds last, rounded down to what divides a minute, an hour or a day."""
    seconds = max(1, int(span.total_seconds()))
    if seconds < 60:
        return f"* * * * * */{_divisor(60, seconds)}"
    if seconds < 3600:
        return f"*/{_divisor(60, seconds // 60)} * * * *"
    return f"0 */{_divisor(24, seconds // 3600)} * * *"


def _divisor(whole: int, most: int) -> int:
    return max(number for number in range(1, whole + 1) if whole % number == 0 and number <= most)


def _words(error: BaseException) -> str:
    cause = error.__cause__ or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _away(error: BaseException) -> StoreError:
    return StoreError(
        f"The job engine cannot reach the database: {_words(error)}.",
        "Check TOCSIN_DATABASE_URL and that it is running.",
    )
