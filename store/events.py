"""The evidence, append-only: each piece of news once, however often and in whatever order it arrives."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.event import Event
from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from store.engine import insert_for, is_among

# A statement of 200 rows of 20 columns stays far below SQLite's 32,766 variables.
ROWS_A_STATEMENT = 200
TEXT_LENGTH = 2000
_DELIVERY, _EVENT = cast("Any", Delivery).__table__.c, cast("Any", Event).__table__.c
REREAD = "replay"
"""The source of events that say how an older one is read now; UNKNOWN by kind: no report counts them."""


@dataclass(frozen=True, slots=True)
class Told:
    """One piece of news about a message to an address, as it is read now."""

    event_id: int
    delivery_id: int
    campaign_id: int
    kind: EventKind
    at: datetime
    bounce_class: BounceClass | None = None
    fault: Fault | None = None
    permanence: Permanence | None = None
    rule: str = ""
    machine: bool = False


async def append(session: AsyncSession, event: Event) -> bool:
    """Record one event and give it its number; False, and nothing changed, when its news is on record.

    The unique (source, source_id) decides, so two processes that hear the same news record it once.
    """
    insert = _insert(session).values(_row(event) | _unless_erased(event)).returning(Event.__table__.c.id)  # type: ignore[attr-defined]
    number = (await session.exec(insert)).scalar()
    if number is None:
        return False
    event.id = number
    return True


async def append_many(session: AsyncSession, events: Sequence[Event]) -> int:
    """Record events, skipping those on record; how many were new. The events get no numbers."""
    new = 0
    for start in range(0, len(events), ROWS_A_STATEMENT):
        rows = [_row(event) for event in events[start : start + ROWS_A_STATEMENT]]
        insert = _insert(session).values(rows).returning(Event.__table__.c.id)  # type: ignore[attr-defined]
        new += len((await session.exec(insert)).all())
    return new


async def events_of_delivery(session: AsyncSession, delivery_id: int) -> list[Event]:
    """Everything that happened to one delivery, oldest first. Served by ix_event_delivery_id."""
    wanted = select(Event).where(Event.delivery_id == delivery_id).order_by(col(Event.at), col(Event.id))
    return list((await session.exec(wanted)).all())


async def delivery_of(session: AsyncSession, source: str, source_id: str) -> int | None:
    """The delivery that a piece of news was recorded of. By the unique (source, source_id)."""
    wanted = select(Event.delivery_id).where(Event.source == source, Event.source_id == source_id)
    return (await session.exec(wanted)).first()


async def events_of_contact(session: AsyncSession, contact_id: int, *, limit: int = 200) -> list[Event]:
    """What happened to one person's messages, newest first. Served by ix_event_contact_id."""
    wanted = (
        select(Event)
        .where(Event.contact_id == contact_id)
        .order_by(col(Event.at).desc(), col(Event.id).desc())
        .limit(limit)
    )
    return list((await session.exec(wanted)).all())


async def count_of_kind(session: AsyncSession, delivery_id: int, kind: EventKind) -> int:
    """How many events of one kind a delivery has. Served by ix_event_delivery_id."""
    wanted = select(func.count()).where(Event.delivery_id == delivery_id, Event.kind == kind)
    return (await session.exec(wanted)).one()


async def news_of_addresses(
    session: AsyncSession, channel: Channel, addresses: Collection[str]
) -> dict[str, list[Told]]:
    """What was heard of every message to each address, seeds aside, each piece as it was last read.

    Served by ix_delivery_address and ix_event_delivery_id.
    """
    found: dict[str, dict[int, Told]] = {address: {} for address in addresses}
    if not found:
        return {}
    wanted = (
        sa.select(_DELIVERY.address, *(_EVENT[name] for name in _TOLD))
        .join_from(Delivery, Event, _DELIVERY.id == _EVENT.delivery_id)
        .where(
            is_among(session, _DELIVERY.address, sorted(found)),
            _DELIVERY.channel == channel,
            _DELIVERY.seed_id.is_(None),
            _EVENT.campaign_id.is_not(None),
        )
        .order_by(_EVENT.id)
    )
    connection = await session.connection()
    for address, *row in (await connection.execute(wanted)).all():
        event = _Read(*row)
        told = found[address]
        if event.source != REREAD:
            told[event.id] = _told(event)
        elif (number := int(event.details.get("event", 0))) in told:
            told[number] = reread(told[number], event)
    return {address: list(told.values()) for address, told in found.items()}


class _Read(NamedTuple):
    """What of an event tells how a mailbox is."""

    id: int
    delivery_id: int | None
    campaign_id: int | None
    kind: EventKind
    at: datetime
    bounce_class: BounceClass | None
    fault: Fault | None
    permanence: Permanence | None
    rule: str
    source: str
    details: dict[str, str]


_TOLD = _Read._fields


def reread(told: Told, event: Event | _Read) -> Told:
    """News as a later reading of it has it."""
    return replace(
        told,
        bounce_class=event.bounce_class,
        fault=event.fault,
        permanence=event.permanence,
        rule=event.rule,
    )


async def rereadings(session: AsyncSession, delivery_ids: Sequence[int]) -> dict[int, list[Event]]:
    """How events of these deliveries were read later, by their number, oldest first.

    Served by ix_event_delivery_id.
    """
    found: dict[int, list[Event]] = {}
    for start in range(0, len(delivery_ids), ROWS_A_STATEMENT):
        some = delivery_ids[start : start + ROWS_A_STATEMENT]
        wanted = select(Event).where(col(Event.delivery_id).in_(some), Event.source == REREAD)
        for event in (await session.exec(wanted.order_by(col(Event.id)))).all():
            found.setdefault(int(event.details.get("event", 0)), []).append(event)
    return found


def _told(event: _Read) -> Told:
    return Told(
        event_id=event.id,
        delivery_id=event.delivery_id or 0,
        campaign_id=event.campaign_id or 0,
        kind=event.kind,
        at=event.at,
        bounce_class=event.bounce_class,
        fault=event.fault,
        permanence=event.permanence,
        rule=event.rule,
        machine="machine" in event.details,
    )


def _unless_erased(event: Event) -> dict[str, object]:
    """What is written instead when the person behind the delivery was erased while it was under way."""
    if event.delivery_id is None or event.seed or not event.text:
        return {}
    erased = sa.exists().where(_DELIVERY.id == event.delivery_id, _DELIVERY.address == "")
    text = storable(event.text)[:TEXT_LENGTH]
    return {"text": sa.case((erased, ""), else_=sa.literal(text, sa.Text))}


def _insert(session: AsyncSession) -> Any:
    return insert_for(session, Event).on_conflict_do_nothing(index_elements=["source", "source_id"])


_COLUMNS = tuple(column.name for column in sa.inspect(Event).columns if column.name != "id")


def _row(event: Event) -> dict[str, object]:
    """The event as column values. PostgreSQL refuses NUL characters and texts that are too long."""
    row: dict[str, object] = {name: getattr(event, name) for name in _COLUMNS}
    row["text"] = storable(event.text)[:TEXT_LENGTH]
    row["source_id"] = storable(event.source_id)[:200]
    row["details"] = {storable(name): storable(value) for name, value in event.details.items()}
    return row


def storable(text: str) -> str:
    """`text` without what neither database can hold: NUL characters and lone surrogates."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
