"""What became of deliveries, written down: many that were taken in two statements, others one by one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.columns import UtcDateTime
from models.delivery import Delivery
from models.event import Event
from models.states import DeliveryState, EventKind
from store.bulk import Spelling, Statement, table
from store.claims import NO_SYNC
from store.engine import insert_on
from store.erasure import unless_erased
from store.events import TEXT_LENGTH, storable

SOURCE = "dispatch"
REASON_LENGTH = 200
NUMBER_LENGTH = 200
_D = cast("Any", Delivery).__table__.c
_TOKEN = sa.bindparam("token", type_=sa.Text)
_NOW = sa.bindparam("now", type_=UtcDateTime)
_EVENT_COLUMNS = (
    "delivery_id",
    "campaign_id",
    "identity_id",
    "contact_id",
    "provider",
    "seed",
    "kind",
    "rule",
    "code",
    "enhanced",
    "text",
    "source",
    "source_id",
    "details",
    "at",
    "recorded_at",
)


class Taken(NamedTuple):
    """A message that the other side took responsibility for, and what it said."""

    id: int
    code: int | None
    enhanced: str | None
    text: str
    number: str | None


class Stopped(NamedTuple):
    """A claimed delivery that does not leave: where it goes instead, and why."""

    id: int
    state: DeliveryState
    kind: EventKind
    reason: str


def _taken_rows(spelling: Spelling) -> Any:
    return spelling.rows(
        "taken", id=sa.BigInteger, code=sa.Integer, enhanced=sa.Text, text=sa.Text, number=sa.Text
    )


def _take(spelling: Spelling) -> sa.Executable:
    rows = _taken_rows(spelling)
    return (
        sa.update(Delivery)
        .where(
            rows.c.id == _D.id,
            spelling.checked(_D.claim_token == _TOKEN, _D.state == DeliveryState.SENDING),
        )
        .values(
            state=DeliveryState.ACCEPTED,
            reason=unless_erased(sa.func.substr(rows.c.text, 1, REASON_LENGTH), _D),
            claim_token=None,
            leased_until=None,
            settled_at=_NOW,
            provider_message_id=sa.func.coalesce(rows.c.number, _D.provider_message_id),
        )
        .execution_options(**NO_SYNC)
    )


def _events(spelling: Spelling, rows: Any, *, state: Any, **values: Any) -> sa.Executable:
    """The events of deliveries that were just settled, from `rows` joined to them."""
    common = {
        "delivery_id": _D.id,
        "campaign_id": _D.campaign_id,
        "identity_id": _D.identity_id,
        "contact_id": _D.contact_id,
        "provider": _D.provider,
        "seed": _D.seed_id.is_not(None),
        "rule": sa.literal("", sa.Text),
        "code": sa.null(),
        "enhanced": sa.null(),
        "source": sa.literal(SOURCE, sa.Text),
        "details": sa.literal({}, cast("Any", Event).__table__.c.details.type),
        "at": _NOW,
        "recorded_at": _NOW,
    }
    named = {**common, **values}
    chosen = sa.select(*(named[name] for name in _EVENT_COLUMNS)).select_from(
        sa.join(rows, Delivery, rows.c.id == _D.id)
    )
    settled = chosen.where(
        spelling.checked(_D.state == state, _D.settled_at == _NOW, _D.claim_token.is_(None))
    )
    insert = insert_on(Event, sqlite=spelling.sqlite).from_select(list(_EVENT_COLUMNS), settled)
    return cast("sa.Executable", insert.on_conflict_do_nothing(index_elements=["source", "source_id"]))


def _taken_events(spelling: Spelling) -> sa.Executable:
    rows = _taken_rows(spelling)
    return _events(
        spelling,
        rows,
        state=DeliveryState.ACCEPTED,
        kind=sa.literal(EventKind.ACCEPTED.value, sa.Text),
        code=rows.c.code,
        enhanced=rows.c.enhanced,
        text=unless_erased(rows.c.text, _D),
        source_id=sa.cast(_D.id, sa.Text) + "/" + sa.cast(_D.attempts, sa.Text),
    )


def _stopped_rows(spelling: Spelling) -> Any:
    return spelling.rows("stopped", id=sa.BigInteger, state=sa.Text, kind=sa.Text, reason=sa.Text)


def _stop(spelling: Spelling) -> sa.Executable:
    rows = _stopped_rows(spelling)
    return (
        sa.update(Delivery)
        .where(
            rows.c.id == _D.id,
            spelling.checked(_D.claim_token == _TOKEN, _D.state == DeliveryState.CLAIMED),
        )
        .values(
            state=rows.c.state,
            reason=sa.func.substr(rows.c.reason, 1, REASON_LENGTH),
            claim_token=None,
            leased_until=None,
            settled_at=_NOW,
        )
        .execution_options(**NO_SYNC)
    )


def _stopped_events(spelling: Spelling) -> sa.Executable:
    rows = _stopped_rows(spelling)
    return _events(
        spelling,
        rows,
        state=rows.c.state,
        kind=rows.c.kind,
        text=rows.c.reason,
        # The claim names this time: what a person released may be held again.
        source_id=sa.cast(_D.id, sa.Text) + "/" + rows.c.kind + "/" + _TOKEN,
    )


_TAKE, _TAKEN_EVENTS = Statement(_take), Statement(_taken_events)
_STOP, _STOPPED_EVENTS = Statement(_stop), Statement(_stopped_events)


async def record_taken(session: AsyncSession, taken: Sequence[Taken], *, token: str, now: datetime) -> bool:
    """Record messages as accepted, each with its event; served by the primary key.

    False when not all of them were still on the wire under `token`: then the caller must roll back.
    """
    rows = table(
        [
            (
                row.id,
                row.code,
                _short(row.enhanced, 12),
                storable(row.text)[:TEXT_LENGTH],
                _number(row.number),
            )
            for row in taken
        ]
    )
    if await _TAKE.run(session, taken=rows, token=token, now=now) != len(taken):
        return False
    await _TAKEN_EVENTS.run(session, taken=rows, now=now)
    return True


async def record_stopped(
    session: AsyncSession, stopped: Sequence[Stopped], *, token: str, now: datetime
) -> None:
    """Record why claimed deliveries do not leave, each with its event; the claim ends."""
    rows = table([(row.id, row.state, row.kind, storable(row.reason)) for row in stopped])
    await _STOP.run(session, stopped=rows, token=token, now=now)
    await _STOPPED_EVENTS.run(session, stopped=rows, token=token, now=now)


async def settle(
    session: AsyncSession,
    delivery_id: int,
    *,
    token: str,
    origin: DeliveryState,
    to: DeliveryState,
    now: datetime,
    reason: str = "",
    due_at: datetime | None = None,
    provider_message_id: str | None = None,
) -> bool:
    """Record where a claimed delivery goes; False when the claim was lost meanwhile, and nothing changed.

    With `due_at` it comes back into the queue then; the claim ends either way, but what is uncertain keeps
    its token: who knows better may still say so.
    """
    values: dict[str, object] = {
        "state": to,
        "reason": unless_erased(sa.literal(storable(reason)[:REASON_LENGTH], sa.Text), _D),
        "leased_until": None,
    }
    if to is not DeliveryState.UNCERTAIN:
        values["claim_token"] = None
    if due_at is not None:
        values.update(due_at=due_at, settled_at=None)
    else:
        values["settled_at"] = now
    if provider_message_id is not None:
        values["provider_message_id"] = _number(provider_message_id)
    change = (
        sa.update(Delivery)
        .where(_D.id == delivery_id, _D.claim_token == token, _D.state == origin)
        .values(**values)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


def _short(text: str | None, length: int) -> str | None:
    return None if text is None else storable(text)[:length]


def _number(text: str | None) -> str | None:
    return _short(text, NUMBER_LENGTH)
