"""A worker killed at any moment: nothing is lost, nothing sent twice, and little is uncertain."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.campaign import Campaign
from models.states import CampaignState, DeliveryState, EventKind
from models.suppression import Suppression
from models.values import Deferred, Refused, Reply
from scheduler.dispatch import Dispatcher
from scheduler.handover import Handover
from scheduler.upkeep import finish_if_done, reconcile, take_back
from store import Database, journal, outcomes
from tests.clocks import ManualClock
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign, kinds, rows, states

S = DeliveryState
PEOPLE = [f"p{number:02}@gmail.com" for number in range(20)]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.log")]


async def killed_at(
    database: Database,
    clock: ManualClock,
    folder: Path,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    after: int = 5,
) -> ScriptedTransport:
    """A drain whose process ends at a boundary, after so many messages were taken: it just never goes on."""
    transport = ScriptedTransport(connections=4)
    dispatcher = a_dispatcher(database, transport, clock, journals=folder, chunk=8, worker_id="a" * 12)
    dead, forever = asyncio.Event(), asyncio.Event()

    async def die() -> None:
        dead.set()
        await forever.wait()

    async def on_the_wire(recipient: str) -> None:
        assert recipient
        if dead.is_set() or (moment == "on the wire" and len(transport.sent) >= after):
            await die()

    transport.before = on_the_wire
    freeze(dispatcher, moment, die, monkeypatch)
    draining = asyncio.create_task(drain_all(database, dispatcher, clock.now()))
    await dead.wait()
    await asyncio.sleep(0.2)  # the others at work end what they had begun, as threads of a dying process may
    open_journal = dispatcher._handover.journal
    assert open_journal is not None
    os.close(open_journal._file)
    # What still runs of it reaches neither the ledger nor the wire.
    monkeypatch.undo()
    buried.extend([draining, *transport.busy])
    bury(dispatcher)
    return transport


buried: list[asyncio.Task[None]] = []


def bury(dispatcher: Dispatcher) -> None:
    """Let nothing that is left of a dead worker do anything."""

    class Gone:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(f"dead: {name}")

    dispatcher._database = dispatcher._handover.database = Gone()  # type: ignore[assignment]
    dispatcher._clearance = Gone()  # type: ignore[assignment]


def freeze(dispatcher: Dispatcher, moment: str, die: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the worker before the step that follows `moment`."""

    async def stop(*args: object, **how: object) -> None:
        await die()  # type: ignore[operator]

    match moment:
        case "claimed":
            monkeypatch.setattr(dispatcher._workshop, "write", stop)
        case "written":
            monkeypatch.setattr(dispatcher, "_clearance", type("Stop", (), {"clear": staticmethod(stop)})())
        case "marked":
            monkeypatch.setattr(dispatcher._pacer, "reserve", stop)
        case "paced":
            monkeypatch.setattr(Handover, "carry", stop)
        case "answered":
            monkeypatch.setattr(Handover, "_write", stop)
        case "on the wire":
            pass
        case _:
            raise AssertionError(moment)


@pytest.fixture(autouse=True)
async def funeral() -> object:
    """Tasks of dead workers end with the test."""
    yield
    for task in buried:
        task.cancel()
    await asyncio.gather(*buried, return_exceptions=True)
    buried.clear()


@pytest.mark.parametrize("moment", ["claimed", "written", "marked", "paced", "on the wire", "answered"])
async def test_killed_at_any_boundary_nothing_is_lost_and_nothing_is_sent_twice(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    campaign_id = await a_running_campaign(database, *PEOPLE)
    first = await killed_at(database, clock, tmp_path, moment, monkeypatch)
    second = ScriptedTransport()
    heir = a_dispatcher(database, second, clock, journals=tmp_path)
    assert await heir.take_over() == 1
    assert names(tmp_path) == []
    await drain_all(database, heir, clock.now())
    found = await states(database)
    uncertain = {address for address, state in found.items() if state is S.UNCERTAIN}
    assert set(found.values()) <= {S.ACCEPTED, S.UNCERTAIN}
    # At most what was on the four connections, and only where it was.
    assert len(uncertain) in {"on the wire": {4}, "answered": {0, 1, 2, 3, 4}}.get(moment, {0})
    got = [*first.recipients, *second.recipients]
    assert len(got) == len(set(got))
    assert set(got) | uncertain == set(PEOPLE)
    assert not set(second.recipients) & (set(first.recipients) | uncertain)
    assert {row.attempts for row in (await rows(database)).values()} == {1}
    await finish_if_done(database, campaign_id, clock)
    assert (await reconcile(database, campaign_id, clock)).equal
    await heir.close()


async def test_answers_of_every_kind_are_recorded_by_the_heir_as_they_were_given(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, *PEOPLE[:3])
    transport = ScriptedTransport(
        answers={
            PEOPLE[0]: Refused(Reply(550, "5.1.1", "5.1.1 user unknown")),
            PEOPLE[1]: Deferred(Reply(451, "4.3.2", "later"), timedelta(hours=1)),
        }
    )
    dispatcher = a_dispatcher(database, transport, clock, journals=tmp_path)
    forever, reached = asyncio.Event(), asyncio.Event()

    async def stop(*args: object) -> None:
        reached.set()
        await forever.wait()

    monkeypatch.setattr(Handover, "_write", stop)
    draining = asyncio.create_task(drain_all(database, dispatcher, clock.now()))
    await reached.wait()
    await asyncio.sleep(0.1)
    os.close(dispatcher._handover.journal._file)  # type: ignore[union-attr]
    monkeypatch.undo()
    buried.append(draining)
    bury(dispatcher)
    heir = a_dispatcher(database, ScriptedTransport(), clock, journals=tmp_path)
    assert await heir.take_over() == 1
    assert await states(database) == {PEOPLE[0]: S.REFUSED, PEOPLE[1]: S.DEFERRED, PEOPLE[2]: S.ACCEPTED}
    deferred = (await rows(database))[PEOPLE[1]]
    assert deferred.due_at - clock.now() > timedelta(minutes=55)
    async with database.read() as session:
        assert len((await session.exec(select(Suppression))).all()) == 1
    assert await heir.take_over() == 0


async def test_without_its_journal_the_lease_decides_and_a_journal_that_comes_back_tells_the_truth(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await a_running_campaign(database, *PEOPLE[:8])
    first = await killed_at(database, clock, tmp_path, "on the wire", monkeypatch, after=3)
    (name,) = names(tmp_path)
    kept = (tmp_path / name).rename(tmp_path / "elsewhere")
    clock.advance(timedelta(minutes=6))
    await take_back(database, clock)
    found = await states(database)
    assert set(found.values()) == {S.UNCERTAIN}
    await finish_if_done(database, campaign_id, clock)
    kept.rename(tmp_path / name)
    second = ScriptedTransport()
    heir = a_dispatcher(database, second, clock, journals=tmp_path)
    assert await heir.take_over() == 1
    found = await states(database)
    taken = {address for address, state in found.items() if state is S.ACCEPTED}
    waiting = {address for address, state in found.items() if state is S.DEFERRED}
    assert taken == set(first.recipients)
    assert sorted(found.values()).count(S.UNCERTAIN) == 4
    # One that certainly never left goes on its way, though the campaign had ended.
    async with database.read() as session:
        (state,) = (await session.exec(select(Campaign.state))).all()
    assert state is CampaignState.SENDING
    await drain_all(database, heir, clock.now())
    assert set(second.recipients) == waiting
    told = await kinds(database)
    assert told.count(EventKind.RESOLVED) == len(taken) + len(waiting)
    await heir.close()


async def test_after_a_loss_of_power_what_the_journal_does_not_know_is_uncertain(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, *PEOPLE)
    await killed_at(database, clock, tmp_path, "marked", monkeypatch)
    monkeypatch.setattr(journal, "boot_id", lambda: "another")
    heir = a_dispatcher(database, ScriptedTransport(), clock, journals=tmp_path)
    assert await heir.take_over() == 1
    found = sorted((await states(database)).values())
    assert (found.count(S.UNCERTAIN), found.count(S.QUEUED)) == (8, 12)


async def test_a_journal_of_another_database_changes_nothing_here_and_stays(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    stranger = journal.Journal(tmp_path, "a" * 12, "elsewhere")
    stranger.on_wire(1, "a" * 32)
    os.close(stranger._file)
    heir = a_dispatcher(database, ScriptedTransport(), clock, journals=tmp_path)
    assert await heir.take_over() == 0
    assert len(names(tmp_path)) == 1


async def test_a_full_disk_stops_the_lane_in_one_sentence_and_loses_nothing(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, *PEOPLE)
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock, journals=tmp_path, chunk=8)
    real = os.write
    room = iter([True] * 9)
    monkeypatch.setattr(
        os, "write", lambda file, data: real(file, data) if next(room, False) else real(file, data[:3])
    )
    await drain_all(database, dispatcher, clock.now())
    monkeypatch.undo()
    assert 0 < len(transport.sent) < len(PEOPLE)
    (told,) = dispatcher.obstacles.values()
    assert "journal" in told
    assert "cannot be written" in told
    assert set((await states(database)).values()) <= {S.ACCEPTED, S.DEFERRED, S.QUEUED}
    await drain_all(database, dispatcher, clock.now())
    assert dispatcher.obstacles == {}
    assert sorted(transport.recipients) == PEOPLE
    assert {row.attempts for row in (await rows(database)).values()} == {1}
    await dispatcher.close()
    assert names(tmp_path) == []


async def test_stopped_while_the_database_is_away_its_journal_tells_what_was_answered(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, *PEOPLE[:3])
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock, journals=tmp_path)

    async def away(*args: object, **how: object) -> bool:
        raise sa.exc.OperationalError("UPDATE", {}, Exception("gone"))

    monkeypatch.setattr(outcomes, "record_taken", away)
    draining = asyncio.create_task(drain_all(database, dispatcher, clock.now()))
    async with asyncio.timeout(60):
        while len(transport.sent) < 3:
            await asyncio.sleep(0.01)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
    await dispatcher.close()
    monkeypatch.undo()
    assert set((await states(database)).values()) == {S.SENDING}
    heir = a_dispatcher(database, transport, clock, journals=tmp_path)
    assert await heir.take_over() == 1
    assert set((await states(database)).values()) == {S.ACCEPTED}
    assert names(tmp_path) == []
