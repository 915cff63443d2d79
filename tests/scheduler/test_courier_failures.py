"""Endpoints that are slow, broken, gone or astray: tried again at the standard's pace, and told to people."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.incident import Incident, IncidentKind, IncidentLevel
from models.webhook import EndpointState, NoticeState, WebhookEndpoint
from scheduler.courier import GIVEN_UP_AFTER, MOST_TRIES, WAITS, Courier
from scheduler.incidents import close_incident
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.listeners import (
    a_courier,
    an_endpoint,
    endpoints,
    happen,
    noted,
    notices,
)
from tests.servers.hook_taker import OK, HookTaker

BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ASTRAY = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n"
HUGE = b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + b"x" * 3_000_000
GARBAGE = b"\x00\xff nothing like http \r\n\r\n"


async def incidents_of(database: Database) -> Sequence[Incident]:
    async with database.read() as session:
        return (await session.exec(select(Incident))).all()


async def test_what_fails_is_tried_at_the_pace_of_the_standard_under_one_number(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier = a_courier(database, clock)
    for place, wait in enumerate(WAITS[:6], start=1):
        await courier.settle()
        assert len(hook_taker.calls) == place
        (notice,) = await notices(database)
        assert (notice.attempts, notice.status, notice.problem) == (place, 500, "oops")
        assert wait <= notice.next_at - clock.now() <= wait * 1.1
        clock.advance(wait - timedelta(seconds=1))
        await courier.settle()
        assert len(hook_taker.calls) == place, "not sooner than it should"
        clock.advance(notice.next_at - clock.now())
    assert len({headers["webhook-id"] for headers, _ in hook_taker.calls}) == 1
    hook_taker.answers = [OK]
    clock.advance(timedelta(minutes=2))
    await courier.settle()
    assert (await notices(database))[0].state is NoticeState.DELIVERED
    assert (await endpoints(database))[0].failing_since is None


@pytest.mark.parametrize("answer", [BROKEN, ASTRAY, HUGE, GARBAGE, b"", None])
async def test_however_it_misbehaves_it_is_tried_again_later(
    database: Database, clock: ManualClock, hook_taker: HookTaker, answer: bytes | None
) -> None:
    hook_taker.answers = [answer, OK]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    patience = timedelta(seconds=0.5 if answer is None else 15)
    await a_courier(database, clock, timeout=patience).settle()
    (notice,) = await notices(database)
    assert (notice.state, notice.attempts) == (NoticeState.PENDING, 1)
    assert len(notice.problem) <= 300
    courier = a_courier(database, clock)
    clock.advance(timedelta(seconds=10))
    await courier.settle()
    assert (await notices(database))[0].state is NoticeState.DELIVERED
    assert len(hook_taker.calls) == 2, "and nothing else was called"


async def test_an_endpoint_that_says_it_is_gone_is_disabled_and_somebody_is_told(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [GONE]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    await a_courier(database, clock).settle()
    (endpoint,) = await endpoints(database)
    assert (endpoint.state, endpoint.reason) == (EndpointState.DISABLED, "webhook_gone")
    (incident,) = await incidents_of(database)
    assert (incident.kind, incident.level) == (IncidentKind.WEBHOOK, IncidentLevel.RED)
    assert incident.provider == f"127.0.0.1 ({endpoint.id})"
    await happen(database)
    assert await noted(database) == []


async def test_what_the_address_before_answers_says_nothing_of_the_new_one(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [GONE, OK]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier = a_courier(database, clock)
    while not hook_taker.calls:
        await courier.round()
        async with database.write() as session:
            await session.exec(sa.update(WebhookEndpoint).values(url=f"{hook_taker.url}/new"))
        await asyncio.sleep(0.01)
    await courier.settle()
    (endpoint,) = await endpoints(database)
    assert (endpoint.state, endpoint.failing_since) == (EndpointState.ENABLED, None)
    assert await incidents_of(database) == []
    clock.advance(timedelta(seconds=10))
    await courier.settle()
    assert (await notices(database))[0].state is NoticeState.DELIVERED


async def test_after_an_hour_somebody_is_told_and_after_five_days_it_is_given_up(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier = a_courier(database, clock)
    began = clock.now()
    while (endpoint := (await endpoints(database))[0]).state is EndpointState.ENABLED:
        if clock.now() - began < timedelta(hours=1):
            assert await incidents_of(database) == []
        await courier.settle()
        clock.advance(max((await notices(database))[0].next_at - clock.now(), timedelta(seconds=61)))
        if clock.now() - began > timedelta(hours=4):
            (incident,) = await incidents_of(database)
            assert incident.reason == "webhook_failing"
        assert clock.now() - began < timedelta(days=6)
    assert endpoint.reason == "webhook_given_up"
    (incident,) = await incidents_of(database)
    assert incident.level is IncidentLevel.RED
    assert len(hook_taker.calls) <= MOST_TRIES


async def test_who_works_again_ends_the_incident(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier = a_courier(database, clock)
    for _ in range(4):
        await courier.settle()
        clock.advance(timedelta(minutes=40))
    await courier.settle()
    (incident,) = await incidents_of(database)
    assert incident.ended_at is None
    hook_taker.answers = [OK]
    clock.advance(timedelta(hours=6))
    await courier.settle()
    (incident,) = await incidents_of(database)
    assert incident.ended_at is not None


async def test_a_rest_that_is_asked_for_is_kept_by_the_whole_endpoint(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    busy = b"HTTP/1.1 429 Slow\r\nRetry-After: 600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    hook_taker.answers = [busy, OK]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier = a_courier(database, clock)
    await courier.settle()
    await happen(database)
    clock.advance(timedelta(seconds=599))
    await courier.settle()
    assert len(hook_taker.calls) == 1
    clock.advance(timedelta(seconds=1))
    await courier.settle()
    assert len(hook_taker.calls) == 3


async def test_one_that_fails_is_called_once_at_a_time_until_it_works_again(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier = a_courier(database, clock)
    await courier.settle()
    await happen(database, times=30)
    for seconds in range(1, 4):
        clock.advance(timedelta(seconds=1))
        await courier.settle()
        assert len(hook_taker.calls) == 1 + seconds
    hook_taker.answers = [OK]
    clock.advance(timedelta(seconds=5))
    await courier.settle()
    assert {one.state for one in await notices(database)} <= {NoticeState.DELIVERED, NoticeState.PENDING}
    assert sum(one.state is NoticeState.DELIVERED for one in await notices(database)) >= 28


async def test_nothing_is_posted_to_this_machine_unless_it_is_a_rehearsal(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    await an_endpoint(database, hook_taker.url)
    await an_endpoint(database, f"https://127.0.0.1:{hook_taker.port}/")
    await happen(database)
    await a_courier(database, clock, loopback=False).settle()
    assert hook_taker.calls == []
    problems = {one.problem for one in await notices(database)}
    assert problems == {"It is not https.", "It leads to an address that is not of the public internet."}


async def test_a_closed_incident_does_not_stand_in_the_way_of_working_again(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN, OK]
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    courier: Courier = a_courier(database, clock)
    await courier.settle()
    for one in await incidents_of(database):
        async with database.write() as session:
            await close_incident(session, one.id, by="Ana", now=clock.now())
    clock.advance(timedelta(seconds=6))
    await courier.settle()
    assert (await endpoints(database))[0].failing_since is None
    assert timedelta(days=5) == GIVEN_UP_AFTER
