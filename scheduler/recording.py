"""What became of a delivery, written in one commit: its state, the event, perhaps a suppression."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import classify_reply
from deliverability.feedback import settle_from_evidence
from deliverability.suppression import act_on_verdict
from models.delivery import Delivery
from models.event import Event, event_about
from models.states import BounceClass, DeliveryState, EventKind, Fault, Permanence
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain, Verdict
from scheduler.gates import Stop
from scheduler.retry import RetryPolicy, next_attempt
from store import deliveries, events

SOURCE = "dispatch"
OUR_OWN_WAY_OUT = Verdict(BounceClass.TRANSIENT, Fault.RELAY, Permanence.SOFT, "relay")
"""The provider said nothing: it was never asked."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes outcomes by this installation's policies."""

    retry: RetryPolicy

    async def outcome(
        self,
        session: AsyncSession,
        delivery: Delivery,
        outcome: Outcome,
        *,
        token: str,
        now: datetime,
        reopens_at: datetime | None = None,
    ) -> bool:
        """Record the answer to one attempt; False when the claim was lost meanwhile.

        `delivery` is the row as it was claimed: this attempt is number `delivery.attempts + 1`.
        `reopens_at`: when our own way out is tried again, for an outcome that never got past it.
        """
        attempt = delivery.attempts + 1
        verdict = self.verdict(delivery, outcome)
        state, kind, due_at = self._consequence(delivery, outcome, attempt, now, reopens_at)
        provider_message_id = outcome.provider_message_id if isinstance(outcome, Accepted) else None
        settled = await deliveries.settle(
            session,
            delivery.id,
            token=token,
            origin=DeliveryState.SENDING,
            to=state,
            now=now,
            reason=outcome.reply.text,
            due_at=due_at,
            provider_message_id=provider_message_id,
        )
        if not settled:
            return False
        event = event_about(
            delivery,
            kind,
            source=SOURCE,
            source_id=f"{delivery.id}/{attempt}",
            at=now,
            now=now,
            reply=outcome.reply,
            verdict=verdict,
        )
        await events.append(session, event)
        await self._react(session, delivery, event, verdict, now)
        return True

    async def stop(
        self, session: AsyncSession, delivery: Delivery, stop: Stop, *, token: str, now: datetime
    ) -> None:
        """Record that a claimed delivery does not leave, and why."""
        settled = await deliveries.settle(
            session,
            delivery.id,
            token=token,
            origin=DeliveryState.CLAIMED,
            to=stop.state,
            now=now,
            reason=stop.reason,
        )
        if settled:
            await events.append(
                session,
                event_about(
                    delivery,
                    stop.kind,
                    source=SOURCE,
                    # The claim names this time: what a person released may be held again.
                    source_id=f"{delivery.id}/{stop.kind.value}/{token}",
                    at=now,
                    now=now,
                    reply=Reply(None, None, stop.reason),
                ),
            )

    def verdict(self, delivery: Delivery, outcome: Outcome) -> Verdict | None:
        """How an answer is read; None for what was taken or is uncertain."""
        match outcome:
            case Deferred(unreached=True):
                return OUR_OWN_WAY_OUT
            case Deferred(reply=reply):
                return classify_reply(
                    reply, provider=delivery.provider, channel=delivery.channel, permanent=False
                )
            case Refused(reply=reply):
                return classify_reply(
                    reply, provider=delivery.provider, channel=delivery.channel, permanent=True
                )
            case Accepted() | Uncertain():
                return None
            case _:
                assert_never(outcome)

    def _consequence(
        self,
        delivery: Delivery,
        outcome: Outcome,
        attempt: int,
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
                again = next_attempt(outcome, attempt, delivery.first_attempt_at or now, now, self.retry)
                if again is not None and outcome.unreached and reopens_at is not None:
                    again = reopens_at  # it is not the message that has to wait its turn longer
                if again is None or (delivery.not_after is not None and again >= delivery.not_after):
                    return DeliveryState.EXPIRED, EventKind.EXPIRED, None
                return DeliveryState.DEFERRED, EventKind.DEFERRED, again
            case _:
                assert_never(outcome)

    async def _react(
        self,
        session: AsyncSession,
        delivery: Delivery,
        event: Event,
        verdict: Verdict | None,
        now: datetime,
    ) -> None:
        if verdict is None:
            return
        if event.kind is EventKind.REFUSED:
            await act_on_verdict(session, delivery, verdict, event_id=event.id, now=now)


async def record_lapsed(session: AsyncSession, abandoned: Sequence[Delivery], now: datetime) -> None:
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
                source_id=f"{delivery.id}/{delivery.attempts}",
                at=now,
                now=now,
                reply=Reply(None, None, delivery.reason),
            ),
        )
        await settle_from_evidence(session, delivery, now)
