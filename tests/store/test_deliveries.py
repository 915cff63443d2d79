"""The ledger under load: each question finds its rows by an index, whatever the database."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState
from store import Database, bulk, claims, deliveries, outcomes, touches
from store.deliveries import Lane
from store.engine import insert_for
from tests.clocks import START
from tests.factories import a_campaign, an_identity

Question = Callable[[AsyncSession], Awaitable[Any]]
NOW = START + timedelta(hours=1)
LANE = Lane(1, "gmail")
QUESTIONS: dict[str, tuple[str, Question]] = {
    "claim": (
        "ix_delivery_due",
        lambda session: claims.claim_due(
            session, lane=LANE, token="t", now=NOW, lease=timedelta(minutes=5), limit=40
        ),
    ),
    "lanes": ("ix_delivery_due", lambda session: deliveries.due_lanes(session, NOW)),
    "left behind": ("ix_delivery_leased", lambda session: claims.left_behind(session, "0" * 12)),
    "left uncertain": ("ix_delivery_uncertain", lambda session: claims.left_behind(session, "0" * 12)),
    "requeue": ("ix_delivery_leased", lambda session: claims.requeue_lapsed(session, NOW)),
    "abandon": ("ix_delivery_leased", lambda session: claims.abandon_lapsed(session, NOW)),
    "expire": (
        "ix_delivery_not_after",
        lambda session: deliveries.close_waiting(
            session, to=DeliveryState.EXPIRED, now=NOW, reason="its time had passed"
        ),
    ),
    "cancel": (
        "ix_delivery_campaign_state",
        lambda session: deliveries.close_waiting(
            session, to=DeliveryState.CANCELLED, now=NOW, reason="campaign cancelled", campaign_id=2
        ),
    ),
}


NUMBERS = range(1001, 1041)
ANSWERS = bulk.table([(number, 250, "2.0.0", "ok", None) for number in NUMBERS])
BY_NUMBER: dict[str, tuple[str, Question]] = {
    "mark": (
        "pk_delivery",
        lambda session: claims.mark_sending(session, NUMBERS, token="t", now=NOW, lease=timedelta(minutes=5)),
    ),
    "renew": ("pk_delivery", lambda session: claims.extend_lease(session, NUMBERS, token="t", until=NOW)),
    "settle": ("pk_delivery", lambda session: outcomes._TAKE.run(session, taken=ANSWERS, token="t", now=NOW)),
    "tell": ("pk_delivery", lambda session: outcomes._TAKEN_EVENTS.run(session, taken=ANSWERS, now=NOW)),
    "touches": (
        "ix_delivery_contact_settled",
        lambda session: touches.recent(session, NUMBERS, since=START - timedelta(days=7), now=NOW),
    ),
    "touches to come": (
        "ix_delivery_contact_settled",
        lambda session: touches.expected(
            session, NUMBERS, since=START - timedelta(days=7), campaign_id=2, now=NOW
        ),
    ),
}


async def planned(
    database: Database, session: AsyncSession, ask: Question, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """How the database answers everything that is asked of it."""
    asked: list[tuple[str, Any]] = []
    real = bulk._Spelt.parameters

    def listen(self: bulk._Spelt, values: Mapping[str, object]) -> dict[str, object]:
        given = real(self, values)
        asked.append((self.text, given))
        return given

    connection = await session.connection()
    sa.event.listen(
        connection.sync_connection,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, values, *_: asked.append((statement, values)),
    )
    monkeypatch.setattr(bulk._Spelt, "parameters", listen)
    await ask(session)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    return [
        str(row[-1])
        for statement, values in list(asked)
        for row in await connection.exec_driver_sql(explain + statement, values)
    ]


async def a_full_ledger(session: AsyncSession) -> None:
    sender = await an_identity(session)
    campaign = await a_campaign(session, senders=[sender])
    await session.exec(sa.update(Campaign).values(state=CampaignState.SENDING))
    rows = [
        {
            "campaign_id": campaign.id,
            "channel": Channel.EMAIL,
            "identity_id": sender.id,
            "provider": ("gmail", "orange", "other")[number % 3],
            "address": f"p{number}@exemple.fr",
            "state": DeliveryState.QUEUED if number % 2 else DeliveryState.ACCEPTED,
            "reason": "",
            "due_at": START,
            "attempts": 0,
        }
        for number in range(4000)
    ]
    # Another campaign, nearly at its end: nothing but the state tells what waits of it.
    other = await a_campaign(session, senders=[sender])
    ended: dict[str, Any] = {"campaign_id": other.id, "state": DeliveryState.ACCEPTED}
    rows += [{**row, **ended, "address": f"q{number}@exemple.fr"} for number, row in enumerate(rows)]
    await session.exec(insert_for(session, Delivery), params=rows)
    lanes = [
        {"campaign_id": campaign.id, "identity_id": sender.id, "provider": row["provider"]} for row in rows
    ]
    await session.exec(insert_for(session, CampaignLane).on_conflict_do_nothing(), params=lanes)


@pytest.mark.parametrize("name", QUESTIONS)
async def test_each_question_of_the_sweep_and_of_a_lane_is_served_by_its_index(
    database: Database, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, ask = QUESTIONS[name]
    async with database.write() as session:
        await a_full_ledger(session)
    async with database.write() as session:
        await session.exec(sa.text("ANALYZE"))  # type: ignore[call-overload]
        plan = await planned(database, session, ask, monkeypatch)
    assert any(index in line for line in plan), plan


@pytest.mark.parametrize("name", BY_NUMBER)
async def test_what_is_asked_by_number_is_found_by_it_in_a_ledger_that_was_filled_a_moment_ago(
    database: Database, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, ask = BY_NUMBER[name]
    async with database.write() as session:
        # Nobody has counted what is in the table yet, and nobody does while we look.
        if not database.is_sqlite:
            await session.exec(sa.text("ALTER TABLE delivery SET (autovacuum_enabled = off)"))  # type: ignore[call-overload]
        await a_full_ledger(session)
    async with database.write(at_once=True) as session:
        plan = await planned(database, session, ask, monkeypatch)
    about = [line for line in plan if re.search(r"(SCAN|SEARCH|Scan.* on) delivery\b", line)]
    assert about, plan
    assert all(index in line or "PRIMARY KEY" in line or "pk_delivery" in line for line in about), plan


async def test_a_claim_takes_the_oldest_of_its_lane_and_no_more_than_asked(database: Database) -> None:
    async with database.write() as session:
        await a_full_ledger(session)
        rows = await claims.claim_due(
            session, lane=LANE, token="t", now=NOW, lease=timedelta(minutes=5), limit=7
        )
    assert len(rows) == 7
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    assert {row.provider for row in rows} == {"gmail"}
