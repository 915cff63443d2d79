"""A process that takes in mail, and may be told where to die: no cleaning up, no last words.

Run as `python -m tests.servers.mail_taker`, with a `MailTask` in JSON behind it. By SMTP and LMTP it says
`ready` and listens until it is ended; out of a mailbox it reads once. What it does is the product as it is;
only where it should die are a commit and the mark in the mailbox wrapped.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from deliverability.bounce_mailbox import poll_bounces
from deliverability.inbox import InboundServer
from models.bounce_box import BounceMailbox, MailboxTls
from models.clock import SystemClock
from store import Database
from tests.deliverability.rows import TOKENS
from tests.servers.dovecot import PASSWORD, USER

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class MailTask:
    """`way`: smtp, lmtp or imap. `die_at`: commit:before, commit:after, mark:before, mark:after or ""."""

    way: str
    database_url: str
    port: int
    die_at: str = ""
    nth: int = 1


class _Fate:
    def __init__(self, task: MailTask) -> None:
        self._point, self._left = task.die_at, task.nth

    def passes(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        write, add_flags = Database.write, IMAPClient.add_flags

        @asynccontextmanager
        async def fateful(database: Database) -> AsyncIterator[Any]:
            async with write(database) as session:
                yield session
                self.passes("commit:before")
            self.passes("commit:after")

        def marking(*given: Any, **named: Any) -> Any:
            self.passes("mark:before")
            result = add_flags(*given, **named)  # type: ignore[no-untyped-call]
            self.passes("mark:after")
            return result

        Database.write = fateful  # type: ignore[method-assign, assignment]
        IMAPClient.add_flags = marking  # type: ignore[method-assign]


async def _work(task: MailTask) -> None:
    database, clock = Database(task.database_url), SystemClock()
    if task.way == "imap":
        mailbox = BounceMailbox("127.0.0.1", task.port, USER, PASSWORD, tls=MailboxTls.NONE)
        run = await poll_bounces(database, TOKENS, clock, mailbox)
        await database.close()
        raise SystemExit(run.problem or 0)
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", task.port, lmtp=task.way == "lmtp")
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def start_taking(task: MailTask) -> asyncio.subprocess.Process:
    """Such a process; a listener listens when this returns."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.servers.mail_taker", json.dumps(asdict(task))),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    if task.way != "imap":
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    return process


if __name__ == "__main__":
    given = MailTask(**json.loads(sys.argv[1]))
    _Fate(given).install()
    asyncio.run(_work(given))
