"""What may have left stays in doubt, and what never left goes on its way, however late either is told."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from models.campaign import Campaign
from models.delivery import Delivery
from models.states import CampaignState, DeliveryState
from scheduler.upkeep import finish_if_done, take_back
from store import Database, journal
from tests.clocks import ManualClock
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign, states

S = DeliveryState


async def state_of(database: Database, campaign_id: int) -> CampaignState:
    async with database.read() as session:
        found = (await session.exec(select(Campaign.state).where(Campaign.id == campaign_id))).one()
        return CampaignState(found)


async def test_an_uncertain_message_is_not_queued_again_once_its_worker_has_made_its_journal_smaller(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "COMPACT_AT", 1)
    await a_running_campaign(database, "doubt@gmail.com", "sure@gmail.com")

    async def break_off(recipient: str) -> None:
        if recipient == "doubt@gmail.com":
            raise ConnectionResetError

    first = ScriptedTransport(before=break_off)
    worker = a_dispatcher(database, first, clock, journals=tmp_path)
    await drain_all(database, worker, clock.now())
    # Whatever else it recorded meanwhile: the journal holds what is not recorded, and no more.
    assert worker._handover.journal is not None
    worker._handover.journal.recorded([])
    os.close(worker._handover.journal._file)  # kill -9
    second = ScriptedTransport()
    heir = a_dispatcher(database, second, clock, journals=tmp_path)
    assert await heir.take_over() == 1
    assert await states(database) == {"doubt@gmail.com": S.UNCERTAIN, "sure@gmail.com": S.ACCEPTED}
    await drain_all(database, heir, clock.now())
    assert second.recipients == []
    await heir.close()


async def test_what_a_sleeper_gives_back_goes_on_its_way_though_its_campaign_had_ended(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, "a@gmail.com", "b@gmail.com")

    async def sleep_long(recipient: str) -> None:
        if recipient != "a@gmail.com":
            return
        clock.advance(timedelta(minutes=6))
        await take_back(database, clock)
        await finish_if_done(database, campaign_id, clock)
        assert await state_of(database, campaign_id) is CampaignState.FINISHED

    transport = ScriptedTransport(before=sleep_long, connections=1)
    worker = a_dispatcher(database, transport, clock)
    await drain_all(database, worker, clock.now())
    # Given back by the one who slept, claimed anew, and sent: once.
    assert transport.recipients == ["a@gmail.com", "b@gmail.com"]
    assert set((await states(database)).values()) == {S.ACCEPTED}
    assert await state_of(database, campaign_id) is CampaignState.SENDING
    await finish_if_done(database, campaign_id, clock)
    assert await state_of(database, campaign_id) is CampaignState.FINISHED


async def test_what_waits_for_a_connection_past_its_deadline_does_not_leave(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, "a@gmail.com", "b@gmail.com")
    async with database.write() as session:
        for row in (await session.exec(select(Delivery))).all():
            row.not_after = clock.now() + timedelta(minutes=1)

    async def take_its_time(recipient: str) -> None:
        if recipient == "a@gmail.com":
            clock.advance(timedelta(minutes=2))

    transport = ScriptedTransport(before=take_its_time, connections=1)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == ["a@gmail.com"]
    await take_back(database, clock)
    assert await states(database) == {"a@gmail.com": S.ACCEPTED, "b@gmail.com": S.EXPIRED}
    await finish_if_done(database, campaign_id, clock)
    assert await state_of(database, campaign_id) is CampaignState.FINISHED
