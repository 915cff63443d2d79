"""Lists of suppressed addresses, taken over and given away."""

import pytest

from deliverability.suppression import (
    is_suppressed,
    lift_own_word,
    listed,
    suppress,
    take_list,
)
from models.errors import BadInputError
from models.states import Channel, SuppressionReason
from models.suppression import address_hash
from store import Database
from tests.clocks import START

NAMES = ["a@exemple.fr", "b@exemple.fr"]


async def test_a_list_given_away_and_taken_over_elsewhere_suppresses_the_same_people(
    database: Database,
) -> None:
    async with database.write() as session:
        for name in NAMES:
            await suppress(
                session,
                Channel.EMAIL,
                name,
                SuppressionReason.UNSUBSCRIBE,
                evidence="",
                event_id=None,
                now=START,
            )
        lines = [line async for line in listed(session, START)]
        await session.rollback()
        assert not await is_suppressed(session, Channel.EMAIL, NAMES[0], START)
        taken = await take_list(session, lines, origin="the old tool", now=START)
        again = await take_list(session, lines, origin="the old tool", now=START)
        assert (taken.read, taken.added, again.added) == (2, 2, 0)
        assert all([await is_suppressed(session, Channel.EMAIL, name, START) for name in NAMES])
        assert not await is_suppressed(session, Channel.SMS, NAMES[0], START)
        assert not any("exemple" in line for line in lines)


async def test_a_line_that_cannot_be_read_is_told_and_left_out(database: Database) -> None:
    good = f"email,{address_hash(Channel.EMAIL, NAMES[0])},complaint"
    lines = ["\ufeffchannel,address_hash,reason\n", f"{good}\n", "\n", "email,123,complaint\n", "pigeon\n"]
    async with database.write() as session:
        taken = await take_list(session, lines, origin="a file", now=START)
        assert (taken.read, taken.added) == (3, 1)
        assert [problem.split(":")[0] for problem in taken.problems] == ["Line 4", "Line 5"]


async def test_a_file_of_another_kind_is_refused(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(BadInputError, match="no list of suppressions"):
            await take_list(session, ["name,age\n"], origin="a file", now=START)


async def test_lifting_what_a_person_said_leaves_what_a_mailbox_said(database: Database) -> None:
    async with database.write() as session:
        for reason in (SuppressionReason.UNSUBSCRIBE, SuppressionReason.HARD_BOUNCE):
            await suppress(session, Channel.EMAIL, NAMES[0], reason, evidence="", event_id=None, now=START)
        assert await lift_own_word(session, Channel.EMAIL, NAMES[0], why="undo", now=START) == 1
        assert await is_suppressed(session, Channel.EMAIL, NAMES[0], START)
