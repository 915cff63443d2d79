"""An audience written down: read in plain rows by contact number, and written a batch at a time.

Made for a million people: nothing here makes an object of a row, and every question names a range of
contact numbers, so that an interrupted freeze goes on where it stopped.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.canary import HELD_FOR_CANARY
from models.contact import Contact, ContactTag
from models.event import Event
from models.segment_tree import ATTRIBUTE_PREFIX
from models.states import CampaignState, Channel, DeliveryState, EventKind, LeftOutReason, Purpose
from store.arriving import ArrivingRows, arrange, receive, taking
from store.audiences import Selection, reason_left_out
from store.engine import insert_for, planned_afresh
from store.loading import Constants, Texts, as_text
from store.tally_bulk import counted_at_once

__all__ = [
    "Frozen",
    "FrozenRows",
    "Target",
    "domains_reached",
    "freeze",
    "lacking",
    "last_engaged",
    "on_its_way",
    "read_targets",
]

PREFIX_LENGTH: Final = 7
"""Of a telephone number: what tells in which country or overseas territory it is."""
_SIGNS = (EventKind.CLICKED, EventKind.REPLIED)


class Target(NamedTuple):
    """A targeted person: where to write to, why not, and what tells whose words and hours are theirs."""

    id: int
    address: str | None
    domain: str | None
    reason: str | None
    departement: str | None
    region: str | None
    postcode: str | None
    phone_prefix: str | None
    commune_key: str | None
    canton_key: str | None
    circonscription: str | None
    polling_station: str | None


@dataclass(slots=True)
class Frozen:
    """One batch as columns: deliveries to people and seeds, and who is left out, why, until when.

    `held`: which deliveries wait for the canary; empty: none does. `not_after`: the own deadline of each,
    None where the campaign's holds; empty: that holds for all.
    """

    contact_ids: list[int | None] = field(default_factory=list)
    seed_ids: list[int | None] = field(default_factory=list)
    identity_ids: list[int] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    due_at: list[datetime] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    not_after: list[datetime | None] = field(default_factory=list)
    left_out: list[tuple[int, LeftOutReason, datetime | None]] = field(default_factory=list)


async def domains_reached(
    session: AsyncSession, selection: Selection, now: datetime, *, besides: Collection[str] = ()
) -> list[str]:
    """The domains, other than `besides`, a campaign by e-mail would write to. Reads the audience."""
    domain = cast("sa.ColumnElement[str]", Contact.email_domain)
    unknown = domain.not_in(sorted(besides)) if besides else sa.true()
    wanted = sa.select(domain).distinct().where(selection.targeted, domain.is_not(None), unknown)
    connection = await session.connection()
    async with planned_afresh(session):
        return list((await connection.scalars(wanted.where(reason_left_out(selection, now).is_(None)))).all())


async def read_targets(
    session: AsyncSession,
    selection: Selection,
    now: datetime,
    *,
    after_id: int,
    limit: int,
    details: Collection[str] = Target._fields[4:],
) -> list[Target]:
    """The next targeted people by number after `after_id`, each with the reason it is left out, if any.

    Of what comes after the reason only `details` are read. Served by the primary key, together with the
    indexes the selection names.
    """
    email = selection.channel is Channel.EMAIL
    columns: list[Any] = [col(Contact.id), col(Contact.email) if email else col(Contact.phone)]
    columns += [col(Contact.email_domain), reason_left_out(selection, now)]
    columns += [_detail(name) if name in details else sa.null() for name in Target._fields[4:]]
    wanted = (
        sa.select(*columns)
        .where(selection.targeted, col(Contact.id) > after_id)
        .order_by(col(Contact.id))
        .limit(limit)
    )
    connection = await session.connection()
    async with planned_afresh(session):
        return [Target._make(row) for row in (await connection.execute(wanted)).all()]


def _detail(name: str) -> Any:
    if name == "phone_prefix":
        return sa.func.substr(col(Contact.phone), 1, PREFIX_LENGTH)
    return getattr(Contact, name)


async def lacking(
    session: AsyncSession,
    selection: Selection,
    now: datetime,
    *,
    fields: Collection[str] | None,
    after_id: int,
    limit: int,
) -> list[int]:
    """The next people, by number after `after_id`, who would get a message and have one of `fields` blank.

    `fields` are merge fields; None: everybody. Served by the primary key.
    """
    blank = sa.true() if fields is None else sa.or_(sa.false(), *map(_is_blank, sorted(fields)))
    wanted = (
        sa.select(cast("sa.ColumnElement[int]", Contact.id))
        .where(selection.targeted, reason_left_out(selection, now).is_(None), blank)
        .where(col(Contact.id) > after_id)
        .order_by(col(Contact.id))
        .limit(limit)
    )
    connection = await session.connection()
    async with planned_afresh(session):
        return list((await connection.scalars(wanted)).all())


def _is_blank(name: str) -> sa.ColumnElement[bool]:
    if name == "tags":
        return sa.not_(sa.exists().where(col(ContactTag.contact_id) == col(Contact.id)))
    known = cast("sa.Table", Contact.__table__).c  # type: ignore[attr-defined]
    column: sa.ColumnElement[Any] = (
        known[name]
        if name in known and name not in {"attributes", "attributes_key"}
        else col(Contact.attributes)[name.removeprefix(ATTRIBUTE_PREFIX)].as_string()
    )
    if not isinstance(column.type, sa.String):
        return column.is_(None)
    return sa.or_(column.is_(None), sa.func.trim(column) == "")


async def last_engaged(session: AsyncSession, *, after_id: int, up_to_id: int) -> dict[int, datetime]:
    """When each of the contacts in a range of numbers last gave a sign (a click, an answer).

    Served by the index of event.contact_id.
    """
    contact_id = cast("sa.ColumnElement[int]", Event.contact_id)
    wanted = (
        sa.select(contact_id, sa.func.max(col(Event.at)))
        .where(contact_id > after_id, contact_id <= up_to_id, col(Event.kind).in_(_SIGNS))
        .group_by(contact_id)
    )
    connection = await session.connection()
    rows = (await connection.execute(wanted)).all()
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True)
class FrozenRows:
    """A batch on its way: rows by table, what all rows of a table have alike, lanes that now have work."""

    rows: ArrivingRows
    constants: Mapping[str, Constants]
    lanes: list[tuple[int, str]]


def on_its_way(campaign: Campaign, frozen: Frozen, *, embedded: bool) -> FrozenRows:
    """The batch as `freeze` takes it; nothing of this needs the database."""
    numbers, reasons, moments = zip(*frozen.left_out, strict=True) if frozen.left_out else ((), (), ())
    written = {moment: as_text(moment) for moment in {*frozen.due_at, *moments}}
    deliveries: dict[str, Texts] = {
        "seed_id": frozen.seed_ids,
        "identity_id": frozen.identity_ids,
        "provider": frozen.providers,
        "address": frozen.addresses,
        "due_at": [written[moment] for moment in frozen.due_at],
    }
    alike: Constants = {"state": DeliveryState.QUEUED.value, "reason": ""}
    if any(frozen.held):
        deliveries |= {
            "state": [(DeliveryState.HELD if held else DeliveryState.QUEUED).value for held in frozen.held],
            "reason": [HELD_FOR_CANARY if held else "" for held in frozen.held],
        }
        alike = {}
    own = _deadlines(campaign, frozen)
    if own:
        deliveries["not_after"] = own
    else:
        alike = {**alike, "not_after": as_text(campaign.not_after)}
    left_out: dict[str, Texts] = {
        "reason": [reason.value for reason in reasons],
        "next_at": [written[moment] for moment in moments],
    }
    # The place of a row is the person's number.
    tables = {"delivery": (frozen.contact_ids, deliveries), "left_out": (numbers, left_out)}
    constants: dict[str, Constants] = {
        "delivery": {
            "campaign_id": campaign.id,
            "channel": campaign.channel.value,
            **alike,
            "exempt": campaign.purpose is Purpose.TRANSACTIONAL,
            "attempts": 0,
        },
        "left_out": {"campaign_id": campaign.id},
    }
    lanes = sorted(set(zip(frozen.identity_ids, frozen.providers, strict=True)))
    return FrozenRows(arrange(tables, embedded=embedded), constants, lanes)


def _deadlines(campaign: Campaign, frozen: Frozen) -> Texts:
    """The own deadline of each or the campaign's, whichever comes first; empty where all have that one."""
    if not any(frozen.not_after):
        return []
    latest = campaign.not_after
    sooner = {
        own: own if latest is None or (own is not None and own < latest) else latest
        for own in set(frozen.not_after)
    }
    written = {own: as_text(deadline) for own, deadline in sooner.items()}
    return [written[own] for own in frozen.not_after]


async def freeze(session: AsyncSession, campaign: Campaign, frozen: FrozenRows) -> bool:
    """Write one batch, rows already there staying as they are; False when the campaign launches no more.

    The campaign is held still until the transaction ends: a pause or an end comes before or after.
    """
    state = sa.select(col(Campaign.state)).where(col(Campaign.id) == campaign.id).with_for_update(read=True)
    connection = await session.connection()
    if (await connection.scalar(state)) is not CampaignState.LAUNCHING:
        return False
    await receive(session, frozen.rows)
    async with counted_at_once(session, campaign.id):
        for table in frozen.rows.columns:
            statement = taking(
                *(session, frozen.rows, table),
                number=("contact_id", "place"),
                constants=frozen.constants[table],
                ending=" ON CONFLICT DO NOTHING",
            )
            await connection.exec_driver_sql(statement)
    if frozen.lanes:
        rows = [
            {"campaign_id": campaign.id, "identity_id": identity_id, "provider": provider}
            for identity_id, provider in frozen.lanes
        ]
        await connection.execute(insert_for(session, CampaignLane).on_conflict_do_nothing(), rows)
    return True
