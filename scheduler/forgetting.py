"""What programs gave to be said in single messages is forgotten some time after it was said.

Where a message stands, to whom it went and what came of it stays: figures, late news and whoever asks for the
message by its reference need it. What it said of its person nobody does.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from models.clock import Clock
from store import Database
from store.contents import AT_ONCE, forget_contents
from store.erasure import UNENDED
from store.message_values import forget_variables

RECORDED: Final = timedelta(days=7 * 366)
"""How long records of political advertisements are kept (Regulation (EU) 2024/900, article 9)."""


@dataclass(slots=True)
class Forgetting:
    """Forgets variables, and contents nobody uses any more, `after` so long; never what is to be sent yet."""

    database: Database
    clock: Clock
    after: timedelta
    _done_to: int = field(default=0, init=False)

    async def forget(self) -> None:
        """All that may be, a few at a time: nobody who sends waits for it."""
        await self._forget_variables()
        gone = AT_ONCE
        while gone == AT_ONCE:
            now = self.clock.now()
            async with self.database.write() as session:
                gone = await forget_contents(
                    session,
                    unused_since=now - self.after,
                    recorded_since=now - RECORDED,
                    unended=UNENDED,
                )

    async def _forget_variables(self) -> None:
        at = self._done_to
        waiting: int | None = None
        while True:
            made_before = self.clock.now() - self.after
            async with self.database.write() as session:
                walked = await forget_variables(session, after=at, made_before=made_before, unended=UNENDED)
            if walked is None:
                break
            at = walked.to
            waiting = waiting or walked.left
        # From the first that waits on they are looked at again.
        self._done_to = at if waiting is None else waiting - 1
