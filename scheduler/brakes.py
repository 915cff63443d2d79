"""Brakes as rows: answers of a batch change what every worker sees, in the transaction that records them."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.breaker_rules import breakers_in_force, refresh_breakers
from deliverability.classify import refresh_rules as read_rules_again
from deliverability.classify import rules_in_force
from deliverability.rulebook import Deed, RulesError
from models.pace import BreakerState, Throttle
from models.providers import provider_name
from models.states import Channel
from models.values import Outcome, Verdict
from scheduler import reactions, throttle
from scheduler.brake_incidents import tell_of_hold, tell_of_rests
from scheduler.pacing import Scopes
from scheduler.reactions import Answer, Demand, Setting
from scheduler.throttle import Brake
from store import limits, replies, throttles
from store.claims import ClaimedDelivery

log = logging.getLogger(__name__)

_FIELDS = tuple(field.name for field in fields(Brake))


async def learn(
    session: AsyncSession,
    scopes: Scopes,
    setting: Setting,
    results: Sequence[tuple[ClaimedDelivery, Outcome, Verdict | None]],
    now: datetime,
    *,
    known: Collection[str],
) -> dict[str, Brake]:
    """Carry out what the answers call for; the brakes that changed, by key.

    `known`: scopes that were slowed when last seen, the only ones that can recover. Counters first, then
    brakes, then campaigns, each in the order of keys: recorders never cross.
    """
    book = rules_in_force()
    answers = [Answer(row.campaign_id, outcome, verdict) for row, outcome, verdict in results]
    clean = reactions.count_clean(answers, book)
    called = await _due(session, reactions.demands(answers, book, scopes), now)
    wanted = {demand.key for demand in called if demand.reaction.deed is not Deed.HOLD_CAMPAIGN}
    wanted |= set(known if clean else ())
    before: dict[str, Brake] = {}
    changed: dict[str, Brake] = {}
    if wanted:
        held = await throttles.hold(session, wanted, now)
        before = {key: brake_of(row) for key, row in held.items()}
        changed = reactions.answered(before, called, clean, now, setting=setting)
        for key, row in held.items():
            write_brake(row, changed[key])
        await throttles.put(session, [row for key, row in held.items() if not changed[key].is_free])
        await throttles.remove(session, [key for key, brake in changed.items() if brake.is_free])
    for demand in called:
        if demand.reaction.deed is Deed.HOLD_CAMPAIGN:
            await _hold_campaign(session, demand, scopes, now)
    await tell_of_rests(session, called, before, changed, scopes=scopes, now=now)
    _tell(called, before, changed)
    return changed


def brake_of(row: Throttle) -> Brake:
    """The value of a row."""
    return Brake(**{name: getattr(row, name) for name in _FIELDS})


def rates(seen: Mapping[str, Brake], bases: Mapping[str, float]) -> dict[str, float]:
    """Messages a second that the brakes leave, by key."""
    return {
        key: max(bases[key] * brake.factor, min(throttle.SLOWEST, bases[key]))
        for key, brake in seen.items()
        if brake.factor < 1.0 and key in bases
    }


def connections(seen: Mapping[str, Brake], now: datetime) -> int | None:
    """How many connections the tightest brake leaves; None where none speaks of it."""
    counts = [throttle.at(brake, now).connections for brake in seen.values()]
    return min((count for count in counts if count is not None), default=None)


def obstacle(seen: Mapping[str, Brake], now: datetime, zone: ZoneInfo) -> tuple[datetime | None, str]:
    """Until when nothing may leave (None: it may), and what slows or shuts, in words for people."""
    shut: datetime | None = None
    reason = ""
    for key, brake in seen.items():
        rests = throttle.at(brake, now).state is BreakerState.OPEN and brake.opens_at is not None
        if rests and brake.opens_at is not None and (shut is None or brake.opens_at > shut):
            shut, reason = brake.opens_at, describe(key, brake, now, zone)
        elif shut is None:
            reason = reason or describe(key, brake, now, zone)
    return shut, reason


def describe(key: str, brake: Brake, now: datetime, zone: ZoneInfo) -> str:
    """A brake in words for people."""
    said = f" It answered: {brake.reason}" if brake.reason else ""
    whom = f"{name_of(key)}: "
    brake = throttle.at(brake, now)
    if brake.state is BreakerState.OPEN and brake.opens_at is not None:
        return f"{whom}nothing leaves until {brake.opens_at.astimezone(zone):%d/%m %H:%M}.{said}"
    if brake.state is BreakerState.HALF_OPEN:
        return f"{whom}one message finds out whether mail is taken again.{said}"
    parts = []
    if brake.factor < 1.0:
        parts.append(f"slowed to {max(1, round(brake.factor * 100))} % of its pace")
    if brake.connections is not None:
        parts.append(
            "over one connection" if brake.connections == 1 else f"over {brake.connections} connections"
        )
    return f"{whom}{', '.join(parts)}.{said}" if parts else ""


def name_of(key: str) -> str:
    """Whom a key speaks of, in words."""
    scope, _, rest = key.partition(":")
    match scope:
        case "provider":
            return provider_name(rest)
        case "lane":
            identity, _, provider = rest.partition(":")
            return f"Identity {identity} at {provider_name(provider)}"
        case "domain":
            domain, _, provider = rest.partition(":")
            return f"{domain} at {provider_name(provider)}"
        case "identity":
            number, _, channel = rest.partition(":")
            return f"Identity {number}" + (" (SMS)" if channel == Channel.SMS.value else "")
        case _:
            return f"The relay for {rest.partition(':')[0]}"


def refresh_rules() -> None:
    """Read the installation's own rules again if they were edited; a wrong one is told in the log."""
    for read_again in (read_rules_again, refresh_breakers):
        try:
            if read_again():
                versions = f"{rules_in_force().version} {breakers_in_force().version}"
                log.info("rules read", extra={"version": versions})
        except RulesError as error:
            log.warning("rules not read", extra={"problem": str(error)})


async def _due(session: AsyncSession, called: Iterable[Demand], now: datetime) -> list[Demand]:
    """Those that the number of such answers calls for by now."""
    called = list(called)
    counted = [demand for demand in called if demand.reaction.after > demand.count]
    if not counted:
        return called
    more: dict[str, int] = {}
    for demand in counted:
        more[demand.counter] = more.get(demand.counter, 0) + demand.count
    spans = {demand.counter: demand.reaction.within for demand in counted}
    counts = await limits.count_up(session, spans, more, now)
    return [
        demand
        for demand in called
        if demand.reaction.after <= max(demand.count, counts.get(demand.counter, 0))
    ]


async def _hold_campaign(session: AsyncSession, demand: Demand, scopes: Scopes, now: datetime) -> None:
    """Pause a campaign of which a provider takes too much ill; a person looks at it and resumes."""
    provider = scopes.provider.removeprefix("provider:")
    reaction = demand.reaction
    if reaction.share:
        taken, refused = await replies.share_of(session, demand.campaign_id, provider, demand.bounce_class)
        if refused + demand.count < reaction.share * (taken + refused + demand.count):
            return
    problem = (
        f"{provider_name(provider)} takes its messages ill, so it waits for you: change what it says, or "
        f"resume it as it is. The answer was: {demand.cause.reason}"
    )
    if await throttles.hold_campaign(session, demand.campaign_id, problem, now):
        await tell_of_hold(session, demand, scopes, now)
    log.warning("campaign held", extra={"campaign_id": demand.campaign_id, "rule": demand.cause.rule})
    # Once it is resumed, it counts anew.
    await limits.forget(session, demand.counter)


def write_brake(row: Throttle, brake: Brake) -> None:
    """Put a value into its row."""
    for name in _FIELDS:
        setattr(row, name, getattr(brake, name))


def _tell(called: Sequence[Demand], before: Mapping[str, Brake], changed: Mapping[str, Brake]) -> None:
    """One line for each brake that was put on, not for each answer that found it on."""
    for key, brake in changed.items():
        if brake.changed_at == before[key].changed_at and before[key].rule:
            continue
        for demand in called:
            if demand.key == key:
                log.warning(
                    "slowed",
                    extra={
                        "key": key,
                        "deed": demand.reaction.deed.value,
                        "rule": brake.rule,
                        "factor": round(brake.factor, 4),
                    },
                )
                break
