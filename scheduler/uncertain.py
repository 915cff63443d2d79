"""Messages that may or may not have left: what a person decides about them, and what late news settles.

Nothing here happens by itself but one thing: a worker, or its journal, that comes back with the truth.
Anything else would be a guess, and a wrong guess is a message sent twice or never.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.event import event_about
from models.states import CampaignState, DeliveryState, EventKind
from models.values import Reply
from scheduler.pacing import to_microseconds
from store import campaigns, deliveries, events, workers
from store.claims import ClaimedDelivery
from store.outcomes import SOURCE

PERSON = "person"
ENDED = (CampaignState.FINISHED, CampaignState.INCOMPLETE)
LAST_WORD = timedelta(minutes=15)
"""After that no answer comes: a lease, and the wait for the reply to a message, are over by far."""


class Decision(StrEnum):
    """What a person says of a campaign's uncertain messages.

    SENT: count them as sent. NOT_SENT: count them as not sent, and leave it at that. SEND_AGAIN: at the
    risk that some get it twice.
    """

    SENT = "sent"
    NOT_SENT = "not_sent"
    SEND_AGAIN = "send_again"


async def resolve_uncertain(
    session: AsyncSession,
    campaign_id: int,
    decision: Decision,
    by: str,
    now: datetime,
    *,
    shown: datetime | None = None,
) -> int:
    """Settle the uncertain deliveries of a campaign as `by` decided; how many.

    Of those only that were uncertain at `shown` (now, unless given), when the person looked; and what a
    worker that has not signed off may still answer for is left as it is until `LAST_WORD` has passed. `by` is
    kept for good with each. A campaign that had ended sends on if there is something to send.
    """
    state = _state_after(decision)
    settled = await deliveries.decide_uncertain(
        session,
        campaign_id,
        to=state,
        now=now,
        shown=shown or now,
        # Who is silent may be cut off and know every answer: only who signed off has no more to say.
        answers=await workers.not_signed_off(session),
        answered=now - LAST_WORD,
    )
    told = []
    for row in settled:
        details = {"by": by, "decision": decision.value}
        if decision is Decision.SENT:
            taken = event_about(
                row, EventKind.ACCEPTED, source=PERSON, source_id=f"{row.id}/sent", at=now, now=now
            )
            taken.details = details
            told.append(taken)
        event = event_about(
            row,
            EventKind.RESOLVED,
            source=PERSON,
            source_id=f"{row.id}/{row.attempts}/{decision.value}",
            at=now,
            now=now,
            reply=Reply(None, None, row.reason),
        )
        event.details = details
        told.append(event)
    await events.append_many(session, told)
    if settled and decision is Decision.SEND_AGAIN:
        await reopen(session, campaign_id, now)
    return len(settled)


def _state_after(decision: Decision) -> DeliveryState:
    match decision:
        case Decision.SENT:
            return DeliveryState.ACCEPTED
        case Decision.NOT_SENT:
            return DeliveryState.REFUSED
        case Decision.SEND_AGAIN:
            return DeliveryState.QUEUED
        case _:
            assert_never(decision)


async def reopen(session: AsyncSession, campaign_id: int, now: datetime) -> bool:
    """Let a campaign that had ended send on: something of it waits again. False when it had not ended."""
    for ended in ENDED:
        if await campaigns.move(session, campaign_id, origin=ended, to=CampaignState.SENDING, now=now):
            return True
    # It may be ending in this very moment, by a sweep that cannot see yet what waits again.
    state = await campaigns.hold(session, campaign_id, alone=False)
    if state not in ENDED:
        return False
    return await campaigns.move(session, campaign_id, origin=state, to=CampaignState.SENDING, now=now)


async def tell_resolved(
    session: AsyncSession,
    row: ClaimedDelivery | Delivery,
    details: Mapping[str, str],
    attempt: int,
    now: datetime,
) -> None:
    """Record that an uncertain delivery is not uncertain any more, and by what."""
    # The moment names it, too: what never left was no attempt, and the next of that number may be doubtful.
    name = f"{row.id}/{attempt}/resolved/{to_microseconds(now)}"
    event = event_about(row, EventKind.RESOLVED, source=SOURCE, source_id=name, at=now, now=now)
    event.details = dict(details)
    await events.append(session, event)
