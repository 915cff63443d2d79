"""What runs beside sending: too much comes back, the lane rests, and the webhook hears of it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from deliverability.pressure import pressure_of
from models.api import IdempotencyRecord, KeyMode
from models.identity import Identity
from models.incident import AlertWay
from models.pace import BreakerState, Throttle
from models.states import Channel
from scheduler.incidents import close_incident
from service.chores import watch_chores
from service.settings import GivenSettings
from store import Database, alerts, api_keys, contents, idempotency, templates
from tests.clocks import START, ManualClock
from tests.deliverability.rows import a_launched_campaign, an_identity
from tests.factories import KEYRING
from tests.scheduler.scales import Scene
from tests.servers.hook_taker import HookTaker


async def a_scene(database: Database) -> tuple[Scene, Identity]:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        campaign.launched_at = START
        identity = await an_identity(session, "Rhône")
        session.add(campaign)
    return Scene(database, campaign, identity), identity


async def test_from_the_counters_to_the_webhook(
    database: Database, clock: ManualClock, tmp_path: Path, hook_taker: HookTaker
) -> None:
    scene, identity = await a_scene(database)
    settings = GivenSettings(
        data_dir=tmp_path,
        alert_private=True,
        alert_webhook_secret="sixteen characters and more",  # type: ignore[arg-type]
        alert_webhooks=hook_taker.url,  # type: ignore[arg-type]
        language="en",
    )
    chores = {
        chore.name: chore.work
        for chore in watch_chores(settings, database, clock, transports={}, keyring=KEYRING)
    }
    await chores["weigh"]()
    await chores["alerts"]()
    assert hook_taker.calls == []
    await scene.bounce(40, 400)
    clock.advance(START.resolution * 60_000_000)
    fresh = {
        chore.name: chore.work
        for chore in watch_chores(settings, database, clock, transports={}, keyring=KEYRING)
    }
    await fresh["weigh"]()
    await fresh["alerts"]()
    await chores["alerts"]()
    ((_, body),) = hook_taker.calls
    told = json.loads(body)["data"]
    assert (told["kind"], told["deed"], told["identity"]["name"]) == ("hard_bounces", "stopped", "Rhône")
    async with database.read() as session:
        brake = await session.get(Throttle, f"lane:{identity.id}:orange")
        assert brake is not None
        assert brake.state is BreakerState.OPEN


async def test_incidents_are_forgotten_400_days_after_their_end(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    scene, _ = await a_scene(database)
    await scene.bounce(40, 400)
    await scene.weigh()
    (incident,) = await scene.incidents()
    settings = GivenSettings(data_dir=tmp_path)
    chores = watch_chores(settings, database, clock, transports={}, keyring=KEYRING)
    (forget,) = [one.work for one in chores if one.name == "old incidents"]
    clock.advance(timedelta(days=500))
    await forget()
    assert len(await scene.incidents()) == 1
    async with database.write() as session:
        await close_incident(session, incident.id, by="Ana", now=clock.now())
        await alerts.note(session, incident.id, "began", way=AlertWay.MAIL, target="a@b.fr", due_at=START)
    clock.advance(timedelta(days=399))
    await forget()
    assert len(await scene.incidents()) == 1
    clock.advance(timedelta(days=2))
    await forget()
    assert await scene.incidents() == []


async def test_answers_to_programs_are_forgotten_once_nobody_may_ask_for_them_again(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with database.write() as session:
        key, _ = await api_keys.add_key(
            session, name="CRM", mode=KeyMode.TEST, scopes=[], by="Ana", now=clock.now()
        )
        call = idempotency.Call(key.id, "order-1", "0" * 64)
        await idempotency.keep(session, [(call, idempotency.Answered(202, "{}"))], clock.now())
    settings = GivenSettings(data_dir=tmp_path)
    chores = watch_chores(settings, database, clock, transports={}, keyring=KEYRING)
    (forget,) = [one.work for one in chores if one.name == "old answers"]

    async def kept() -> int:
        async with database.read() as session:
            return len((await session.exec(select(IdempotencyRecord))).all())

    clock.advance(idempotency.LIFE - timedelta(seconds=1))
    await forget()
    assert await kept() == 1
    clock.advance(timedelta(seconds=1))
    await forget()
    assert await kept() == 0


@pytest.mark.parametrize("given", [{}, {"alert_emails": "ana@parti.example"}])
async def test_where_nobody_is_told_there_is_no_such_chore(
    database: Database, clock: ManualClock, tmp_path: Path, given: dict[str, str]
) -> None:
    settings = GivenSettings(data_dir=tmp_path, **given)  # type: ignore[arg-type]
    names = {chore.name for chore in watch_chores(settings, database, clock, transports={}, keyring=KEYRING)}
    assert "weigh" in names
    assert ("alerts" in names) is bool(given)


async def test_how_often_people_are_written_to_is_counted(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    await a_scene(database)
    chores = watch_chores(GivenSettings(data_dir=tmp_path), database, clock, transports={}, keyring=KEYRING)
    (count,) = [one for one in chores if one.name == "pressure"]
    await count.work()
    async with database.read() as session:
        assert (await pressure_of(session, 1, START, START)).counted_at == START
    clock.advance(timedelta(minutes=1))
    await count.work()
    async with database.read() as session:
        # It took a moment: for sixty times as long it is left alone.
        assert (await pressure_of(session, 1, START, START)).counted_at == START


async def test_what_programs_gave_to_be_said_is_forgotten_after_as_many_days_as_the_settings_say(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with database.write() as session:
        name = {"channel": Channel.EMAIL, "subject": "Receipt", "body": "<p>1</p>", "text": ""}
        version = await contents.keep_content(session, **name, now=clock.now())  # type: ignore[arg-type]
    settings = GivenSettings(data_dir=tmp_path, keep_messages_days=3)
    chores = watch_chores(settings, database, clock, transports={}, keyring=KEYRING)
    (forget,) = [one.work for one in chores if one.name == "old messages"]
    for span, kept in ((timedelta(days=3), "Receipt"), (timedelta(seconds=1), "")):
        clock.advance(span)
        await forget()
        async with database.read() as session:
            assert (await templates.get_version(session, version)).subject == kept
