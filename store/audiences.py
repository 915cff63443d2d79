"""Who a campaign is for.

One expression says why a person is left out, for the preview and for the freeze alike: what was
announced before the launch is what happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.segment_tree import Node, day_years_before
from models.states import Channel, ConsentStatus, LeftOutReason, LegalBasis
from store import suppressions
from store.segment_sql import matching

OLD_ENOUGH: Final = 17
"""Years: nobody younger is chosen for political messages. One year under the age to vote in France, as
Regulation (EU) 2024/900 has it in article 18(2)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A campaign's audience as conditions over contacts: who is targeted, who is kept out, on which basis.

    `by_data`: its political messages are chosen for people by what is known of them, which they must have
    agreed to.
    """

    targeted: sa.ColumnElement[bool]
    excluded: sa.ColumnElement[bool]
    channel: Channel
    basis: LegalBasis
    by_data: bool = False


def select_people(
    *,
    include: Sequence[Node],
    exclude: Sequence[Node],
    channel: Channel,
    basis: LegalBasis,
    now: datetime,
    by_data: bool = False,
) -> Selection:
    """The people in any of `include`; those also in any of `exclude` are targeted but left out.

    Without `include` nobody is targeted: an empty choice must never mean everybody.
    """
    return Selection(
        targeted=sa.or_(sa.false(), *(matching(tree, now=now) for tree in include)),
        excluded=sa.or_(sa.false(), *(matching(tree, now=now) for tree in exclude)),
        channel=channel,
        basis=basis,
        by_data=by_data,
    )


def _reasons(selection: Selection, now: datetime) -> list[tuple[sa.ColumnElement[bool], LeftOutReason]]:
    """What keeps a targeted contact from getting a delivery; the first that holds is the reason."""
    email = selection.channel is Channel.EMAIL
    address = col(Contact.email) if email else col(Contact.phone)
    fingerprint = col(Contact.email_hash) if email else col(Contact.phone_hash)
    consent = col(Contact.email_consent) if email else col(Contact.sms_consent)
    reasons: list[tuple[sa.ColumnElement[bool], LeftOutReason]] = [
        (selection.excluded, LeftOutReason.EXCLUDED),
        (address.is_(None), LeftOutReason.NO_ADDRESS),
        (suppressions.active_condition(selection.channel, fingerprint, now), LeftOutReason.SUPPRESSED),
        (consent == ConsentStatus.WITHDRAWN, LeftOutReason.WITHDRAWN),
    ]
    if selection.basis is LegalBasis.CONSENT:
        reasons.append((consent != ConsentStatus.GRANTED, LeftOutReason.NO_CONSENT))
    if selection.by_data:
        reasons += _not_to_be_chosen(now)
    return reasons


def _not_to_be_chosen(now: datetime) -> list[tuple[sa.ColumnElement[bool], LeftOutReason]]:
    """Whom no political message may be chosen for: known to be too young, or without consent to that."""
    born, agreed = col(Contact.birth_date), col(Contact.targeting_consent)
    # Two-valued, as the sums below ask: of whom no birth date is known is not too young.
    too_young = sa.and_(born.is_not(None), born > day_years_before(now, OLD_ENOUGH))
    return [
        (too_young, LeftOutReason.TOO_YOUNG),
        (agreed != ConsentStatus.GRANTED, LeftOutReason.NO_TARGETING_CONSENT),
    ]


def reason_left_out(selection: Selection, now: datetime) -> sa.ColumnElement[str | None]:
    """Why a targeted contact gets no delivery (the first reason that holds), NULL for those who get one."""
    cases = [(condition, reason.value) for condition, reason in _reasons(selection, now)]
    return sa.case(*cases, else_=sa.null())


async def count_by_reason(
    session: AsyncSession, selection: Selection, now: datetime
) -> dict[LeftOutReason | None, int]:
    """How many of the targeted are left out for which reason; under None, how many get a delivery.

    Reads the targeted once, and sorts nothing: a count for each reason of those no earlier one concerns.
    """
    reasons = _reasons(selection, now)
    sums = [
        func.sum(
            sa.case((sa.and_(condition, *(sa.not_(before) for before, _ in reasons[:place])), 1), else_=0)
        )
        for place, (condition, _) in enumerate(reasons)
    ]
    counted = sa.select(func.count(), *sums).select_from(Contact).where(selection.targeted)
    total, *numbers = (await (await session.connection()).execute(counted)).one()
    found: dict[LeftOutReason | None, int] = {
        reason: int(number or 0) for (_, reason), number in zip(reasons, numbers, strict=True)
    }
    found[None] = total - sum(found.values())
    return {reason: number for reason, number in found.items() if number}


async def count_targeted(session: AsyncSession, selection: Selection) -> int:
    """How many are targeted, whether they get a delivery or not. Served as the selection says."""
    return (await session.exec(select(func.count()).select_from(Contact).where(selection.targeted))).one()


async def audience_batch(
    session: AsyncSession, selection: Selection, now: datetime, *, after_id: int, limit: int
) -> list[tuple[Contact, LeftOutReason | None]]:
    """The next targeted contacts by number after `after_id`, each with the reason it is left out, if any."""
    wanted = (
        select(Contact, reason_left_out(selection, now))
        .where(selection.targeted, col(Contact.id) > after_id)
        .order_by(col(Contact.id))
        .limit(limit)
    )
    rows = (await session.exec(wanted)).all()
    return [(contact, LeftOutReason(word) if word is not None else None) for contact, word in rows]


async def frozen_up_to(session: AsyncSession, campaign_id: int) -> int:
    """The number of the last contact already frozen, 0 when none is: where an interrupted freeze goes on."""
    last_delivery = select(func.max(Delivery.contact_id)).where(Delivery.campaign_id == campaign_id)
    last_left_out = select(func.max(LeftOut.contact_id)).where(LeftOut.campaign_id == campaign_id)
    numbers = [(await session.exec(query)).one() for query in (last_delivery, last_left_out)]
    return max(number or 0 for number in numbers)


async def count_frozen(session: AsyncSession, campaign_id: int) -> tuple[int, int]:
    """Deliveries to people (seeds not included) and people left out."""
    people = select(func.count()).where(Delivery.campaign_id == campaign_id, col(Delivery.seed_id).is_(None))
    left_out = select(func.count()).where(LeftOut.campaign_id == campaign_id)
    return (await session.exec(people)).one(), (await session.exec(left_out)).one()
