"""Lanes and pacers for tests of the pace, and the worker process that shares limits with others."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from deliverability.classify import classify_reply
from models.clock import Clock, SystemClock
from models.identity import Identity
from models.pace import LimitScope, Measure, PaceLimit
from models.states import Channel
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Verdict
from scheduler.outages import Outages, Way
from scheduler.pacer import Pacer, Permit, Result
from scheduler.pacing import Pace
from store import Database, limits
from store.claims import ClaimedDelivery
from store.deliveries import Lane
from tests.clocks import START

PACE = Pace(emails_per_second=10, providers={"gmail": 4, "orange": 2, "yahoo": 8})
BUSY = Pace(emails_per_second=300, providers={"gmail": 120, "orange": 60, "yahoo": 240})
PATIENCE = timedelta(seconds=0.1)
"""A worker reserves for a lane that opens within this time, as the dispatcher does within ten seconds."""
TAKEN = Accepted(Reply(250, "2.0.0", "ok"))
MAIL = Way(Channel.EMAIL)


def an_identity_of(number: int, domain: str = "exemple.fr") -> Identity:
    """An identity that is in no database: the pace knows it by its number."""
    return Identity(
        id=number, key=f"i{number}", name="x", from_email=f"a@{domain}", dkim_domain=domain, created_at=START
    )


def a_pacer(database: Database, clock: Clock, pace: Pace = PACE) -> Pacer:
    """A worker's pacer, claiming two seconds ahead."""
    return Pacer(
        database, clock, pace=pace, span=timedelta(seconds=2), outages=Outages(), zone="Europe/Paris"
    )


async def permit_of(pacer: Pacer, provider: str, *, identity: int = 1, way: Way = MAIL) -> Permit:
    """The permit of an identity's lane to a provider."""
    return await pacer.permit(Lane(identity, provider), an_identity_of(identity), way.channel, way)


async def set_limit(
    database: Database, scope: LimitScope, subject: str, measure: Measure, amount: float
) -> None:
    """Set a limit, as a person would."""
    limit = PaceLimit(scope=scope, subject=subject, measure=measure, amount=amount, changed_at=START)
    async with database.write() as session:
        await limits.set_limit(session, limit)


def answered(
    provider: str, outcome: Outcome, *, identity: int = 1, campaign: int = 1, channel: Channel = Channel.EMAIL
) -> Result:
    """One attempt and how it is read."""
    row = ClaimedDelivery(
        id=1, campaign_id=campaign, contact_id=1, seed_id=None, channel=channel, identity_id=identity,
        provider=provider, address="a@b.fr", due_at=START, not_after=None, exempt=False, attempts=0,
        first_attempt_at=None,
    )  # fmt: skip
    verdict: Verdict | None = None
    if isinstance(outcome, Deferred | Refused):
        verdict = classify_reply(
            outcome.reply, provider=provider, channel=channel, permanent=isinstance(outcome, Refused)
        )
    return row, outcome, verdict


def put_off(text: str) -> Deferred:
    """A temporary refusal, as the server said it, code first."""
    return Deferred(Reply(int(text[:3]), None, text[4:]))


async def learn(
    database: Database,
    pacer: Pacer,
    provider: str,
    outcomes: Sequence[Outcome],
    now: datetime,
    *,
    identity: int = 1,
) -> None:
    """Let the pacer learn, as the recorder does."""
    results = [answered(provider, outcome, identity=identity) for outcome in outcomes]
    async with database.write() as session:
        await pacer.learn(session, Lane(identity, provider), an_identity_of(identity), results, now)


async def work(url: str, lanes: Sequence[Lane], rounds: int) -> list[tuple[str, int, float]]:
    """A worker's life: reserve for its lanes in turn; provider, identity and moment of each message."""
    database, clock = Database(url), SystemClock()
    pacer = a_pacer(database, clock, BUSY)
    left: list[tuple[str, int, float]] = []
    for turn in range(rounds):
        lane = lanes[turn % len(lanes)]
        while True:
            permit = await permit_of(pacer, lane.provider, identity=lane.identity_id)
            if permit.opens_at is None or permit.opens_at < clock.now() + PATIENCE or permit.batch < 2:
                break
            await clock.sleep(timedelta(milliseconds=5))
        moments = await pacer.reserve(permit, 1 + (turn * 7) % 5)
        left += [(lane.provider, lane.identity_id, moment.timestamp()) for moment in moments]
    await pacer.close()
    await database.close()
    return left


if __name__ == "__main__":
    where, lanes_json, many = sys.argv[1:]
    mine = [Lane(identity, provider) for identity, provider in json.loads(lanes_json)]
    print(json.dumps(asyncio.run(work(where, mine, int(many)))))  # noqa: T201 - read by the test
