"""Who holds which deliveries: claimed in bulk, marked, given back, all under a token that fences.

What a worker needs of a delivery is copied out as a small value: rows that an object mapper keeps watch
over cost more than everything else that is done with them. Whoever changes a delivery must still hold its
token: a worker that slept past its lease, and whose claim was taken over, changes nothing.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.columns import UtcDateTime
from models.delivery import Delivery
from models.identity import Identity
from models.providers import SANDBOXES
from models.states import SENDING, CampaignState, Channel, DeliveryState, IdentityState
from store.bulk import Question, Spelling, Statement, listed
from store.deliveries import LEASED, WORKER_DIGITS, Lane, claimable, flows, stands
from store.engine import is_among

S = DeliveryState
NO_SYNC = {"synchronize_session": False}
EVER = datetime(1970, 1, 1, tzinfo=UTC)
_D = cast("Any", Delivery).__table__.c


class ClaimedDelivery(NamedTuple):
    """A delivery as it was claimed; `attempts` are those before this one, `message_id` 0 in campaigns."""

    id: int
    campaign_id: int
    contact_id: int | None
    seed_id: int | None
    channel: Channel
    identity_id: int
    provider: str
    address: str
    due_at: datetime
    not_after: datetime | None
    exempt: bool
    attempts: int
    first_attempt_at: datetime | None
    message_id: int = 0

    @classmethod
    def of(cls, row: Delivery) -> "ClaimedDelivery":
        """The value of a row."""
        return cls(*(getattr(row, name) for name in cls._fields))


def fair_shares(due: Sequence[int], room: int) -> list[int]:
    """How many of `room` places each gets: equal shares, and what one does not need goes to the others."""
    shares = [0] * len(due)
    while room > 0 and (hungry := [place for place, count in enumerate(due) if shares[place] < count]):
        each = max(1, room // len(hungry))
        for place in hungry:
            more = min(due[place] - shares[place], each, room)
            shares[place] += more
            room -= more
    return shares


def _waiting_in_lane(spelling: Spelling) -> sa.Select[Any]:
    """Campaigns that send, and how much each has due in a lane, counted up to a limit."""
    del spelling
    due = (
        sa.select(sa.literal(1))
        .where(
            _D.identity_id == sa.bindparam("identity"),
            _D.provider == sa.bindparam("provider"),
            _D.campaign_id == col(Campaign.id),
            claimable(),
            _D.due_at <= sa.bindparam("now", type_=UtcDateTime),
        )
        .limit(sa.bindparam("most", type_=sa.Integer))
        .correlate(Campaign)
        .subquery("due")
    )
    return (
        sa.select(
            col(Campaign.id).label("id"),
            col(Campaign.urgent).label("urgent"),
            sa.select(sa.func.count()).select_from(due).scalar_subquery().label("waiting"),
        )
        .select_from(Campaign)
        .join(CampaignLane, col(CampaignLane.campaign_id) == col(Campaign.id))
        .join(Identity, col(Identity.id) == col(CampaignLane.identity_id))
        .where(
            col(CampaignLane.identity_id) == sa.bindparam("identity"),
            col(CampaignLane.provider) == sa.bindparam("provider"),
            flows(sa.bindparam("now", type_=UtcDateTime)),
            col(Campaign.state) == CampaignState.SENDING,
            _its_sender_may(),
        )
        .order_by(col(Campaign.id))
    )


def _its_sender_may() -> sa.ColumnElement[bool]:
    """Whether the lane's identity is in a state in which the campaign's messages leave.

    As `scheduler.lifecycle.may_send`, so that a suspension holds for the next chunk; of tests nothing leaves.
    """
    state = col(Identity.state)
    of_texts = sa.or_(
        state == IdentityState.DRAFT,
        state == IdentityState.DNS_PENDING,
        sa.and_(state == IdentityState.SUSPENDED, col(Identity.state_by) == ""),
    )
    return sa.or_(
        *(state == each for each in sorted(SENDING)),
        sa.and_(col(Campaign.channel) == Channel.SMS, of_texts),
        *(col(CampaignLane.provider) == each for each in sorted(SANDBOXES)),
    )


def _due(spelling: Spelling) -> sa.Select[Any]:
    question = (
        sa.select(*(_D[name] for name in ClaimedDelivery._fields))
        .where(
            _D.identity_id == sa.bindparam("identity"),
            _D.provider == sa.bindparam("provider"),
            _D.campaign_id == sa.bindparam("campaign"),
            claimable(),
            _D.due_at <= sa.bindparam("now", type_=UtcDateTime),
        )
        .order_by(_D.due_at, _D.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
    return question if spelling.sqlite else question.with_for_update(skip_locked=True)


def _mine(spelling: Spelling, *states: DeliveryState) -> sa.ColumnElement[bool]:
    """Those given as `ids` that are still held under `token`, in one of these states."""
    held = spelling.checked(_D.claim_token == sa.bindparam("token"), stands(states))
    return sa.and_(spelling.among(_D.id, "ids"), held)


def _change(*states: DeliveryState, **values: object) -> Statement:
    return Statement(
        lambda spelling: (
            sa.update(Delivery).where(_mine(spelling, *states)).values(**values).execution_options(**NO_SYNC)
        )
    )


def _sending(spelling: Spelling) -> sa.Select[Any]:
    number: Any = Campaign.id
    return (
        sa.select(number)
        .where(spelling.among(number, "ids"), col(Campaign.state) == CampaignState.SENDING)
        .order_by(number)
    )


def _stay_sending(spelling: Spelling) -> sa.Select[Any]:
    question = _sending(spelling)
    return question if spelling.sqlite else question.with_for_update(read=True)


_SENDING, _STAY_SENDING = Question(_sending), Question(_stay_sending)
_UNTIL = sa.bindparam("until", type_=UtcDateTime)
_WAITING = Question(_waiting_in_lane)
_DUE = Question(_due)
_CLAIM = Statement(
    lambda spelling: (
        sa.update(Delivery)
        .where(spelling.among(_D.id, "ids"))
        .values(state=S.CLAIMED, claim_token=sa.bindparam("token"), leased_until=_UNTIL)
        .execution_options(**NO_SYNC)
    )
)
_MARK = _change(
    S.CLAIMED,
    state=S.SENDING,
    attempts=_D.attempts + 1,
    first_attempt_at=sa.func.coalesce(_D.first_attempt_at, sa.bindparam("now", type_=UtcDateTime)),
    leased_until=_UNTIL,
)
_MARKED = Question(lambda spelling: sa.select(_D.id).where(_mine(spelling, S.SENDING)))
_RENEW = _change(S.CLAIMED, S.SENDING, leased_until=_UNTIL)
# One that was tried before is deferred, not new.
_BACK: dict[str, object] = {
    "state": sa.case((_D.attempts > 0, S.DEFERRED.value), else_=S.QUEUED.value),
    "claim_token": None,
    "leased_until": None,
}
_HAND_BACK = _change(S.CLAIMED, **_BACK)
_PUT_OFF = _change(S.CLAIMED, **_BACK, due_at=sa.bindparam("due", type_=UtcDateTime))
_TAKE_OFF = _change(
    S.SENDING,
    S.UNCERTAIN,
    state=S.DEFERRED,
    reason="",
    attempts=_D.attempts - 1,
    first_attempt_at=sa.case((_D.attempts <= 1, sa.null()), else_=_D.first_attempt_at),
    claim_token=None,
    leased_until=None,
    settled_at=None,
)


async def claim_due(
    session: AsyncSession,
    *,
    lane: Lane,
    token: str,
    now: datetime,
    lease: timedelta,
    limit: int,
    turn: int = 0,
) -> list[ClaimedDelivery]:
    """Take at most `limit` due deliveries of a lane until `now + lease`.

    Urgent campaigns first, equal shares among the others, the oldest of each; `turn` rotates who comes
    first where there is less room than campaigns. Served by ix_delivery_due.
    """
    place: dict[str, object] = {"identity": lane.identity_id, "provider": lane.provider, "now": now}
    waiting = await _WAITING.ask(session, **place, most=limit)
    rows: list[Sequence[Any]] = []
    for urgent in (True, False):
        group = [(number, due) for number, first, due in waiting if bool(first) is urgent and due]
        begin = turn % len(group) if group else 0
        group = group[begin:] + group[:begin]
        for (number, _), share in zip(
            group, fair_shares([due for _, due in group], limit - len(rows)), strict=True
        ):
            if share:
                rows += await _DUE.ask(session, **place, campaign=number, most=share)
    if not rows:
        return []
    ids = listed(session, [row[0] for row in rows])
    await _CLAIM.run(session, ids=ids, token=token, until=now + lease)
    claimed = [ClaimedDelivery._make(row) for row in rows]
    claimed.sort(key=lambda delivery: (delivery.due_at, delivery.id))
    return claimed


async def sending_among(session: AsyncSession, campaign_ids: Collection[int]) -> set[int]:
    """Those of the campaigns that may send, and do so until this transaction ends.

    On PostgreSQL a pause waits for that end; on SQLite nobody else writes meanwhile.
    """
    return {row[0] for row in await _STAY_SENDING.ask(session, ids=listed(session, campaign_ids))}


async def still_sending(session: AsyncSession, campaign_ids: Collection[int]) -> set[int]:
    """Those of the campaigns that may send at this moment."""
    return {row[0] for row in await _SENDING.ask(session, ids=listed(session, campaign_ids))}


async def mark_sending(
    session: AsyncSession, ids: Collection[int], *, token: str, now: datetime, lease: timedelta
) -> set[int]:
    """Announce that these go on the wire now; those that are still ours."""
    if not ids:
        return set()
    given = listed(session, ids)
    marked = await _MARK.run(session, ids=given, token=token, now=now, until=now + lease)
    if marked == len(ids):
        return set(ids)
    return {row[0] for row in await _MARKED.ask(session, ids=given, token=token)}


async def extend_lease(session: AsyncSession, ids: Collection[int], *, token: str, until: datetime) -> int:
    """Keep deliveries that are still under way: a server may take its time (RFC 5321 section 4.5.3.2).

    How many of them are still ours.
    """
    return await _RENEW.run(session, ids=listed(session, ids), token=token, until=until)


async def hand_back(session: AsyncSession, ids: Collection[int], *, token: str) -> int:
    """Give claimed deliveries that were not sent back to the queue, as due as they were."""
    return await _HAND_BACK.run(session, ids=listed(session, ids), token=token) if ids else 0


async def put_off(session: AsyncSession, ids: Collection[int], *, token: str, due_at: datetime) -> int:
    """Give claimed deliveries back to the queue until `due_at`."""
    return await _PUT_OFF.run(session, ids=listed(session, ids), token=token, due=due_at)


async def take_off(session: AsyncSession, ids: Collection[int], *, token: str) -> int:
    """Give back deliveries marked as sending that certainly never left; the attempt does not count.

    Only the worker that marked them, or its journal, can know that: also when they were taken for
    uncertain meanwhile. Deferred, and as due as they were.
    """
    return await _TAKE_OFF.run(session, ids=listed(session, ids), token=token) if ids else 0


async def still_held(session: AsyncSession, ids: Collection[int], *, token: str) -> set[int]:
    """Those that are still marked as sending under this token."""
    return {row[0] for row in await _MARKED.ask(session, ids=listed(session, ids), token=token)}


async def requeue_lapsed(session: AsyncSession, now: datetime, *, spared: Collection[str] = ()) -> int:
    """Take back claims whose lease ran out before anything was sent, those under `spared` tokens aside.

    Served by ix_delivery_leased.
    """
    back = (
        sa.update(Delivery)
        .where(_lapsed(S.CLAIMED, now, spared))
        .values(**_BACK)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(back)).rowcount


async def abandon_lapsed(
    session: AsyncSession, now: datetime, *, spared: Collection[str] = ()
) -> Sequence[Delivery]:
    """Deliveries whose worker vanished with them on the wire: uncertain, and never resent by themselves.

    They keep their token: the worker, or its journal, may come back with the truth. `spared` tokens are those
    of whom it is known that they hold on. Served by ix_delivery_leased.
    """
    return await _abandon(session, _lapsed(S.SENDING, now, spared), now)


def _lapsed(state: DeliveryState, now: datetime, spared: Collection[str]) -> sa.ColumnElement[bool]:
    over = sa.and_(stands(LEASED), _D.state == state, _D.leased_until < now)
    return sa.and_(over, _D.claim_token.not_in(sorted(spared))) if spared else over


async def abandon(session: AsyncSession, ids: Collection[int], *, now: datetime) -> Sequence[Delivery]:
    """The same for deliveries of which it is known. Served by the primary key."""
    return await _abandon(session, sa.and_(is_among(session, _D.id, ids), _D.state == S.SENDING), now)


async def _abandon(session: AsyncSession, which: sa.ColumnElement[bool], now: datetime) -> Sequence[Delivery]:
    change = (
        sa.update(Delivery)
        .where(which)
        .values(
            state=S.UNCERTAIN,
            reason="the worker ended between the message and the answer",
            leased_until=None,
            settled_at=now,
        )
        .returning(Delivery)
        .execution_options(populate_existing=True, **NO_SYNC)
    )
    return (await session.exec(change)).scalars().all()


async def left_behind(session: AsyncSession, worker_id: str) -> Sequence[Delivery]:
    """What a worker holds, and what is uncertain since it held it, locked for this transaction.

    Served by ix_delivery_leased and ix_delivery_uncertain.
    """
    its_own = sa.func.substr(_D.claim_token, 1, WORKER_DIGITS) == worker_id
    held = select(Delivery).where(stands(LEASED), _D.leased_until > EVER, its_own)
    # Spelt out as the index's condition is; its tokens are those between the number and what follows it.
    uncertain = _D.state == sa.literal_column("'uncertain'")
    lapsed = select(Delivery).where(
        uncertain, _D.claim_token >= worker_id, _D.claim_token < worker_id + "g", its_own
    )
    return [
        *(await session.exec(held.with_for_update())).all(),
        *(await session.exec(lapsed.with_for_update())).all(),
    ]
