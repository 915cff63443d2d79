"""Plans by which identities get known at providers, and what was measured on their days."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignIdentity
from models.contact import Contact
from models.event import Event
from models.identity import Identity
from models.pace import PaceWindow, Warmup, WarmupState
from models.states import BounceClass, EventKind, Fault, IdentityState, Permanence
from store.engine import insert_for

CAPPING: Final = (WarmupState.RISING, WarmupState.HOLDING, WarmupState.FALLING)
"""States in which the plan's cap holds."""
NEWS_AFTER: Final = timedelta(days=7)
"""How long after its end a campaign still brings complaints and bounces."""
ATTEMPTS: Final = (EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.REFUSED, EventKind.UNCERTAIN)
OF_ONE_MAILBOX: Final = (BounceClass.GREYLIST, BounceClass.MAILBOX_FULL)


@dataclass(frozen=True, slots=True)
class Measured:
    """Messages of an identity to a provider in a span, each counted once under each heading.

    `deferred` leaves out greylisting and full mailboxes, `hard` is on the recipient's account, `blocks`
    are answers that shut us out. What our own mail server answered is in none but `sent`.
    """

    sent: int
    deferred: int
    hard: int
    complaints: int
    blocks: int


async def list_plans(session: AsyncSession, *, identity_id: int | None = None) -> list[Warmup]:
    """All plans, or those of one identity, by provider. Served by the primary key."""
    wanted = select(Warmup).order_by(col(Warmup.identity_id), col(Warmup.provider))
    if identity_id is not None:
        wanted = wanted.where(Warmup.identity_id == identity_id)
    return list((await session.exec(wanted)).all())


async def caps(session: AsyncSession, identity_ids: Collection[int]) -> dict[tuple[int, str], int]:
    """The caps that hold now, by identity and provider; where none is told there is none."""
    wanted = select(Warmup.identity_id, Warmup.provider, Warmup.cap).where(
        col(Warmup.identity_id).in_(identity_ids), col(Warmup.state).in_(CAPPING)
    )
    return {(identity, provider): cap for identity, provider, cap in (await session.exec(wanted)).all()}


async def plan_under_way(session: AsyncSession, identity_id: int, provider: str) -> Warmup | None:
    """The plan whose cap holds a lane back, None without one. Served by the primary key."""
    plan = await session.get(Warmup, (identity_id, provider))
    return plan if plan is not None and plan.state in CAPPING else None


async def sent_today(session: AsyncSession, identity_id: int, today: date) -> dict[str, int]:
    """How much of today's caps of an identity is used, by provider, as the pacer counts it: by the message.

    `today`: in the installation's zone. Served by the primary key.
    """
    plans = await list_plans(session, identity_id=identity_id)
    keys = {f"lane:{identity_id}:{plan.provider}:day:{today}": plan.provider for plan in plans}
    wanted = select(PaceWindow.key, PaceWindow.used).where(col(PaceWindow.key).in_(sorted(keys)))
    return {keys[key]: used for key, used in (await session.exec(wanted)).all()}


async def overdue_plans(session: AsyncSession, today: date) -> list[Warmup]:
    """Plans under way that were last looked at on an earlier day."""
    wanted = select(Warmup).where(col(Warmup.state).in_(CAPPING), col(Warmup.day) < today)
    return list((await session.exec(wanted)).all())


async def add_plans(session: AsyncSession, plans: Sequence[Warmup]) -> None:
    """New plans; one that is there already stays as it is."""
    if plans:
        rows = [plan.model_dump() for plan in plans]
        await session.exec(insert_for(session, Warmup).on_conflict_do_nothing(), params=rows)


async def save_step(session: AsyncSession, plan: Warmup, *, stood_on: date) -> bool:
    """Keep a plan's new day; False when another process stepped it first."""
    change = (
        sa.update(Warmup)
        .where(
            col(Warmup.identity_id) == plan.identity_id,
            col(Warmup.provider) == plan.provider,
            col(Warmup.day) == stood_on,
            col(Warmup.state).in_(CAPPING),
        )
        .values(
            state=plan.state,
            day=plan.day,
            cap=plan.cap,
            history=plan.history,
            changed_at=plan.changed_at,
        )
        .execution_options(synchronize_session=False)
    )
    return (await session.exec(change)).rowcount == 1


async def warming_identities(session: AsyncSession) -> list[Identity]:
    """Identities that are getting known."""
    wanted = select(Identity).where(Identity.state == IdentityState.WARMING)
    return list((await session.exec(wanted)).all())


async def people_by_domain(session: AsyncSession) -> dict[str, int]:
    """How many people have an address at each domain. Reads the contacts."""
    wanted = (
        select(Contact.email_domain, func.count())
        .where(col(Contact.email_domain).is_not(None))
        .group_by(col(Contact.email_domain))
    )
    return {domain or "": count for domain, count in (await session.exec(wanted)).all()}


async def measure(
    session: AsyncSession, identity_id: int, provider: str, *, start: datetime, end: datetime
) -> Measured:
    """What became of an identity's messages to a provider from `start` until before `end`.

    Served by ix_event_campaign_kind: the campaigns that can have news of that span, a few kinds of each.
    """
    concerned = (
        sa.select(col(CampaignIdentity.campaign_id))
        .join(Campaign, col(Campaign.id) == col(CampaignIdentity.campaign_id))
        .where(
            col(CampaignIdentity.identity_id) == identity_id,
            col(Campaign.launched_at) < end,
            sa.or_(col(Campaign.finished_at).is_(None), col(Campaign.finished_at) > start - NEWS_AFTER),
        )
    )
    kind = col(Event.kind)
    reason = func.coalesce(col(Event.bounce_class), "")
    not_ours = func.coalesce(col(Event.fault), "") != Fault.RELAY.value
    hard = sa.and_(
        kind.in_((EventKind.REFUSED, EventKind.BOUNCED)),
        col(Event.permanence) == Permanence.HARD,
        col(Event.fault) == Fault.RECIPIENT,
    )
    counted = (
        kind.in_(ATTEMPTS),
        sa.and_(kind == EventKind.DEFERRED, not_ours, reason.not_in([each.value for each in OF_ONE_MAILBOX])),
        hard,
        kind == EventKind.COMPLAINED,
        sa.and_(reason == BounceClass.BLOCK.value, not_ours),
    )
    columns = [func.count(sa.distinct(sa.case((condition, col(Event.delivery_id))))) for condition in counted]
    wanted = sa.select(*columns).where(
        col(Event.campaign_id).in_(concerned),
        kind.in_((*ATTEMPTS, EventKind.BOUNCED, EventKind.COMPLAINED)),
        col(Event.identity_id) == identity_id,
        col(Event.provider) == provider,
        col(Event.at) >= start,
        col(Event.at) < end,
    )
    connection = await session.connection()
    counts: list[int] = list((await connection.execute(wanted)).one())
    return Measured(*counts)
