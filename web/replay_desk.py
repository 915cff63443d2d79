"""What is kept of the past, read again by other rules, beside the requests: nobody waits so long for a page.

One reading at a time, of this process. Nothing here has to survive a restart: a preview changes nothing, and
what is carried out is safe to repeat.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from deliverability.originals import Reread, read_originals_again
from deliverability.replay import Replay, carry_out, replay
from deliverability.rulebook import OWN_FILE, RuleBook, read_rules, shipped
from models.clock import Clock
from models.errors import ConflictError, TocsinError
from models.tokens import Tokens
from store import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading: of how many `days`, by which `rules` (their version), carried out (`act`) or only shown.

    `ended_at` None: under way. `problem`: why it ended early. `answers` and `originals`: what it found.
    """

    days: int
    act: bool
    began_at: datetime
    rules: str = ""
    ended_at: datetime | None = None
    problem: str = ""
    answers: Replay | None = None
    originals: Reread | None = None


@dataclass
class ReplayDesk:
    """The reading under way, or the last one."""

    last: Reading | None = None
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _book: RuleBook | None = field(default=None, init=False)

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    def begin(
        self,
        database: Database,
        tokens: Tokens,
        clock: Clock,
        folder: Path,
        *,
        days: int,
        act: bool,
        routes: Collection[str],
    ) -> None:
        """Start a reading; ConflictError while another is under way, or nothing was shown before `act`.

        `routes`: the providers that have a server of their own in place of the relay.
        """
        if self.busy:
            raise ConflictError("A reading is under way already.", "Wait until it is done.")
        shown = self.last
        if act and (shown is None or shown.act or shown.problem or shown.days != days):
            raise ConflictError("What would change was not shown yet.", "Look at it first.")
        book = rules_of(folder)
        if act and book != self._book:
            raise ConflictError("The rules have changed since it was shown.", "Look at it again.")
        self._book = book
        self.last = Reading(days, act, clock.now(), book.version)
        self._task = asyncio.create_task(self._read(database, tokens, clock, book, self.last, routes=routes))

    async def wait(self) -> None:
        """Until the reading is done."""
        if self._task is not None:
            await self._task

    async def _read(
        self,
        database: Database,
        tokens: Tokens,
        clock: Clock,
        book: RuleBook,
        reading: Reading,
        *,
        routes: Collection[str],
    ) -> None:
        now = reading.began_at
        since = now - timedelta(days=reading.days)
        answers: Replay | None = None
        originals: Reread | None = None
        problem = ""
        try:
            if reading.act:
                answers = await carry_out(database, book, since=since, now=now, routes=routes)
            else:
                async with database.read() as session:
                    answers = await replay(session, book, since=since, routes=routes)
            originals = await read_originals_again(
                database, tokens, book, since=since, now=now, act=reading.act
            )
        except TocsinError as error:
            problem = error.problem
        except Exception:
            log.exception("reading again failed")
            problem = "It failed; the reason is in the log of the service."
        log.info("read again", extra={"days": reading.days, "act": reading.act, "failed": bool(problem)})
        self.last = Reading(
            reading.days, reading.act, now, book.version, clock.now(), problem, answers, originals
        )


def rules_of(folder: Path) -> RuleBook:
    """The installation's rules as its file says now, the shipped ones without a file; RulesError."""
    own = folder / OWN_FILE
    return read_rules(own) if own.exists() else shipped()
