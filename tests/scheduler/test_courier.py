"""Whatever is noted arrives at least once under one number, whoever is slow, dead or killed."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from models.states import CampaignState, EventKind
from models.values import Reply
from models.webhook import NoticeState
from store import Database, campaigns, contacts, webhook_notices, webhooks
from tests.clocks import START, ManualClock
from tests.factories import KEYRING
from tests.scheduler.listeners import (
    SECRET,
    a_courier,
    an_endpoint,
    happen,
    noted,
    notices,
)
from tests.servers.hook_taker import HookTaker


async def test_what_happens_is_told_signed_and_the_library_takes_it(
    database: Database, hook_taker: HookTaker
) -> None:
    clock = ManualClock(datetime.now(UTC))  # noqa: TID251 - the verifier knows no other clock
    await an_endpoint(database, hook_taker.url)
    delivery = await happen(database, EventKind.CLICKED)
    await a_courier(database, clock).settle()
    ((headers, body),) = hook_taker.calls
    told = Webhook(SECRET).verify(body, headers)
    assert (told["type"], told["version"], told["mode"]) == ("message.clicked", 1, "live")
    assert told["timestamp"] == "2026-03-10T09:00:00.000Z"
    data = told["data"]
    assert headers["webhook-id"] == data["id"]
    assert data["id"].startswith("evt_")
    assert data["contact"].startswith("ctc_")
    assert (data["to"], data["channel"], data["machine"]) == (delivery.address, "email", False)
    (notice,) = await notices(database)
    assert (notice.state, notice.status, notice.attempts) == (NoticeState.DELIVERED, 204, 1)
    assert await noted(database) == []


async def test_a_bounce_tells_what_was_answered(database: Database, clock: ManualClock) -> None:
    from models.event import event_about
    from store import events
    from tests.deliverability.rows import a_delivery

    await an_endpoint(database, "https://hooks.example/", event_types=["message.bounced"])
    async with database.write() as session:
        delivery = await a_delivery(session)
        event = event_about(
            delivery,
            EventKind.REFUSED,
            source="s",
            source_id="1",
            at=START,
            now=START,
            reply=Reply(550, "5.1.1", "No such user"),
        )
        await events.append(session, event)
    await a_courier(database, clock, places=0).round()
    (notice,) = await notices(database)
    answer = json.loads(notice.body)["data"]["answer"]
    assert answer == {"code": 550, "enhanced": "5.1.1", "text": "No such user"}


async def test_a_finished_campaign_is_told_each_time_it_finishes(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    await an_endpoint(database, hook_taker.url, event_types=["campaign.finished"])
    delivery = await happen(database)
    for _ in range(2):
        async with database.write() as session:
            found = await campaigns.get_campaign(session, delivery.campaign_id)
            found.state, found.updated_at = CampaignState.SENDING, clock.now()
            session.add(found)
        clock.advance(timedelta(minutes=1))
        async with database.write() as session:
            found = await campaigns.get_campaign(session, delivery.campaign_id)
            found.state, found.updated_at = CampaignState.FINISHED, clock.now()
            session.add(found)
    await a_courier(database, clock).settle()
    told = [json.loads(body) for _, body in hook_taker.calls]
    assert [one["data"]["state"] for one in told] == ["finished", "finished"]
    assert len({headers["webhook-id"] for headers, _ in hook_taker.calls}) == 2


async def test_a_hanging_endpoint_holds_nobody_up(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    deaf = HookTaker(answers=[None])
    tasks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(
        lambda r, w: tasks.append(asyncio.ensure_future(deaf.serve(r, w))), "127.0.0.1", 0
    )
    deaf.port = server.sockets[0].getsockname()[1]
    await an_endpoint(database, deaf.url)
    await an_endpoint(database, hook_taker.url)
    await happen(database, times=50)
    courier = a_courier(database, clock, timeout=timedelta(seconds=20), last_words=timedelta(seconds=0.1))
    running = asyncio.create_task(courier.run())
    async with asyncio.timeout(15):
        while len(hook_taker.calls) < 50:
            await asyncio.sleep(0.02)
    assert len(deaf.calls) <= 8, "it takes up its own places and no more"
    running.cancel()
    await asyncio.wait([running])
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # What was under way when the process ended is told again once its lease has run out.
    clock.advance(timedelta(seconds=61))
    async with database.read() as session:
        assert len(await webhooks.due_endpoints(session, clock.now())) == 1


async def test_a_courier_that_dies_between_the_post_and_its_record_leaves_it_to_another(
    database: Database, clock: ManualClock, hook_taker: HookTaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_endpoint(database, hook_taker.url)
    await happen(database)
    dying = a_courier(database, clock)
    await dying.round()
    async with asyncio.timeout(5):
        while not hook_taker.calls:
            await asyncio.sleep(0.01)
    # Killed here: nothing more is written by it.
    other = a_courier(database, clock)
    await other.settle()
    assert len(hook_taker.calls) == 1, "held by the one that died"
    clock.advance(timedelta(seconds=60))
    await other.settle()
    assert len(hook_taker.calls) == 2
    assert len({headers["webhook-id"] for headers, _ in hook_taker.calls}) == 1
    (notice,) = await notices(database)
    assert (notice.state, notice.attempts) == (NoticeState.DELIVERED, 2)
    # And if it was not dead after all, what it has to say comes too late.
    await asyncio.wait(dying._calls)
    await dying.round()
    assert (await notices(database))[0].attempts == 2


async def test_several_couriers_tell_everything_once(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    await an_endpoint(database, hook_taker.url)
    await happen(database, times=120)
    crew = [a_courier(database, clock) for _ in range(3)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(one.settle() for one in crew))
    numbers = [headers["webhook-id"] for headers, _ in hook_taker.calls]
    assert len(numbers) == len(set(numbers)) == 120


async def test_first_tries_leave_in_the_order_of_what_happened(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    await an_endpoint(database, hook_taker.url)
    await happen(database, times=20)
    await a_courier(database, clock, places=1).settle()
    wanted = [one.webhook_id for one in await notices(database)]
    assert [headers["webhook-id"] for headers, _ in hook_taker.calls] == wanted


async def test_while_the_secret_is_changed_both_sign_and_afterwards_the_new_one_alone(
    database: Database, hook_taker: HookTaker
) -> None:
    clock = ManualClock(datetime.now(UTC))  # noqa: TID251 - the verifier knows no other clock
    endpoint = await an_endpoint(database, hook_taker.url)
    async with database.write() as session:
        found = await webhooks.get_endpoint(session, endpoint.id)
        found.sealed_before, found.before_until = (
            KEYRING.encrypt("whsec_b2xkIG9sZCBvbGQ="),
            clock.now() + timedelta(hours=1),
        )
        session.add(found)
    await happen(database)
    courier = a_courier(database, clock)
    await courier.settle()
    assert hook_taker.calls[0][0]["webhook-signature"].count("v1,") == 2
    clock.advance(timedelta(hours=1))
    await happen(database)
    await courier.settle()
    assert hook_taker.calls[1][0]["webhook-signature"].count("v1,") == 1


async def test_told_again_it_has_the_same_number_and_body(
    database: Database, clock: ManualClock, hook_taker: HookTaker
) -> None:
    endpoint = await an_endpoint(database, hook_taker.url)
    await happen(database, times=3)
    courier = a_courier(database, clock)
    await courier.settle()
    (first, *_) = await notices(database)
    async with database.write() as session:
        assert await webhook_notices.again(session, endpoint.id, now=clock.now(), notice_id=first.id) == 1
    await courier.settle()
    calls = [body for headers, body in hook_taker.calls if headers["webhook-id"] == first.webhook_id]
    assert calls == [first.body.encode()] * 2
    async with database.write() as session:
        many = await webhook_notices.again(session, endpoint.id, now=clock.now(), since=START)
        none = await webhook_notices.again(
            session, endpoint.id, now=clock.now(), since=START + timedelta(days=1)
        )
    assert (many, none) == (3, 0)


async def test_what_is_told_of_a_person_goes_with_them(database: Database, clock: ManualClock) -> None:
    await an_endpoint(database, "https://hooks.example/")
    delivery = await happen(database, times=2)
    await happen(database)
    await a_courier(database, clock, places=0).round()
    assert len(await notices(database)) == 3
    async with database.write() as session:
        contact = await contacts.get_contact(session, delivery.contact_id or 0)
        await session.delete(contact)
    left = await notices(database)
    assert len(left) == 1
    assert delivery.address not in left[0].body


async def test_the_log_is_kept_for_thirty_days(database: Database, clock: ManualClock) -> None:
    await an_endpoint(database, "https://hooks.example/")
    await happen(database)
    await a_courier(database, clock, places=0).round()
    clock.advance(timedelta(days=29))
    await a_courier(database, clock, places=0).round()
    assert len(await notices(database)) == 1
    clock.advance(timedelta(days=2))
    await a_courier(database, clock, places=0).round()
    assert await notices(database) == []


async def test_whoever_held_it_before_has_no_say_any_more(database: Database, clock: ManualClock) -> None:
    endpoint = await an_endpoint(database, "https://hooks.example/")
    await happen(database)
    await a_courier(database, clock, places=0).round()
    held = []
    for _ in range(2):
        async with database.write() as session:
            now, until = clock.now(), clock.now() + timedelta(minutes=1)
            (one,) = await webhook_notices.hold(session, endpoint.id, now=now, until=until, limit=5)
            held.append(one)
            assert await webhook_notices.hold(session, endpoint.id, now=now, until=until, limit=5) == []
        clock.advance(timedelta(minutes=1))
    told = []
    for one in held:
        async with database.write() as session:
            told.append(await webhook_notices.settle(session, one, state=NoticeState.FAILED, now=clock.now()))
    assert told == [False, True]
