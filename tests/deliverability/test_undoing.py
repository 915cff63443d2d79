"""What undoing a rule says of those who stay suppressed by something else, and of rules nobody knows."""

from pathlib import Path

import pytest
from sqlmodel import col, select

from deliverability.replay import carry_out
from deliverability.undoing import demand_rule, undo_rule
from models.delivery import Delivery
from models.errors import NotFoundError
from models.states import Channel, EventKind, SuppressionReason
from models.suppression import Suppression, address_hash
from store import Database, suppressions
from store.suppressions import NewSuppression
from tests.clocks import START
from tests.deliverability.test_replay import DAY, a_rule, an_answer


@pytest.mark.parametrize("apply", [False, True])
async def test_who_is_suppressed_by_something_else_is_told_apart(
    database: Database, tmp_path: Path, apply: bool
) -> None:
    now = START + DAY
    for number in range(2):
        await an_answer(database, number, "599 This person has left us", kind=EventKind.REFUSED)
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=now)
    async with database.write() as session:
        delivery = (await session.exec(select(Delivery).order_by(col(Delivery.id)))).first()
        assert delivery is not None
        fingerprint = address_hash(Channel.EMAIL, delivery.address or "")
        rows = [NewSuppression(Channel.EMAIL, fingerprint, SuppressionReason.IMPORTED)]
        await suppressions.suppress_many(session, rows, evidence="a list", now=now)
    seen = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=apply)
    assert (seen.found, seen.kept, seen.lifted, seen.elsewhere) == (2, 0, 2, 1)
    again = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=apply)
    assert (again.found, again.elsewhere) == ((0, 0) if apply else (2, 1))


async def test_two_suppressions_by_one_rule_do_not_keep_each_other(
    database: Database, tmp_path: Path
) -> None:
    now = START + DAY
    await an_answer(database, 1, "599 This person has left us", kind=EventKind.REFUSED)
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=now)
    async with database.write() as session:
        first = (await session.exec(select(Suppression))).one()
        await suppressions.suppress(
            session,
            channel=first.channel,
            address_hash=first.address_hash,
            reason=SuppressionReason.PROVIDER,
            evidence=first.evidence,
            event_id=first.event_id,
            now=now,
        )
    seen = await undo_rule(database, "gone", since=START, why="ada: wrong", now=now, apply=False)
    assert (seen.found, seen.lifted, seen.elsewhere) == (2, 2, 0)


async def test_a_rule_is_known_while_it_is_in_force_or_on_record(database: Database, tmp_path: Path) -> None:
    await demand_rule(database, "words-no-such-user")
    with pytest.raises(NotFoundError, match=r"There is no rule gone\."):
        await demand_rule(database, "gone")
    await an_answer(database, 1, "599 This person has left us", kind=EventKind.REFUSED)
    await carry_out(database, a_rule(tmp_path), since=START - DAY, now=START + DAY)
    await undo_rule(database, "gone", since=START, why="ada: wrong", now=START + DAY, apply=True)
    await demand_rule(database, "gone")
