"""The disk is full between the mark "sending" and the first offer: nothing has left, and all of it waits."""

from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlmodel import select

from models.delivery import Delivery
from models.errors import StoreError
from models.states import DeliveryState
from scheduler.pacer import Pacer
from store import Database, claims
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched


async def test_what_was_marked_and_never_offered_waits_however_long_nothing_can_be_written(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as session:
        for name in ("a", "b"):
            await a_contact(session, email=f"{name}@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    really_reserve, really_hand_back, refused = Pacer.reserve, claims.hand_back, 0

    async def reserve(self: Pacer, permit: object, count: int, *, latest: datetime) -> Sequence[datetime]:
        if not refused:
            raise StoreError("The database's disk cannot be written to.", "Make room.")
        return await really_reserve(self, permit, count, latest=latest)  # type: ignore[arg-type]

    async def hand_back(session: object, ids: Sequence[int], *, token: str) -> int:
        nonlocal refused
        refused += bool(ids)
        if ids and refused < 12:
            raise StoreError("The database's disk cannot be written to.", "Make room.")
        return await really_hand_back(session, ids, token=token)  # type: ignore[arg-type]

    monkeypatch.setattr(Pacer, "reserve", reserve)
    monkeypatch.setattr(claims, "hand_back", hand_back)
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock)
    with pytest.raises(StoreError):
        await drain_all(database, dispatcher, clock.now())
    assert transport.recipients == []
    async with database.read() as session:
        rows = (await session.exec(select(Delivery))).all()
    assert {(row.state, row.attempts, row.claim_token) for row in rows} == {(DeliveryState.DEFERRED, 0, None)}
    await drain_all(database, dispatcher, clock.now())
    assert sorted(transport.recipients) == ["a@gmail.com", "b@gmail.com"]
