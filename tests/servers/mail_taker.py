"""A process that takes in mail, and may be told where to die: no cleaning up, no last words.

It comes from the nursery, as sending processes do. By SMTP and LMTP it listens until it is ended, and says
`READY` in its log from when on; out of a mailbox it reads once. What it does is the product as it is; only
where it should die are a commit and the mark in the mailbox wrapped.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from imapclient import IMAPClient

from deliverability.bounce_mailbox import poll_bounces
from deliverability.inbox import InboundServer
from models.bounce_box import BounceMailbox, MailboxTls
from models.clock import SystemClock
from store import Database
from tests.deliverability.rows import TOKENS
from tests.servers.dovecot import PASSWORD, USER

READY = "ready to take mail"


@dataclass(frozen=True)
class MailTask:
    """`way`: smtp, lmtp or imap. `die_at`: commit:before, commit:after, mark:before, mark:after or ""."""

    way: str
    database_url: str
    port: int
    log: str
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
        async def fateful(database: Database, **how: Any) -> AsyncIterator[Any]:
            async with write(database, **how) as session:
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


async def take_mail(task: MailTask) -> None:
    """The whole life of such a process."""
    _Fate(task).install()
    database, clock = Database(task.database_url), SystemClock()
    if task.way == "imap":
        mailbox = BounceMailbox("127.0.0.1", task.port, USER, PASSWORD, tls=MailboxTls.NONE)
        run = await poll_bounces(database, TOKENS, clock, mailbox)
        await database.close()
        if run.problem:
            raise RuntimeError(run.problem)
        return
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", task.port, lmtp=task.way == "lmtp")
    await server.start()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
