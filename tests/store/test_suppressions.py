"""Suppressions, asked by hash."""

from datetime import timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.states import Channel, SuppressionReason
from models.suppression import address_hash
from store import Database, suppressions
from tests.clocks import START
from tests.deliverability.rows import a_contact

FINGERPRINT = address_hash(Channel.EMAIL, "a@exemple.fr")


async def a_suppression(
    session: AsyncSession, reason: SuppressionReason = SuppressionReason.MANUAL, days: int | None = None
) -> bool:
    return await suppressions.suppress(
        session,
        channel=Channel.EMAIL,
        address_hash=FINGERPRINT,
        reason=reason,
        evidence="a test",
        event_id=None,
        now=START,
        until=None if days is None else START + timedelta(days=days),
    )


async def test_suppressing_twice_for_one_reason_is_one_row(database: Database) -> None:
    async with database.write() as session:
        assert [await a_suppression(session), await a_suppression(session)] == [True, False]
        assert await a_suppression(session, SuppressionReason.COMPLAINT)
        assert len(await suppressions.history(session, Channel.EMAIL, FINGERPRINT)) == 2


async def test_a_suppression_ends_when_it_says(database: Database) -> None:
    async with database.write() as session:
        await a_suppression(session, days=2)
        for days, expected in [(1, {FINGERPRINT}), (3, set())]:
            moment = START + timedelta(days=days)
            found = await suppressions.suppressed_hashes(session, Channel.EMAIL, [FINGERPRINT], moment)
            assert found == expected


async def test_a_lifted_suppression_stays_as_a_trace_and_can_return(database: Database) -> None:
    async with database.write() as session:
        await a_suppression(session)
        lifted = await suppressions.lift(
            session, channel=Channel.EMAIL, address_hash=FINGERPRINT, why="a mistake", now=START
        )
        assert lifted == 1
        assert await suppressions.suppressed_hashes(session, Channel.EMAIL, [FINGERPRINT], START) == set()
        assert await a_suppression(session)
        trace = await suppressions.history(session, Channel.EMAIL, FINGERPRINT)
        assert [row.lifted_why for row in trace] == ["a mistake", ""]


async def test_many_hashes_are_asked_in_several_statements(database: Database) -> None:
    async with database.write() as session:
        await a_suppression(session)
        others = [address_hash(Channel.EMAIL, f"{number}@exemple.fr") for number in range(1200)]
        found = await suppressions.suppressed_hashes(session, Channel.EMAIL, [*others, FINGERPRINT], START)
        assert found == {FINGERPRINT}


async def test_an_audience_can_leave_out_the_suppressed_in_one_query(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session, email="a@exemple.fr")
        await a_contact(session, email="b@exemple.fr")
        await a_suppression(session)
        suppressed = suppressions.active_condition(Channel.EMAIL, col(Contact.email_hash), START)
        left = (await session.exec(select(Contact.email).where(~suppressed))).all()
        assert list(left) == ["b@exemple.fr"]
        assert await suppressions.count_by_reason(session, START) == {
            (Channel.EMAIL, SuppressionReason.MANUAL): 1
        }
