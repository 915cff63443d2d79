"""What a worker that is gone left behind, put right by its journal.

What was answered is recorded as it was answered. What was on the wire without an answer is uncertain. What
the journal does not know of never left, and goes back into the queue; unless the machine has lost its power
since, and with it perhaps the journal's last lines: then that is uncertain too.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.delivery import Delivery
from models.states import DeliveryState
from scheduler.recording import Recorder, record_abandoned
from scheduler.uncertain import reopen, tell_resolved
from store import Database, claims, workers
from store.claims import ClaimedDelivery
from store.journal import AbandonedJournal, Account, abandoned_journals

log = logging.getLogger(__name__)


async def adopt_journals(
    database: Database, clock: Clock, *, folder: Path, installation: str, recorder: Recorder
) -> int:
    """Put the ledger right by every journal in `folder` whose worker is gone; how many there were.

    Safe to repeat, and to be killed in: a journal is deleted once all it tells is in the ledger.
    """
    found = await asyncio.to_thread(lambda: list(abandoned_journals(folder, installation)))
    adopted = 0
    try:
        for journal in found:
            await _adopt(database, clock, journal, recorder)
            journal.delete()
            adopted += 1
    finally:
        for journal in found[adopted:]:
            journal.let_go()
    return adopted


async def _adopt(database: Database, clock: Clock, journal: AbandonedJournal, recorder: Recorder) -> None:
    account, now = journal.account, clock.now()
    async with database.write() as session:
        left = await claims.left_behind(session, account.worker_id)
        waiting = [row.id for row in left if row.state is DeliveryState.CLAIMED]
        for token in {row.claim_token for row in left if row.claim_token}:
            await claims.hand_back(session, waiting, token=token)
        marked = [row for row in left if row.state is not DeliveryState.CLAIMED]
        unknown = [row for row in marked if not await _tell(session, row, account, recorder, now)]
        await _settle_unknown(session, unknown, account, now)
        # Its turns are free at once, too: nobody has to wait until its silence is noticed.
        await workers.sign_off(session, account.worker_id, now)
    log.warning(
        "journal of a worker that ended was adopted",
        extra={"worker": account.worker_id, "deliveries": len(left), "complete": account.whole},
    )


async def _tell(
    session: AsyncSession, row: Delivery, account: Account, recorder: Recorder, now: datetime
) -> bool:
    """Record what the journal knows of one delivery that was marked; False when it knows no answer."""
    answer = account.entries.get((row.id, row.claim_token or ""))
    if answer is None:
        return False
    # As it was claimed: the attempt that was answered is not among those before.
    claimed = ClaimedDelivery.of(row)._replace(attempts=row.attempts - 1)
    await recorder.record_one(
        session, claimed, answer.outcome, token=row.claim_token or "", identity=None, now=now
    )
    return True


async def _settle_unknown(
    session: AsyncSession, rows: Sequence[Delivery], account: Account, now: datetime
) -> None:
    """Those without an answer: on the wire, never there, or nobody knows."""
    on_wire = [row for row in rows if not account.whole or (row.id, row.claim_token) in account.entries]
    known = {row.id for row in on_wire}
    for row in rows:
        if row.id in known:
            continue
        back = await claims.take_off(session, [row.id], token=row.claim_token or "")
        if back and row.state is DeliveryState.UNCERTAIN:
            details = {"by": "journal", "to": DeliveryState.DEFERRED.value}
            await tell_resolved(session, row, details, row.attempts, now)
            await reopen(session, row.campaign_id, now)
    sending = [row.id for row in on_wire if row.state is DeliveryState.SENDING]
    await record_abandoned(session, await claims.abandon(session, sending, now=now), now)
