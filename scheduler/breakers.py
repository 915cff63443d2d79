"""Breakers: shares that have become too large slow, rest, halt or pause, and open an incident.

`deliverability.reputation` judges; here it is decided what follows from that and from the incident that may
be open already, and done in one transaction with the incident, so that two workers who see the same do it
once. A deed is done when an incident opens, when it gets worse, and again when what came since the last
deed is as bad; an incident ends by itself when what came since is under the amber line.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.breaker_rules import COUNTED, Breaker, BreakerTable, Measured, breakers_in_force
from deliverability.reputation import (
    NOTHING,
    ByCampaign,
    Judgement,
    Place,
    Volume,
    examples,
    has_recovered,
    judge,
    measured,
    since,
    with_several_senders,
)
from models.errors import TocsinError
from models.incident import Incident, IncidentKind, IncidentLevel
from models.rate import RateMark
from scheduler.breaker_deeds import Plan, carry_out, end_what_is_over, plan_for
from scheduler.incidents import add_step, end, open_incident
from scheduler.undoing import what_stands
from store import Database, incidents, rates, seeds
from store.rates import InView, Tallies
from store.seeds import SeedOutcome

log = logging.getLogger(__name__)

KINDS: Mapping[Measured, IncidentKind] = {
    Measured.HARD: IncidentKind.HARD_BOUNCES,
    Measured.COMPLAINTS: IncidentKind.COMPLAINTS,
    Measured.DEFERRALS: IncidentKind.DEFERRALS,
    Measured.BLOCKS: IncidentKind.BLOCKED,
    Measured.SEEDS: IncidentKind.SPAM_PLACEMENT,
}
MARKS_A_WINDOW = 10
REMEMBERED = timedelta(days=90)
"""How long what an incident wrote off stays so, beyond what any breaker looks back: campaigns last."""


class Turn(StrEnum):
    """What follows from one weighing."""

    OPEN = "open"
    WORSE = "worse"
    AGAIN = "again"
    RECOVER = "recover"
    # What was counted until now is written off: a person let it go on.
    REBASE = "rebase"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows, how bad it is, and the figures that say so."""

    turn: Turn
    judgement: Judgement | None
    volume: Volume


@dataclass(frozen=True, slots=True)
class Weighed:
    """One breaker at one place: what is counted, by campaign, and the incident it may have had."""

    breaker: Breaker
    place: Place
    counts: ByCampaign
    known: Incident | None
    window: Volume | None
    tells_only: bool = False
    # What was done lasts until a person takes it back, and so does the incident that says so.
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything read for one weighing."""

    table: BreakerTable
    view: Sequence[InView]
    known: Mapping[str, Incident]
    tallies: Tallies
    seeds: Sequence[SeedOutcome]
    shut_out: Mapping[tuple[int, int, str], Mapping[str, int]]
    marks: Mapping[tuple[int, str], Sequence[RateMark]]
    standing: Collection[int]


def decide(weighed: Weighed, now: datetime) -> Decision | None:
    """What follows from the figures and from what was done before; None: nothing. Pure."""
    breaker, known = weighed.breaker, weighed.known
    if known is not None and known.ended_at is not None and known.evidence.get("rebase"):
        return Decision(Turn.REBASE, None, NOTHING)
    volume = _counted(weighed)
    verdict = judge(volume, breaker)
    if verdict is not None and weighed.tells_only:
        verdict = Judgement(IncidentLevel.AMBER, acts=False)
    if known is None or known.ended_at is not None:
        return Decision(Turn.OPEN, verdict, volume) if verdict is not None else None
    if "mark" not in known.evidence:
        return Decision(Turn.REBASE, None, volume)  # opened by an answer: what comes from now on is weighed
    fresh = since(weighed.counts, read_counts(known.evidence["mark"]))
    if verdict is not None and verdict.acts and _is_worse(verdict, known):
        return Decision(Turn.WORSE, verdict, volume)
    anew = judge(fresh, breaker)
    repeats = anew is not None and anew.acts and anew.level is IncidentLevel.RED
    if repeats and not weighed.tells_only and known.level is IncidentLevel.RED:
        return Decision(Turn.AGAIN, anew, fresh)
    if not weighed.stands and (has_recovered(fresh, breaker) or _is_stale(known, breaker, fresh, now)):
        return Decision(Turn.RECOVER, None, fresh)
    changed = (volume.part, volume.whole) != (known.part, known.whole)
    return Decision(Turn.REFRESH, verdict, volume) if changed else None


def _counted(weighed: Weighed) -> Volume:
    """What counts: all since the last incident, or of a campaign's last messages where that is worse.

    Where a relay takes everything and bounces later, the last messages alone would never look bad.
    """
    known = weighed.known
    name = "mark" if known is not None and known.ended_at is not None else "base"
    base = read_counts(known.evidence.get(name, {})) if known is not None else {}
    volume = since(weighed.counts, base)
    window = weighed.window
    is_less = window is not None and window.whole < volume.whole
    return window if window is not None and is_less and window.share > volume.share else volume


def _is_worse(verdict: Judgement, known: Incident) -> bool:
    if known.level is IncidentLevel.RED:
        return False
    return verdict.level is IncidentLevel.RED or not known.evidence.get("acts")


def _is_stale(known: Incident, breaker: Breaker, fresh: Volume, now: datetime) -> bool:
    """Whether nothing of it has come for so long that nothing will."""
    if (known.until is not None and known.until > now) or "brake" in known.evidence:
        return False  # it rests still, or ends with its brake
    quiet = timedelta(hours=1) if breaker.measure in COUNTED and known.until is not None else breaker.within
    return fresh.part == 0 and now - known.seen_at >= quiet


def read_counts(written: Mapping[str, Any]) -> dict[int, Volume]:
    """Counts by campaign, as `write_counts` wrote them."""
    return {int(campaign): Volume(*count) for campaign, count in written.items()}


def write_counts(counts: ByCampaign) -> dict[str, list[int]]:
    """Counts by campaign, for an incident's evidence."""
    return {str(campaign): list(count) for campaign, count in counts.items()}


class Scales:
    """Weighs again and again; remembers how far the counters had come."""

    def __init__(self, database: Database) -> None:
        """`database`: where the counters are."""
        self._database = database
        self._mark = -1

    async def weigh(self, now: datetime) -> int:
        """Weigh everything, if anything came since, or an incident is open; how many incidents changed."""
        table = breakers_in_force()
        async with self._database.read() as session:
            mark = await rates.news_mark(session)
            if mark == self._mark and not await incidents.count_open(session):
                return 0
            sight = await _look(session, table, now)
        changed = 0
        for weighed in _all(sight, now):
            try:
                changed += await self._follow(weighed, sight, now)
            except TocsinError as error:  # one place must not keep the others from being weighed
                log.warning("not weighed", extra={"breaker": weighed.breaker.name, "problem": str(error)})
        await self._note_marks(sight, now)
        changed += await end_what_is_over(self._database, now)
        self._mark = mark
        return changed

    async def _follow(self, weighed: Weighed, sight: Sight, now: datetime) -> int:
        decision = decide(weighed, now)
        if decision is None:
            return 0
        async with self._database.write() as session:
            match decision.turn:
                case Turn.OPEN | Turn.WORSE | Turn.AGAIN:
                    return int(await _act(session, weighed, decision, sight, now))
                case Turn.RECOVER | Turn.REBASE | Turn.REFRESH:
                    return int(await _note(session, weighed, decision, now))

    async def _note_marks(self, sight: Sight, now: datetime) -> None:
        for breaker in (one for one in sight.table.breakers if one.last):
            for place, counts in _measured(breaker, sight, now, at_once=True).items():
                volume = counts.get(place.campaign_id or 0, NOTHING)
                known = sight.marks.get((place.campaign_id or 0, breaker.measure.value), ())
                newest = known[-1].whole if known else -1
                if place.campaign_id is None or volume.whole < newest + max(
                    1, breaker.last // MARKS_A_WINDOW
                ):
                    continue
                behind = _window_mark(known, volume, breaker)
                async with self._database.write() as session:
                    mark = RateMark(
                        campaign_id=place.campaign_id,
                        measure=breaker.measure.value,
                        whole=volume.whole,
                        part=volume.part,
                        at=now,
                    )
                    await rates.add_mark(session, mark, keep_from=behind.whole if behind else 0)


async def _look(session: AsyncSession, table: BreakerTable, now: datetime) -> Sight:
    view = await rates.in_view(session, now - table.longest)
    numbers = [one.id for one in view]
    tallies = await rates.tallies(session, numbers)
    several = with_several_senders(tallies.lanes)
    shut_out_several = several & {
        one.campaign_id for one in tallies.said if one.said.bounce_class in rates.SHUT_OUT
    }
    known = {one.scope: one for one in await incidents.since(session, now - table.longest - REMEMBERED)}
    mine = [one for one in known.values() if one.ended_at is None]
    since_when = now - max(
        (b.within for b in table.breakers if b.measure is Measured.SEEDS), default=timedelta(0)
    )
    return Sight(
        table=table,
        view=view,
        known=known,
        tallies=tallies,
        seeds=await seeds.outcomes(session, since=since_when) if view else (),
        shut_out=await rates.shut_out_by_identity(session, shut_out_several),
        marks=await rates.marks(session, numbers),
        standing={one.id for one in mine if await what_stands(session, one, now)},
    )


def _measured(
    breaker: Breaker, sight: Sight, now: datetime, *, at_once: bool = False
) -> dict[Place, dict[int, Volume]]:
    counting = {one.id for one in sight.view if one.ended_at is None or one.ended_at >= now - breaker.within}
    return measured(
        breaker,
        sight.tallies,
        campaigns=counting,
        shut_out=sight.shut_out,
        seeds=sight.seeds,
        at_once=at_once,
    )


def _all(sight: Sight, now: datetime) -> list[Weighed]:
    """Every breaker at every place of which something is counted."""
    found = []
    for breaker in sight.table.breakers:
        last = _measured(breaker, sight, now, at_once=True) if breaker.last else {}
        for place, counts in _measured(breaker, sight, now).items():
            window = None
            if breaker.last and place.campaign_id is not None:
                volume = last.get(place, {}).get(place.campaign_id, NOTHING)
                known = sight.marks.get((place.campaign_id, breaker.measure.value), ())
                behind = _window_mark(known, volume, breaker)
                window = volume.minus(Volume(behind.part, behind.whole)) if behind else None
            incident = sight.known.get(scope_at(breaker, place))
            stands = incident is not None and incident.id in sight.standing
            only = place.provider in sight.table.tell_only
            found.append(Weighed(breaker, place, counts, incident, window, only, stands))
    return found


def _window_mark(known: Sequence[RateMark], volume: Volume, breaker: Breaker) -> RateMark | None:
    """The newest mark that is at least the breaker's `last` messages back."""
    behind = [mark for mark in known if mark.whole <= volume.whole - breaker.last]
    return behind[-1] if behind else None


def scope_at(breaker: Breaker, place: Place) -> str:
    """The scope of a breaker's incidents at a place."""
    return incidents.scope_of(KINDS[breaker.measure], **place._asdict())


async def _act(
    session: AsyncSession, weighed: Weighed, decision: Decision, sight: Sight, now: datetime
) -> bool:
    """Do what the table says and open the incident, or do it once more; False: somebody else did."""
    breaker, place, verdict = weighed.breaker, weighed.place, decision.judgement
    if verdict is None:
        return False
    step = breaker.when_red if verdict.level is IncidentLevel.RED else breaker.when_amber
    plan = await plan_for(session, step if verdict.acts else None, place, breaker, now)
    if decision.turn is not Turn.OPEN and not await _is_as_known(session, weighed):
        return False
    acts = (
        weighed.known.evidence.get("acts", 0) if decision.turn is not Turn.OPEN and weighed.known else 0
    ) + int(verdict.acts)
    evidence = _evidence(weighed, decision, sight, plan, acts)
    opened = await open_incident(
        session,
        KINDS[breaker.measure],
        verdict.level,
        **place._asdict(),
        part=decision.volume.part,
        whole=decision.volume.whole,
        reason=breaker.measure.value,
        deed=plan.deed,
        until=plan.until,
        evidence=evidence,
        now=now,
    )
    if opened is None and decision.turn is Turn.OPEN:
        await plan.leave(session)
        return False
    if decision.turn is Turn.AGAIN:
        again = await incidents.open_in(session, scope_at(breaker, place))
        if again is not None:
            add_step(again, now, "again", deed=plan.deed.value)
            session.add(again)
    await carry_out(session, plan, now)
    return True


async def _is_as_known(session: AsyncSession, weighed: Weighed) -> bool:
    """Whether nobody has acted on the incident since it was read."""
    there = await incidents.open_in(session, scope_at(weighed.breaker, weighed.place))
    known = weighed.known
    if there is None or known is None:
        return False
    return bool(there.evidence.get("acts", 0) == known.evidence.get("acts", 0) and there.level is known.level)


def _evidence(weighed: Weighed, decision: Decision, sight: Sight, plan: Plan, acts: int) -> dict[str, Any]:
    breaker = weighed.breaker
    known = weighed.known
    base: Mapping[str, Any] = {}
    if known is not None:
        base = known.evidence.get("mark" if known.ended_at is not None else "base", {})
    return {
        "breaker": breaker.name,
        "version": sight.table.version,
        "amber": breaker.amber,
        "red": breaker.red,
        "last": breaker.last if decision.volume == weighed.window else 0,
        "few": decision.volume.whole < breaker.volume,
        "base": dict(base),
        "mark": write_counts(weighed.counts),
        "acts": acts,
        "undo": plan.undo,
        "campaigns": sorted(weighed.counts),
        "examples": [
            {
                "provider": one.provider,
                "class": one.bounce_class.value if one.bounce_class else "",
                "code": one.code,
                "enhanced": one.enhanced,
                "text": one.text[:500],
                "count": one.count,
            }
            for one in examples(breaker, sight.tallies.said, weighed.place, weighed.counts.keys())
        ],
    }


async def _note(session: AsyncSession, weighed: Weighed, decision: Decision, now: datetime) -> bool:
    """Write what changed without a deed; whether the incident ended."""
    if weighed.known is None:
        return False
    incident = await incidents.hold_incident(session, weighed.known.id)
    if (incident.ended_at is None) is not (weighed.known.ended_at is None):
        return False  # a person was faster
    counts = write_counts(weighed.counts)
    if decision.turn is Turn.REBASE:
        incident.evidence = {**incident.evidence, "mark": counts, "rebase": False}
        if incident.ended_at is None:
            adopted = {"base": counts, "breaker": weighed.breaker.name, "campaigns": sorted(weighed.counts)}
            incident.evidence = {**incident.evidence, **adopted}
    elif decision.turn is Turn.RECOVER:
        end(incident, now, by="", what="recovered")
        incident.evidence = {**incident.evidence, "mark": counts, "rebase": False}
    else:
        if decision.volume.part > incident.part:
            incident.seen_at = now
        incident.part, incident.whole = decision.volume.part, decision.volume.whole
    session.add(incident)
    return decision.turn is Turn.RECOVER
