"""Where sending processes come from, fifty a minute: one process that has imported everything, and forks.

Run as `python -m tests.servers.nursery`. Each line on standard input is a task or a question in JSON, each
answer a line on standard output. When standard input ends, so does every process that came from here.
A worker is the product as it is: `service.assembly.assemble` on the real clock, database and wire. Only when
its task says where to die are public seams wrapped: a commit, an offer to the transport, the journal's news.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from models.clock import Clock, SystemClock
from scheduler import ConductorOptions
from sender import SmtpOptions, SmtpTransport
from service import loops, transports
from service.assembly import assemble, stop_wanted
from service.logs import set_up_logs
from service.secret_key import make_data_dir
from service.settings import GivenSettings
from store import Database
from store.journal import Journal
from tests.servers.fast_clock import FastClock
from tests.servers.mail_taker import MailTask, take_mail
from tests.servers.workers import WorkerTask


class _Fate:
    """Counts passages, and ends the process at the appointed one: no cleaning up, no last words."""

    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left = point, nth

    def passes(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, owner: type, method: str, name: str) -> None:
        """Make every call of `owner.method` pass `name:before` and `name:after`."""
        original: Callable[..., Any] = getattr(owner, method)

        def passing(*given: Any, **named: Any) -> Any:
            self.passes(f"{name}:before")
            result = original(*given, **named)
            self.passes(f"{name}:after")
            return result

        setattr(owner, method, passing)

    def wrap_commits(self) -> None:
        """Make every transaction that writes pass `commit:before` and `commit:after`."""
        original = Database.write

        @asynccontextmanager
        async def write(database: Database, **how: Any) -> AsyncIterator[Any]:
            async with original(database, **how) as session:
                yield session
                self.passes("commit:before")
            self.passes("commit:after")

        Database.write = write  # type: ignore[method-assign, assignment]


def _install(task: WorkerTask) -> None:
    fate = _Fate(task.die_at, task.nth)
    fate.wrap_commits()
    fate.wrap(SmtpTransport, "offer", "offer")
    for method in ("on_wire", "answered", "recorded"):
        fate.wrap(Journal, method, method)


async def _work(task: WorkerTask) -> None:
    settings = GivenSettings(
        data_dir=Path(task.data_dir),
        database_url=SecretStr(task.database_url),
        secret_key=SecretStr(task.secret),
        public_url="https://tocsin.exemple.fr",
        smtp_url=SecretStr(task.smtp_url),
        smtp_connections=task.connections,
        smtp_timeout=task.smtp_timeout,
        emails_per_second=task.emails_per_second,
        provider_rates={"other": 1_000_000.0},
        dns_servers="off",
        log_level="info",
        **task.settings,
    )
    set_up_logs("info")
    make_data_dir(settings)

    def tune(options: ConductorOptions) -> ConductorOptions:
        dispatch = replace(options.dispatch, lease=timedelta(seconds=task.lease_s))
        return replace(options, dispatch=dispatch, sweep_every=timedelta(milliseconds=200))

    async with assemble(settings, with_web=False, tune=tune, clock=_clock(task)):
        await stop_wanted()


def _clock(task: WorkerTask) -> Clock:
    if task.clock_speed == 1 and not task.clock_from:
        return SystemClock()
    start = datetime.fromisoformat(task.clock_from) if task.clock_from else SystemClock().now()
    return FastClock(start, task.clock_speed, Path(task.data_dir) / "clock")


def _hurry(task: WorkerTask) -> None:
    """No test waits ten minutes for a reply that does not come."""

    def options(**given: Any) -> SmtpOptions:
        return SmtpOptions(**given, verdict_timeout=timedelta(seconds=task.verdict_s))

    transports.SmtpOptions = options  # type: ignore[assignment, attr-defined]


def _send(task: WorkerTask) -> None:
    if task.die_at:
        _install(task)
    if task.verdict_s:
        _hurry(task)
    loops.run(_work(task))


def _live(log_file: str, work: Callable[[], None]) -> None:
    """The whole life of a forked process; ends it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, target in ((0, nothing), (1, log), (2, log)):
        os.dup2(target, stream)
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - the process ends here, and says why
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Fork on request: `{"start": task}` answers with a pid, `{"reap": pid}` with how that one ended.

    `{"take": task}` is answered as `start` is, and is a process that takes in mail.
    """
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0 and "take" in request:
                mail = MailTask(**request["take"])
                _live(mail.log, partial(asyncio.run, take_mail(mail)))
            elif answer == 0:
                task = WorkerTask(**request["start"])
                _live(task.log, partial(_send, task))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
