"""How fast, and why: what waits where, what slows it, the limits, warm-up, who works."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from models.errors import BadInputError, NotFoundError
from models.identity import Identity
from models.pace import BreakerState, LimitScope, Measure, PaceLimit, Throttle, Warmup
from models.providers import PROVIDERS, provider_name
from models.states import CampaignState
from models.worker import Worker
from scheduler import brakes, pace_desk, throttle
from scheduler.lanes_ahead import Ahead, look_ahead
from scheduler.warming import stop_warmup
from store import campaigns, identities, limits, throttles, traffic, warmups, workers
from store.traffic import LaneQueue
from web.access import Admin, Editor, Reader, Visit
from web.borrowed import say_borrowed
from web.i18n import N_, Tongue
from web.view import go, page
from web.words import COUNTED, MEASURED

router = APIRouter()
UNDER_WAY = (CampaignState.LAUNCHING, CampaignState.SENDING, CampaignState.PAUSED)
LATELY = timedelta(minutes=2)
REMEMBERED = timedelta(days=2)
NO_AMOUNT = N_("Give a number above nought.")
NO_SUBJECT = N_("Say for whom the limit is.")
WHOLE = frozenset({Measure.CONNECTIONS, Measure.MESSAGES_PER_CONNECTION, Measure.PER_HOUR, Measure.PER_DAY})
BAR_WIDTH, BAR_GAP, CHART_HEIGHT = 9, 3, 72


@dataclass(frozen=True, slots=True)
class LaneLine:
    """One lane as the page shows it; rates are messages a second, `allowed` None: no limit."""

    queue: LaneQueue
    identity: str
    provider: str
    rate: float
    allowed: float | None
    opens_at: datetime | None


@dataclass(frozen=True, slots=True)
class Slowed:
    """One scope that is slowed: whom it concerns, how, until when, because of what."""

    key: str
    name: str
    state: BreakerState
    share: float
    connections: int | None
    until: datetime | None
    reason: str
    since: datetime
    by_breaker: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A warm-up plan: today's figures, and the bars of its days (x, y, height, kind of bar)."""

    row: Warmup
    identity: str
    provider: str
    days: Sequence[dict[str, Any]]
    bars: Sequence[tuple[int, int, int, str]]
    width: int
    under_way: bool


@router.get("/pace")
async def pace_page(visit: Reader) -> Response:
    """What waits, what slows it, and the limits."""
    return await _show(visit)


@router.post("/pace/reset")
async def reset(visit: Editor) -> Response:
    """Forget that a scope is slowed: it is tried again at full pace."""
    key = visit.form.text("key", 200)
    with suppress(NotFoundError):  # free again in the meantime
        async with visit.context.database.write() as session:
            await pace_desk.reset(session, key, visit.context.clock.now())
    await visit.context.wake()
    return go("/pace", "pace-reset")


@router.post("/pace/limits")
async def set_limit(visit: Admin) -> Response:
    """Set a limit over the default."""
    form = visit.form
    scope = form.choice("scope", LimitScope, LimitScope.PROVIDER)
    measure = form.choice("measure", Measure, Measure.PER_HOUR)
    try:
        limit = PaceLimit(
            scope=scope,
            subject=_subject(visit, scope),
            measure=measure,
            amount=_amount(form.text("amount", 20), measure),
            note=form.text("note", 300),
            changed_at=visit.context.clock.now(),
        )
        async with visit.context.database.write() as session:
            await pace_desk.set_limit(session, limit)
    except BadInputError as error:
        return await _show(visit, error)
    await visit.context.wake()
    return go("/pace", "limit-set")


@router.post("/pace/limits/remove")
async def remove_limit(visit: Admin) -> Response:
    """Go back to the default."""
    form = visit.form
    async with visit.context.database.write() as session:
        await limits.unset_limit(
            session,
            scope=form.choice("scope", LimitScope, LimitScope.PROVIDER),
            subject=form.text("subject", 160),
            measure=form.choice("measure", Measure, Measure.PER_HOUR),
        )
    await visit.context.wake()
    return go("/pace", "limit-removed")


@router.post("/pace/warmup/stop")
async def stop(visit: Admin) -> Response:
    """Hold an identity back at a provider no more."""
    number, provider = visit.form.number("identity") or 0, visit.form.text("provider", 60)
    await stop_warmup(visit.context.database, visit.context.clock, number, provider=provider)
    await visit.context.wake()
    return go("/pace", "warmup-stopped")


@router.get("/pace/answers")
async def answers_page(visit: Reader) -> Response:
    """Answers that no rule knows: they are treated with caution until one does."""
    async with visit.context.database.read() as session:
        found = await traffic.unread_answers(session)
    return page(visit, "pace_answers.html", answers=found)


async def _show(visit: Visit, error: BadInputError | None = None) -> Response:
    now, outlook = visit.context.clock.now(), visit.context.outlook
    async with visit.context.database.read() as session:
        under_way = await campaigns.list_in_state(session, *UNDER_WAY)
        senders = {one.id: one for one in await identities.list_identities(session)}
        waiting = await traffic.queues(session, [one.id for one in under_way], now)
        rates = await traffic.rates(session, now, LATELY)
        lanes = {(lane.identity_id, lane.provider) for lane in waiting}
        ahead = await look_ahead(session, lanes, outlook.pace, visit.context.zone, now)
        slowed = await throttles.list_all(session)
        set_limits = await limits.list_limits(session)
        plans = await warmups.list_plans(session)
        seen = await workers.list_workers(session, since=now - REMEMBERED)
        alive = await workers.alive(session, now)
    return page(
        visit,
        "pace.html",
        400 if error else 200,
        lanes=[_lane(lane, senders, rates, ahead, visit.tongue) for lane in waiting],
        slowed=[_slowed(row, senders, now, visit.tongue) for row in slowed],
        limits=[(row, subject_name(row, senders, visit.tongue)) for row in set_limits],
        plans=[_plan(row, senders, visit.tongue) for row in plans],
        workers=[(one, _stands(one, alive)) for one in seen],
        identities=list(senders.values()),
        providers=sorted((one.key, say_borrowed(visit.tongue, one.name)) for one in PROVIDERS),
        scopes=list(LimitScope),
        measures=list(Measure),
        measured=MEASURED,
        held=COUNTED["held"],
        form=visit.form,
        now=now,
        problem=error.problem if error else "",
    )


def _lane(
    queue: LaneQueue,
    senders: dict[int, Identity],
    rates: dict[tuple[int, str], float],
    ahead: Ahead,
    tongue: Tongue,
) -> LaneLine:
    lane = (queue.identity_id, queue.provider)
    known = ahead.lanes.get(lane)
    allowed = (
        min((ahead.rates[key] for key in known.rates if key in ahead.rates), default=None) if known else None
    )
    return LaneLine(
        queue,
        senders[queue.identity_id].name if queue.identity_id in senders else "",
        say_borrowed(tongue, provider_name(queue.provider)),
        rates.get(lane, 0.0),
        allowed,
        known.opens_at if known else None,
    )


def _slowed(row: Throttle, senders: dict[int, Identity], now: datetime, tongue: Tongue) -> Slowed:
    brake = throttle.at(brakes.brake_of(row), now)
    resting = brake.state is BreakerState.OPEN
    return Slowed(
        key=row.key,
        name=scope_name(row.key, senders, tongue),
        state=brake.state,
        share=brake.factor,
        connections=brake.connections,
        until=brake.opens_at if resting else None,
        reason=brake.reason,
        since=row.changed_at,
        by_breaker=row.rule.startswith("breaker:"),
    )


def scope_name(key: str, senders: dict[int, Identity], tongue: Tongue) -> str:
    """Whom the key of a limit or a brake speaks of, in the reader's words."""
    scope, _, rest = key.partition(":")
    first, _, second = rest.partition(":")
    match scope:
        case "provider":
            return say_borrowed(tongue, provider_name(rest))
        case "lane" | "domain":
            who = _identity_name(first, senders) if scope == "lane" else first
            return tongue.say(
                "%(who)s at %(provider)s", who=who, provider=say_borrowed(tongue, provider_name(second))
            )
        case "identity":
            name = _identity_name(first, senders)
            return f"{name} (SMS)" if second == "sms" else name
        case _:
            return tongue.say("Our own way out") if first != "sms" else tongue.say("Our SMS account")


def subject_name(row: PaceLimit, senders: dict[int, Identity], tongue: Tongue) -> str:
    """Whom a limit that somebody set is about."""
    return scope_name(f"{row.scope.value}:{row.subject}", senders, tongue)


def _identity_name(number: str, senders: dict[int, Identity]) -> str:
    found = senders.get(int(number)) if number.isdecimal() else None
    return found.name if found else number


def _subject(visit: Visit, scope: LimitScope) -> str:
    """What the form says the limit is about, in the form of the row."""
    form = visit.form
    identity, provider = form.number("identity"), form.text("provider", 60)
    domain = form.text("domain", 100).lower()
    match scope:
        case LimitScope.PROVIDER if provider:
            return provider
        case LimitScope.IDENTITY if identity:
            return str(identity)
        case LimitScope.LANE if identity and provider:
            return f"{identity}:{provider}"
        case LimitScope.DOMAIN if domain and provider:
            return f"{domain}:{provider}"
        case LimitScope.RELAY:
            return "email"
        case _:
            raise BadInputError(NO_SUBJECT)


def _amount(text: str, measure: Measure) -> float:
    try:
        amount = float(text.replace(",", ".").replace(" ", "").replace("\u202f", ""))
    except ValueError as error:
        raise BadInputError(NO_AMOUNT) from error
    if not amount > 0 or math.isinf(amount) or (measure in WHOLE and amount < 1):
        raise BadInputError(NO_AMOUNT)
    return float(int(amount)) if measure in WHOLE else amount


def _stands(worker: Worker, alive: Iterable[str]) -> str:
    if worker.id in alive:
        return "works"
    return "stopped" if worker.stopped_at is not None else "silent"


def _plan(row: Warmup, senders: dict[int, Identity], tongue: Tongue) -> Plan:
    under_way = row.state in warmups.CAPPING
    days = [*row.history, *([{"day": row.day.isoformat(), "cap": row.cap, "sent": 0}] if under_way else [])]
    highest = max((max(int(day["cap"]), int(day.get("sent", 0))) for day in days), default=1) or 1
    bars: list[tuple[int, int, int, str]] = []
    for place, day in enumerate(days):
        x = place * (BAR_WIDTH + BAR_GAP)
        for kind, count in (
            ("cap", int(day["cap"])),
            (str(day.get("light", "today")), int(day.get("sent", 0))),
        ):
            height = round(count / highest * CHART_HEIGHT)
            bars.append((x, CHART_HEIGHT - height, height, kind))
    return Plan(
        row,
        senders[row.identity_id].name if row.identity_id in senders else "",
        say_borrowed(tongue, provider_name(row.provider)),
        list(reversed(row.history)),
        bars,
        max(1, len(days) * (BAR_WIDTH + BAR_GAP) - BAR_GAP),
        under_way,
    )
