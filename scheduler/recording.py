"""What became of deliveries, written in one commit: states, events, perhaps suppressions, what was learnt.

What was taken goes in two statements for all; what was refused or put off is looked at one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import classify_reply, reason_behind, rules_in_force
from deliverability.feedback import settle_from_evidence
from deliverability.reasons import cause_of
from deliverability.suppression import weigh_news
from models.delivery import Delivery
from models.errors import StoreError
from models.event import event_about
from models.identity import Identity
from models.providers import SANDBOXES
from models.states import FINAL, BounceClass, Channel, DeliveryState, EventKind, Fault, Permanence
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain, Verdict
from scheduler.pacer import Pacer, Result
from scheduler.pacing import to_microseconds
from scheduler.reactions import read_outcome
from scheduler.retry import RetryPolicy, next_attempt
from scheduler.uncertain import reopen, tell_resolved
from store import claims, events, outcomes
from store.claims import ClaimedDelivery
from store.deliveries import Lane
from store.outcomes import SOURCE, Taken

OUR_OWN_WAY_OUT = Verdict(BounceClass.TRANSIENT, Fault.RELAY, Permanence.SOFT, "relay")
"""The provider said nothing: it was never asked."""
Ending = tuple[ClaimedDelivery, Outcome | None]
"""A delivery marked as sending and what came of it; None: it certainly never left."""


class OvertakenError(StoreError):
    """Some of these deliveries are not this worker's any more: they are recorded one by one."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes outcomes by this installation's policies."""

    retry: RetryPolicy
    pacer: Pacer

    async def record(
        self,
        session: AsyncSession,
        endings: Sequence[Ending],
        *,
        token: str,
        identity: Identity,
        now: datetime,
        reopens_at: datetime | None = None,
    ) -> None:
        """Record what became of deliveries of one lane, claimed together.

        `reopens_at`: when our own way out is tried again, for outcomes that never got past it.
        OvertakenError when one that was taken is not ours any more: the caller rolls back.
        """
        untried = [row for row, outcome in endings if outcome is None]
        if untried:
            await give_back(session, untried, token=token, now=now)
        taken = [_taken(row, outcome) for row, outcome in endings if isinstance(outcome, Accepted)]
        if taken and not await outcomes.record_taken(session, taken, token=token, now=now):
            raise OvertakenError("Some deliveries are held by another worker now.")
        results = [(row, *self.read(row, outcome)) for row, outcome in endings if outcome is not None]
        blamed: list[ClaimedDelivery] = []
        for row, answer, verdict in results:
            if isinstance(answer, Accepted):
                continue
            state = await self._one(
                session, row, answer, verdict, token=token, now=now, reopens_at=reopens_at
            )
            if _is_blamed(row, verdict, state):
                blamed.append(row)
        await _weigh(session, blamed, now)
        await self._learn(session, results, identity, now)

    async def record_one(
        self,
        session: AsyncSession,
        row: ClaimedDelivery,
        outcome: Outcome,
        *,
        token: str,
        identity: Identity | None,
        now: datetime,
        reopens_at: datetime | None = None,
    ) -> bool:
        """Record one outcome, late or not; False when the delivery is not ours any more.

        Without an `identity` nothing is learnt of the pace: it is old news.
        """
        outcome, verdict = self.read(row, outcome)
        state = await self._one(session, row, outcome, verdict, token=token, now=now, reopens_at=reopens_at)
        if state is None:
            return False
        if _is_blamed(row, verdict, state):
            await _weigh(session, [row], now)
        if identity is not None:
            await self._learn(session, [(row, outcome, verdict)], identity, now)
        return True

    async def _learn(
        self, session: AsyncSession, results: Sequence[Result], identity: Identity, now: datetime
    ) -> None:
        if results and results[0][0].provider not in SANDBOXES:
            first = results[0][0]
            lane = Lane(first.identity_id, first.provider)
            await self.pacer.learn(session, lane, identity, results, now)

    async def _one(
        self,
        session: AsyncSession,
        row: ClaimedDelivery,
        outcome: Outcome,
        verdict: Verdict | None,
        *,
        token: str,
        now: datetime,
        reopens_at: datetime | None,
    ) -> DeliveryState | None:
        """What became of it; None when it is not ours any more.

        `row` is the delivery as it was claimed: this attempt is number `row.attempts + 1`.
        """
        attempt = row.attempts + 1
        state, kind, due_at = self._consequence(row, outcome, verdict, now, reopens_at)
        for origin in (DeliveryState.SENDING, DeliveryState.UNCERTAIN):
            if await outcomes.settle(
                session,
                row.id,
                token=token,
                origin=origin,
                to=state,
                now=now,
                reason=outcome.reply.text,
                due_at=due_at,
                provider_message_id=outcome.provider_message_id if isinstance(outcome, Accepted) else None,
            ):
                break
        else:
            return None
        late = origin is DeliveryState.UNCERTAIN
        if late and state is DeliveryState.UNCERTAIN:
            return state  # it was told already
        name = _name(row.id, attempt, kind, now) + ("/late" if late else "")
        event = event_about(
            row, kind, source=SOURCE, source_id=name, at=now, now=now, reply=outcome.reply, verdict=verdict
        )
        event.details = _cause(row, outcome)
        await events.append(session, event)
        if late:
            await tell_resolved(session, row, {"by": "late answer", "to": state.value}, attempt, now)
            if state is DeliveryState.DEFERRED:
                await reopen(session, row.campaign_id, now)
        return state

    def read(self, row: ClaimedDelivery, outcome: Outcome) -> tuple[Outcome, Verdict | None]:
        """An answer as the rules would have it, which may end it or make it wait longer, and its verdict."""
        if type(outcome) is Accepted:
            return outcome, None
        verdict = self.verdict(row, outcome)
        answer = read_outcome(outcome, verdict, rules_in_force())
        if isinstance(answer, Refused) and not isinstance(outcome, Refused):
            verdict = self.verdict(row, answer)
        return answer, verdict

    def verdict(self, row: ClaimedDelivery, outcome: Outcome) -> Verdict | None:
        """How an answer is read; None for what was taken or is uncertain."""
        match outcome:
            case Accepted() | Uncertain():
                return None
            case Deferred(unreached=True):
                return OUR_OWN_WAY_OUT
            case Deferred(reply=reply) | Refused(reply=reply):
                permanent = isinstance(outcome, Refused)
                return classify_reply(reply, provider=row.provider, channel=row.channel, permanent=permanent)
            case _:
                assert_never(outcome)

    def _consequence(
        self,
        row: ClaimedDelivery,
        outcome: Outcome,
        verdict: Verdict | None,
        now: datetime,
        reopens_at: datetime | None,
    ) -> tuple[DeliveryState, EventKind, datetime | None]:
        match outcome:
            case Accepted():
                return DeliveryState.ACCEPTED, EventKind.ACCEPTED, None
            case Refused():
                return DeliveryState.REFUSED, EventKind.REFUSED, None
            case Uncertain():
                return DeliveryState.UNCERTAIN, EventKind.UNCERTAIN, None
            case Deferred():
                first_at = row.first_attempt_at or now
                grey = verdict is not None and verdict.bounce_class is BounceClass.GREYLIST
                again = next_attempt(outcome, row.attempts + 1, first_at, now, self.retry, greylisted=grey)
                if again is not None and outcome.unreached and reopens_at is not None:
                    again = reopens_at  # it is not the message that has to wait its turn longer
                if again is None or (row.not_after is not None and again >= row.not_after):
                    return DeliveryState.EXPIRED, EventKind.EXPIRED, None
                return DeliveryState.DEFERRED, EventKind.DEFERRED, again
            case _:
                assert_never(outcome)


def _cause(row: ClaimedDelivery, outcome: Outcome) -> dict[str, str]:
    """The fine reason of a mail server's no, as news from outside tells it, too."""
    if row.channel is not Channel.EMAIL or not isinstance(outcome, Deferred | Refused):
        return {}
    if isinstance(outcome, Deferred) and outcome.unreached:
        return {}
    host, permanent = row.address.rpartition("@")[2], isinstance(outcome, Refused)
    return cause_of(reason_behind(outcome.reply, permanent=permanent, host=host))


def _is_blamed(row: ClaimedDelivery, verdict: Verdict | None, state: DeliveryState | None) -> bool:
    """Whether its end may be held against its address; never against a seed's, or for a made-up answer."""
    named = bool(row.address) and row.seed_id is None and row.provider not in SANDBOXES
    return named and state in FINAL and verdict is not None and verdict.fault is Fault.RECIPIENT


async def _weigh(session: AsyncSession, blamed: Sequence[ClaimedDelivery], now: datetime) -> None:
    """All addresses at once, and last: taken one by one, two workers could wait for each other's."""
    if blamed:
        await weigh_news(session, failed={(row.channel, row.address) for row in blamed}, alive=(), now=now)


def _taken(row: ClaimedDelivery, outcome: Accepted) -> Taken:
    reply = outcome.reply
    return Taken(row.id, reply.code, reply.enhanced, reply.text, outcome.provider_message_id)


async def give_back(
    session: AsyncSession, rows: Sequence[ClaimedDelivery], *, token: str, now: datetime
) -> None:
    """Queue again what was marked and certainly never left; a campaign that had ended without it sends on."""
    if await claims.take_off(session, [row.id for row in rows], token=token):
        for campaign_id in sorted({row.campaign_id for row in rows}):
            await reopen(session, campaign_id, now)


async def record_abandoned(session: AsyncSession, abandoned: Sequence[Delivery], now: datetime) -> None:
    """The events of deliveries whose worker vanished with them on the wire.

    News that overtook us (a bounce, a status from the operator) settles a delivery at once: it left.
    """
    for delivery in abandoned:
        await events.append(
            session,
            event_about(
                delivery,
                EventKind.UNCERTAIN,
                source=SOURCE,
                source_id=_name(delivery.id, delivery.attempts, EventKind.UNCERTAIN, now),
                at=now,
                now=now,
                reply=Reply(None, None, delivery.reason),
            ),
        )
        await settle_from_evidence(session, delivery, now)


def _name(delivery_id: int, attempt: int, kind: EventKind, now: datetime) -> str:
    """What names the news of one attempt.

    An uncertain one that proves never to have left was no attempt: the next has its number, and its news
    must not be taken for this.
    """
    name = f"{delivery_id}/{attempt}"
    return f"{name}/uncertain/{to_microseconds(now)}" if kind is EventKind.UNCERTAIN else name
