"""What follows from the answers of a batch: the rules' reactions carried out on brakes. Pure.

One batch moves a brake once, however many of its messages were answered alike: they left at one pace.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from deliverability.rulebook import Deed, Reaction, RuleBook, Scope, as_it_can_be_done
from models.pace import BreakerState
from models.states import BounceClass, Fault
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain, Verdict
from scheduler import throttle
from scheduler.pacing import Scopes
from scheduler.throttle import Brake, Cause

GONE_TOO_FAST = frozenset({BounceClass.RATE, BounceClass.GREYLIST})


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt was answered; `campaign_id` of what was sent."""

    campaign_id: int
    outcome: Outcome
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Demand:
    """A reaction that was called for `count` times, and by which words first.

    `key` is the scope's; `campaign_id` of the first such message. `counter` is the row that counts them.
    """

    reaction: Reaction
    cause: Cause
    key: str
    campaign_id: int
    count: int
    bounce_class: BounceClass

    @property
    def counter(self) -> str:
        """The row that counts answers of this kind, where one is not enough."""
        about = f"campaign:{self.campaign_id}" if self.reaction.deed is Deed.HOLD_CAMPAIGN else self.key
        return f"answers:{self.cause.rule or self.bounce_class.value}:{self.reaction.deed.value}:{about}"[
            :200
        ]


@dataclass(frozen=True, slots=True)
class Setting:
    """What reactions are carried out upon: `bases` are messages a second without a brake, by key.

    `connections` there are without a brake; `hurry` shortens every time; `draw`: from 0 to 1.
    """

    bases: Mapping[str, float]
    connections: int
    hurry: float
    draw: Callable[[], float]


def count_clean(answers: Sequence[Answer], book: RuleBook) -> int:
    """Answers that say nothing against the pace: taken, or refused on the recipient's own account."""
    return sum(1 for answer in answers if _is_clean(answer, book))


def demands(answers: Sequence[Answer], book: RuleBook, scopes: Scopes) -> list[Demand]:
    """What the answers call for, each once a campaign at most."""
    counts: Counter[tuple[Reaction, str, str, int]] = Counter()
    first: dict[tuple[Reaction, str, str, int], tuple[Verdict, Reply]] = {}
    for answer in answers:
        verdict = answer.verdict
        if verdict is None or verdict.fault is Fault.RELAY:
            continue
        for called_for in book.reactions_to(verdict):
            if called_for.deed in {Deed.WAIT, Deed.REFUSE}:
                continue  # about this message alone: see `read_outcome`
            reaction = as_it_can_be_done(called_for, shares_relay=scopes.shares_relay)
            campaign = answer.campaign_id if reaction.deed is Deed.HOLD_CAMPAIGN else 0
            place = (
                reaction,
                verdict.rule or verdict.bounce_class.value,
                key_of(reaction.scope, scopes),
                campaign,
            )
            counts[place] += 1
            first.setdefault(place, (verdict, answer.outcome.reply))
    return [
        Demand(
            place[0],
            Cause(first[place][0].rule, _told(first[place][1])),
            place[2],
            place[3],
            count,
            first[place][0].bounce_class,
        )
        for place, count in counts.items()
    ]


def apply(
    demand: Demand, brake: Brake, now: datetime, *, base: float, jitter: float, hurry: float = 1.0
) -> Brake:
    """The brake after a reaction. `base`: the scope's messages a second; `hurry` shortens every time."""
    reaction, cause = demand.reaction, demand.cause
    span = None if reaction.span is None else reaction.span / hurry
    if reaction.deed in {Deed.SLOW, Deed.CRAWL} and throttle.at(brake, now).state is BreakerState.HALF_OPEN:
        rest = throttle.growing_rest(brake) / hurry  # not yet: the answer to the one that found out
        return throttle.trip(brake, now, cause, base=base, span=rest, jitter=jitter, too_fast=True)
    match reaction.deed:
        case Deed.SLOW:
            return throttle.slow(brake, now, cause, base=base)
        case Deed.CRAWL:
            return throttle.crawl(
                brake,
                now,
                cause,
                base=base,
                per_minute=reaction.per_minute * hurry,
                span=span or timedelta(0),
            )
        case Deed.ONE_CONNECTION:
            return throttle.one_connection(brake, now, cause, span or throttle.LONGEST_REST / hurry)
        case Deed.SUSPEND if brake.factor >= reaction.below and reaction.below < 1.0:
            return brake
        case Deed.SUSPEND:
            return throttle.trip(
                brake,
                now,
                cause,
                base=base,
                span=span or throttle.growing_rest(brake) / hurry,
                jitter=jitter,
                too_fast=demand.bounce_class in GONE_TOO_FAST,
                step_up=reaction.step_up,
            )
        case Deed.WAIT | Deed.REFUSE | Deed.HOLD_CAMPAIGN:
            return brake
        case _:
            assert_never(reaction.deed)


def answered(
    held: Mapping[str, Brake],
    called: Sequence[Demand],
    clean: int,
    now: datetime,
    *,
    setting: Setting,
) -> dict[str, Brake]:
    """The brakes of a lane after a batch: what is called for is done, the others recover by what is clean."""
    changed: dict[str, Brake] = {}
    for key, brake in held.items():
        base = setting.bases.get(key, 1.0)
        mine = [
            demand
            for demand in called
            if demand.key == key and demand.reaction.deed is not Deed.HOLD_CAMPAIGN
        ]
        for demand in mine:
            brake = apply(demand, brake, now, base=base, jitter=setting.draw(), hurry=setting.hurry)  # noqa: PLW2901
        if not mine:
            brake = throttle.grow(brake, now, clean, base=base, connections=setting.connections)  # noqa: PLW2901
        changed[key] = brake
    return changed


def read_outcome(outcome: Outcome, verdict: Verdict | None, book: RuleBook) -> Outcome:
    """The outcome as the rules would have it: what is deferred may be refused, or wait longer."""
    if not isinstance(outcome, Deferred) or verdict is None or outcome.unreached:
        return outcome
    for reaction in book.reactions_to(verdict):
        if reaction.deed is Deed.REFUSE:
            return Refused(outcome.reply)
        if reaction.deed is Deed.WAIT and reaction.span is not None:
            wait = max(reaction.span, outcome.retry_after or timedelta(0))
            return Deferred(outcome.reply, retry_after=wait)
    return outcome


def key_of(scope: Scope, scopes: Scopes) -> str:
    """The key of a reaction's scope; the lane's where there is none such, as for a text message's domain."""
    keys: Mapping[Scope, str] = {
        Scope.LANE: scopes.lane,
        Scope.PROVIDER: scopes.provider,
        Scope.IDENTITY: scopes.identity,
        Scope.DOMAIN: scopes.domain,
        Scope.RELAY: scopes.relay,
    }
    return keys[scope] or scopes.lane


def _is_clean(answer: Answer, book: RuleBook) -> bool:
    match answer.outcome:
        case Accepted():
            return True
        case Uncertain():
            return False
        case Deferred() | Refused():
            if answer.verdict is None or answer.verdict.fault is Fault.RELAY:
                return False
            return not book.reactions_to(answer.verdict)
        case _:
            assert_never(answer.outcome)


def _told(reply: Reply) -> str:
    words = " ".join(reply.text.split())
    return " ".join(filter(None, (str(reply.code or ""), reply.enhanced, words)))[:300]
