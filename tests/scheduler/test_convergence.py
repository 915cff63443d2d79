"""The engine finds out how fast each provider lets it be, and stays there.

The pure parts of the pace (limits, slots, reactions, brakes) are driven hour by hour against the sandbox's
providers, which keep their own books (`sandbox.doorkeeper`) and shut out who is too fast. Rates are a tenth
of the sandbox's, so that a day is played in seconds; what they are is nowhere told to the engine, which is
set to more than twice as much.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deliverability.classify import classify_reply
from deliverability.rulebook import shipped
from models.pace import BreakerState
from models.states import Channel
from models.values import Accepted, Deferred, Reply
from sandbox import manners
from sandbox.doorkeeper import Doorkeeper
from sandbox.manners import Manners
from scheduler import brakes, reactions, throttle
from scheduler.pacing import (
    Limit,
    Pace,
    Scopes,
    allowance,
    batch_size,
    departures,
    scopes_of,
    slowed,
    to_microseconds,
)
from scheduler.reactions import Answer, Demand, Setting
from scheduler.throttle import Brake
from tests.clocks import START, ManualClock

SCALE = 10
SPAN = timedelta(seconds=2)
SECONDS_A_MESSAGE = 0.02
TAKEN = Accepted(Reply(250, "2.0.0", "ok"))


@dataclass
class Account:
    """What was sent from `since` on: attempts, and those put off."""

    since: datetime
    attempts: int = 0
    deferred: int = 0


@dataclass
class Provider:
    """A mailbox provider of the sandbox as one sender meets it, in simulated time."""

    manners: Manners
    door: Doorkeeper = field(init=False)

    def __post_init__(self) -> None:
        self.door = Doorkeeper(self.manners, strict=True)

    def answer(self, moment: datetime, connection: int) -> Accepted | Deferred:
        """To a message that leaves at a moment over one of our connections, numbered from 1."""
        wording = self.manners.wording
        if not self.door.admits_connection(connection):
            return _deferred(wording.too_many_connections)
        if self.door.is_too_fast("news.exemple.fr", (moment - START).total_seconds()):
            return _deferred(wording.too_fast)
        return TAKEN


def _deferred(text: str) -> Deferred:
    said = text.format(peer="192.0.2.1", host="mx", recipient="a@b.fr", queue_id="Q")
    return Deferred(Reply(int(said[:3]), None, said[4:]))


@dataclass
class Sender:
    """One lane, as the pacer and the dispatcher drive it: permit, slots, answers learnt a chunk later."""

    provider: Provider
    connections: int
    per_second: float
    clock: ManualClock = field(default_factory=ManualClock)
    held: dict[str, Brake] = field(default_factory=dict)
    counts: dict[str, list[datetime]] = field(default_factory=dict)
    arrivals: dict[str, int] = field(default_factory=dict)
    draws: random.Random = field(default_factory=lambda: random.Random(7))

    def send_for(self, span: timedelta, account: Account) -> None:
        """Send as much as the pace lets through until `span` is over."""
        key = self.provider.manners.key
        scopes = scopes_of(Channel.EMAIL, 1, key, "exemple.fr", f"relay:email:{key}")
        pace = Pace(emails_per_second=1000, providers={key: self.per_second})
        allowed = allowance(scopes, Channel.EMAIL, None, pace)
        setting = Setting(
            {scope: min(allowed.base, self.per_second) for scope in scopes.all},
            self.connections,
            1.0,
            self.draws.random,
        )
        ends_at, waiting = self.clock.now() + span, list[Answer]()
        while (now := self.clock.now()) < ends_at:
            self.held = {scope: throttle.at(brake, now) for scope, brake in self.held.items()}
            shut, _ = brakes.obstacle(self.held, now, ZoneInfo("UTC"))
            if shut is not None:
                self._learn(scopes, setting, waiting)
                waiting = []
                self.clock.advance(shut - now)
                continue
            limits = slowed(allowed.limits, brakes.rates(self.held, setting.bases))
            probing = any(brake.state is BreakerState.HALF_OPEN for brake in self.held.values())
            connections = 1 if probing else brakes.connections(self.held, now) or self.connections
            count = 1 if probing else batch_size(limits, SPAN)
            leave_at = self._slots(limits, count, connections)
            answers = [
                Answer(1, self.provider.answer(moment, place % connections + 1), None)
                for place, moment in enumerate(leave_at)
            ]
            answers = [self._read(answer, key) for answer in answers]
            if now >= account.since:
                account.attempts += len(answers)
                account.deferred += sum(answer.verdict is not None for answer in answers)
            self.clock.advance(max(leave_at[-1] - now, timedelta(milliseconds=1)))
            self._learn(scopes, setting, waiting)
            waiting = answers
            if probing:
                self._learn(scopes, setting, waiting)
                waiting = []

    def _slots(self, limits: Sequence[Limit], count: int, connections: int) -> list[datetime]:
        now_us = to_microseconds(self.clock.now())
        first = []
        for limit in limits:
            start = max(self.arrivals.get(limit.key, 0), now_us)
            self.arrivals[limit.key] = start + limit.interval_us * count
            first.append(start)
        moments = departures(first, limits, count)
        step = timedelta(seconds=SECONDS_A_MESSAGE / connections)
        return [max(moment, self.clock.now() + place * step) for place, moment in enumerate(moments)]

    def _read(self, answer: Answer, provider: str) -> Answer:
        if isinstance(answer.outcome, Accepted):
            return answer
        verdict = classify_reply(
            answer.outcome.reply, provider=provider, channel=Channel.EMAIL, permanent=False
        )
        return replace(answer, verdict=verdict)

    def _learn(self, scopes: Scopes, setting: Setting, answers: list[Answer]) -> None:
        now, book = self.clock.now(), shipped()
        called = [demand for demand in reactions.demands(answers, book, scopes) if self._is_due(demand, now)]
        touched = {demand.key for demand in called} | set(self.held)
        before = {key: self.held.get(key, Brake(changed_at=now)) for key in touched}
        after = reactions.answered(before, called, reactions.count_clean(answers, book), now, setting=setting)
        self.held = {key: brake for key, brake in after.items() if not brake.is_free}

    def _is_due(self, demand: Demand, now: datetime) -> bool:
        times = self.counts.setdefault(demand.counter, [])
        times += [now] * demand.count
        self.counts[demand.counter] = [moment for moment in times if moment > now - demand.reaction.within]
        return len(self.counts[demand.counter]) >= demand.reaction.after


MINUTES = timedelta(minutes=1)
# How long the first lesson takes, by the provider's own rule: until the pace is found, or the block is over.
LESSONS = [
    (manners.ORANGE, 5 * MINUTES),
    (manners.LAPOSTE, 5 * MINUTES),
    (manners.YAHOO, 5 * MINUTES),
    (manners.FREE, 5 * MINUTES),
    (manners.ICLOUD, 5 * MINUTES),
    (manners.GMAIL, 5 * MINUTES),
    (manners.OUTLOOK, 240 * MINUTES),
    (manners.SFR, 320 * MINUTES),
]


@pytest.mark.parametrize(("provider", "lesson"), LESSONS, ids=lambda value: getattr(value, "key", ""))
def test_the_engine_keeps_close_to_what_a_provider_lets_through(provider: Manners, lesson: timedelta) -> None:
    allowed = (provider.rate_per_second or 0) / SCALE
    sender = Sender(Provider(replace(provider, rate_per_second=allowed)), 5, per_second=2.4 * allowed)
    account = Account(since=START + lesson)
    sender.send_for(lesson, account)
    hours = timedelta(hours=6)
    begun = max(sender.clock.now(), account.since)
    sender.send_for(hours, account)
    kept = (account.attempts - account.deferred) / (allowed * (sender.clock.now() - begun).total_seconds())
    put_off = account.deferred / account.attempts
    assert kept >= 0.8, account
    assert put_off < 0.02, account
