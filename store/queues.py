"""How much waits where: what forecasts are made of, in a few grouped questions."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col, func
from sqlmodel.ext.asyncio.session import AsyncSession

from models.canary import HELD_FOR_CANARY
from models.contact import Contact
from models.delivery import Delivery
from models.states import Channel, DeliveryState
from store.audiences import Selection, reason_left_out
from store.touches import Cap, too_many

WAITING: Final = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.DEFERRED)
ELSEWHERE: Final = "*"
"""Stands for every place that is known and was not asked for."""
NOTHING: Final[Mapping[str, Collection[str]]] = MappingProxyType({})
PREFIX: Final = 7
"""Characters of a telephone number that tell the territory."""


@dataclass(frozen=True, slots=True)
class Place:
    """What tells in which time zone people live: for groups of people, as `audience.territory` reads it.

    The others only where they were asked for, as values that were named, or `ELSEWHERE`.
    """

    departement: str | None = None
    postcode: str | None = None
    phone: str | None = None
    region: str | None = None
    commune_key: str | None = None
    canton_key: str | None = None
    circonscription: str | None = None
    polling_station: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages of a campaign wait in a lane for people of one place; none before `due_at`.

    `not_after`: the deadline they have. `held`: until their campaign's canary lets them go.
    """

    campaign_id: int
    identity_id: int
    provider: str
    place: Place
    count: int
    due_at: datetime
    not_after: datetime | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many people a campaign would write to who have much in common; `domain` "" for text messages."""

    domain: str
    departement: str | None
    region: str | None
    place: Place
    count: int


async def waiting(
    session: AsyncSession, campaign_ids: Collection[int], now: datetime, *, by_place: bool
) -> list[Waiting]:
    """What waits of these campaigns, by lane; due now apart from due later. Without `by_place` no zones.

    Served by ix_delivery_due, or by ix_delivery_campaign_state.
    """
    later = (col(Delivery.due_at) > now).label("later")
    keys = (Delivery.campaign_id, Delivery.identity_id, Delivery.provider, Delivery.not_after)
    place = _place() if by_place else ()
    held = (col(Delivery.state) == DeliveryState.HELD).label("held")
    each = sa.select(*(col(key) for key in keys), later, held, *place, col(Delivery.due_at).label("due_at"))
    if by_place:
        # A seed has no contact and lives where the installation does.
        each = each.outerjoin(Contact, col(Contact.id) == col(Delivery.contact_id))
    chosen = col(Delivery.campaign_id).in_(campaign_ids)
    # What waits for a canary follows as soon as that lets it.
    follows = sa.and_(col(Delivery.state) == DeliveryState.HELD, col(Delivery.reason) == HELD_FOR_CANARY)
    rows = each.where(chosen, sa.or_(col(Delivery.state).in_(WAITING), follows)).subquery()
    groups = [column for column in rows.c if column.name != "due_at"]
    grouped = sa.select(func.count(), func.min(rows.c.due_at), *groups).group_by(*groups)
    rows_of = await (await session.connection()).execute(grouped)
    return [
        Waiting(
            *(campaign, identity, provider, Place(*where), count, due_at if is_later else now, not_after),
            held=bool(is_held),
        )
        for count, due_at, campaign, identity, provider, not_after, is_later, is_held, *where in rows_of
    ]


async def crowds(
    session: AsyncSession,
    selection: Selection,
    now: datetime,
    *,
    by_place: bool,
    caps: Sequence[Cap] = (),
    campaign_id: int = 0,
    apart: Mapping[str, Collection[str]] = NOTHING,
) -> list[Crowd]:
    """Whom a campaign would write to if it began now. Without `by_place` everybody lives in one zone.

    `apart`: columns of contacts, and their values that people are told apart by. Who has reached one of
    `caps` is not among them (`store.touches`).
    """
    place = (*_place(), *_apart(apart)) if by_place else ()
    domain = col(Contact.email_domain) if selection.channel is Channel.EMAIL else sa.literal("")
    chosen = sa.select(domain.label("domain"), col(Contact.departement), col(Contact.region), *place)
    chosen = chosen.select_from(Contact).where(*_receives(selection, now))
    if caps:
        chosen = chosen.where(col(Contact.id).not_in(_capped(selection, now, caps, campaign_id)))
    people = chosen.subquery()
    grouped = sa.select(func.count(), *people.c).group_by(*people.c)
    connection = await session.connection()
    return [
        Crowd(domain or "", departement, region, _place_of(where, tuple(apart)), count)
        for count, domain, departement, region, *where in await connection.execute(grouped)
    ]


async def count_capped(
    session: AsyncSession, selection: Selection, now: datetime, *, caps: Sequence[Cap], campaign_id: int = 0
) -> int:
    """How many who would get the campaign if it began now have reached one of `caps`."""
    capped = _capped(selection, now, caps, campaign_id).subquery()
    connection = await session.connection()
    return (await connection.execute(sa.select(func.count()).select_from(capped))).scalar_one()


def _receives(selection: Selection, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return selection.targeted, reason_left_out(selection, now).is_(None)


def _capped(selection: Selection, now: datetime, caps: Sequence[Cap], campaign_id: int) -> sa.Select[int]:
    people = sa.select(col(Contact.id)).where(*_receives(selection, now))
    return too_many(people, caps, campaign_id=campaign_id, now=now)


def _apart(apart: Mapping[str, Collection[str]]) -> Iterator[sa.ColumnElement[Any]]:
    """Few values of columns of many."""
    for name, values in apart.items():
        column = getattr(Contact, name)
        told = sa.case((column.is_(None), sa.null()), (column.in_(values), column), else_=ELSEWHERE)
        yield told.label(f"its_{name}")


def _place_of(where: Sequence[str | None], apart: Sequence[str]) -> Place:
    first, others = where[:3], where[3:]
    return Place(*first, **dict(zip(apart, others, strict=True)))


def _place() -> tuple[sa.ColumnElement[Any], ...]:
    """Département, postcode and telephone, as coarse as the zone allows: few groups for many people."""
    departement = col(Contact.departement)
    unknown = departement.is_(None)
    # Within a département only those of Polynesia differ; a telephone tells only what nothing else does.
    postcode = sa.case((sa.or_(unknown, departement == "987"), col(Contact.postcode)))
    phone = sa.case((unknown, func.substr(col(Contact.phone), 1, PREFIX)))
    return departement.label("living"), postcode.label("postcode"), phone.label("phone")
