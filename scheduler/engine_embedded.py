"""The engine of one process: APScheduler as the clock, its jobs in memory, refilled from rows at start.

Its own job store is not used (pickles, and two processes on one store fire everything twice), nor its
executor: `shutdown()` would cancel what runs, and `max_instances` would lose a wake-up that comes
while its job runs. It says when; the tasks are ours.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from models.clock import Clock
from scheduler.engine import JobFunction

log = logging.getLogger(__name__)

SET_BACK = timedelta(seconds=2)
"""What counts as a clock that was set back, and not as one that is being adjusted."""
LAST_WORDS = timedelta(seconds=5)
"""How long a job that was cut short may take to leave things tidy."""


class EmbeddedEngine:
    """`scheduler.engine.Engine` within this process."""

    def __init__(
        self,
        clock: Clock,
        *,
        grace: timedelta = timedelta(seconds=25),
        machine: Callable[[], datetime] = lambda: DateTrigger(timezone=UTC).run_date,
    ) -> None:
        """`grace`: how long jobs under way may take to end once `run` is cancelled.

        `machine`: the time by which APScheduler goes, whatever `clock` says.
        """
        self._clock = clock
        self._machine = machine
        self._grace = grace
        # No misfire limit and one late run for many: a busy second must not lose a job.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1000}
        )
        self._functions: dict[str, JobFunction] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    def job(self, name: str, function: JobFunction) -> None:
        """Make `function` known under `name`."""
        self._functions[name] = function

    async def defer(
        self, name: str, *, key: str, at: datetime | None = None, args: dict[str, int | str] | None = None
    ) -> bool:
        """Ask for a run, at once or at a moment; False when a pending one is at least as early."""
        # APScheduler goes by the machine's clock: what is told to it is how long from now.
        moment = _machine_now()
        if at is not None:
            moment += at - self._clock.now()
        pending: Job | None = self._scheduler.get_job(key)
        if pending is not None and pending.trigger.run_date <= moment:
            return False
        self._scheduler.add_job(
            self._start,
            "date",
            run_date=moment,
            id=key,
            args=[name, args or {}],
            replace_existing=True,
        )
        return True

    async def cancel(self, key: str) -> bool:
        """Forget the pending job of `key`; one that runs goes on."""
        try:
            self._scheduler.remove_job(key)
        except JobLookupError:
            return False
        return True

    def every(self, span: timedelta, name: str) -> None:
        """Run `name` again and again, `span` apart."""
        trigger = IntervalTrigger(seconds=max(span.total_seconds(), 0.05), timezone=UTC)
        self._scheduler.add_job(self._start, trigger, id=f"every:{name}", args=[name, {}])

    async def run(self) -> None:
        """Work until cancelled; jobs under way are then given `grace` to end."""
        self._scheduler.start()
        try:
            await self._follow_the_clock()
        finally:
            self._stopping = True
            self._scheduler.pause()
            if self._running:
                await asyncio.wait(self._running, timeout=self._grace.total_seconds())
            self._scheduler.shutdown(wait=False)
            for task in self._running:
                task.cancel()
            # They still write down what became of what was on the wire.
            if self._running:
                await asyncio.wait(self._running, timeout=LAST_WORDS.total_seconds())

    async def _follow_the_clock(self) -> None:
        """For ever: once the machine's clock is set back, what comes again and again comes at once.

        It would wait until the clock has caught up otherwise.
        """
        loop = asyncio.get_running_loop()
        started = self._machine() - timedelta(seconds=loop.time())
        while True:
            await asyncio.sleep(1)
            start_now = self._machine() - timedelta(seconds=loop.time())
            if started - start_now > SET_BACK:
                log.warning(
                    "the clock was set back", extra={"seconds": (started - start_now).total_seconds()}
                )
                for job in self._scheduler.get_jobs():
                    if isinstance(job.trigger, IntervalTrigger):
                        job.modify(next_run_time=_machine_now())
            started = start_now

    async def close(self) -> None:
        """Nothing is open: wishes are kept in memory."""

    async def _start(self, name: str, args: dict[str, int | str]) -> None:
        if self._stopping:
            return
        task = asyncio.create_task(self._carry_out(name, args), name=f"job {name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _carry_out(self, name: str, args: dict[str, int | str]) -> None:
        try:
            await self._functions[name](**args)
        except Exception:
            # The sweep asks again for whatever this left undone.
            log.exception(
                "job failed", extra={"job": name, **{f"job_{key}": value for key, value in args.items()}}
            )


def _machine_now() -> datetime:
    moment: datetime = DateTrigger(timezone=UTC).run_date
    return moment
