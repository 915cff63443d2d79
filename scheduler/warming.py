"""Keeping the warm-up plans: begun when an identity starts to, stepped once a day by what was measured.

Days are those of the installation's zone. Nothing here holds a message back: the pacer reads the caps.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.errors import ConflictError, NotFoundError
from models.identity import Identity
from models.pace import Warmup, WarmupState
from models.states import Channel, IdentityState
from scheduler.destinations import providers_for
from scheduler.lifecycle import WARMED_UP, WARMING_UP, may_send, tell_state
from scheduler.warmup import FLOOR, Day, first_cap, next_step
from store import Database, identities, warmups

log = logging.getLogger(__name__)

DAYS_KEPT = 60
"""How many past days a plan remembers."""


def day_of(moment: datetime, zone: str) -> date:
    """The calendar day of a moment in the installation's zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The instant at which a calendar day begins there."""
    return datetime.combine(day, time(), ZoneInfo(zone))


async def begin_warmup(
    database: Database, clock: Clock, identity_id: int, *, zone: str, target: int | None = None
) -> list[Warmup]:
    """Let an identity warm up: a plan for each provider with more than a handful of people.

    `target`: a day's messages to each provider at which it is known; None: everybody there. A plan that is
    there already goes on, one that had ended begins anew. ConflictError for an identity that cannot send.
    """
    people = await people_by_provider(database, clock)
    now = clock.now()
    async with database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        if not may_send(identity, Channel.EMAIL):
            raise ConflictError(tell_state(identity), "Let it send first: until then nobody gets to know it.")
        if identity.state is not IdentityState.WARMING:
            await identities.move(session, identity, IdentityState.WARMING, by="", reason=WARMING_UP, now=now)
        for plan in await warmups.list_plans(session, identity_id=identity_id):
            if plan.state not in warmups.CAPPING:
                await session.delete(plan)
        await session.flush()
        await warmups.add_plans(session, plans_for([identity], people, now, zone, target))
        return await warmups.list_plans(session, identity_id=identity_id)


async def complete_plans(database: Database, clock: Clock, *, zone: str) -> None:
    """Give identities that warm up a plan also for the providers that were not in the list before.

    Asked before a launch: a lane without a plan is held back by nothing.
    """
    async with database.read() as session:
        warming = await warmups.warming_identities(session)
    if not warming:
        return
    people = await people_by_provider(database, clock)
    async with database.write() as session:
        await warmups.add_plans(session, plans_for(warming, people, clock.now(), zone, None))


async def people_by_provider(database: Database, clock: Clock) -> Counter[str]:
    """How many people have their mailbox at which provider, as far as it is known."""
    async with database.read() as session:
        by_domain = await warmups.people_by_domain(session)
    providers = await providers_for(database, by_domain, clock)
    people: Counter[str] = Counter()
    for domain, count in by_domain.items():
        people[providers[domain]] += count
    return people


def plans_for(
    warming: Sequence[Identity], people: Counter[str], now: datetime, zone: str, target: int | None
) -> list[Warmup]:
    """A plan for each of the identities at each provider with more than a handful of people."""
    return [
        Warmup(
            identity_id=identity.id,
            provider=provider,
            state=WarmupState.RISING,
            day=day_of(now, zone),
            cap=min(first_cap(count), target or count),
            target=target or count,
            started_at=now,
            changed_at=now,
        )
        for identity in warming
        for provider, count in sorted(people.items())
        if count > FLOOR
    ]


async def step_plans(database: Database, clock: Clock, *, zone: str) -> int:
    """Step every plan whose day is over, by what was measured on it; how many. Safe to repeat.

    An identity whose plans have all come to an end is active from then on.
    """
    now = clock.now()
    today = day_of(now, zone)
    async with database.read() as session:
        overdue = await warmups.overdue_plans(session, today)
        days = [
            await warmups.measure(
                session,
                plan.identity_id,
                plan.provider,
                start=start_of(plan.day, zone),
                end=start_of(today, zone),
            )
            for plan in overdue
        ]
    stepped = 0
    for plan, measured in zip(overdue, days, strict=True):
        stood_on = plan.day
        _step(plan, Day(**asdict(measured), before=_sent_before(plan)), today, now)
        async with database.write() as session:
            if await warmups.save_step(session, plan, stood_on=stood_on):
                stepped += 1
                log.info("warm-up stepped", extra={"identity": plan.identity_id, "provider": plan.provider})
    await _end_warmups(database, now)
    return stepped


def _sent_before(plan: Warmup) -> int:
    """How many messages the last day had that had any."""
    return next((told["sent"] for told in reversed(plan.history) if told["sent"]), 0)


def _step(plan: Warmup, day: Day, today: date, now: datetime) -> None:
    step = next_step(plan.cap, plan.target, day, days=(today - plan.day).days)
    measured = asdict(day)
    del measured["before"]  # it is another day's, and told there
    told = {
        "day": plan.day.isoformat(),
        "cap": plan.cap,
        **measured,
        "light": step.light.value,
        "reason": step.reason,
        "next": step.cap,
    }
    plan.history = [*plan.history, told][-DAYS_KEPT:]
    plan.cap, plan.state, plan.day, plan.changed_at = step.cap, step.state, today, now


async def _end_warmups(database: Database, now: datetime) -> None:
    async with database.write() as session:
        for identity in await warmups.warming_identities(session):
            plans = await warmups.list_plans(session, identity_id=identity.id)
            if plans and not any(plan.state in warmups.CAPPING for plan in plans):
                await _let_be_active(session, identity, now)


async def _let_be_active(session: AsyncSession, identity: Identity, now: datetime) -> None:
    await identities.move(session, identity, IdentityState.ACTIVE, by="", reason=WARMED_UP, now=now)


async def stop_warmup(
    database: Database, clock: Clock, identity_id: int, *, provider: str | None = None
) -> int:
    """Hold an identity back no more, at one provider or at all; how many plans that ended."""
    async with database.write() as session:
        plans = await warmups.list_plans(session, identity_id=identity_id)
        ended = [
            plan
            for plan in plans
            if plan.state in warmups.CAPPING and (provider is None or plan.provider == provider)
        ]
        for plan in ended:
            plan.state, plan.changed_at = WarmupState.STOPPED, clock.now()
            session.add(plan)
        identity = await identities.get_identity(session, identity_id)
        if provider is None and identity.state is IdentityState.WARMING:
            await _let_be_active(session, identity, clock.now())
    await _end_warmups(database, clock.now())
    return len(ended)


async def set_plan(
    database: Database,
    clock: Clock,
    identity_id: int,
    provider: str,
    *,
    cap: int | None = None,
    target: int | None = None,
) -> Warmup:
    """Change today's cap or the target of a plan by hand; NotFoundError without one under way."""
    async with database.write() as session:
        for plan in await warmups.list_plans(session, identity_id=identity_id):
            if plan.provider == provider and plan.state in warmups.CAPPING:
                plan.cap = plan.cap if cap is None else cap
                plan.target = plan.target if target is None else target
                plan.changed_at = clock.now()
                session.add(plan)
                return plan
    raise NotFoundError(
        f"No plan to get known at {provider!r} is under way.", "`tocsin warmup list` shows those there are."
    )
