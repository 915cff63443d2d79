"""Calls that come at once go on record together: each is told its own, and none stands in another's way."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from models.api import ApiKey, KeyMode
from models.errors import ConflictError, StoreError
from models.states import CampaignState
from scheduler.accepting import Acceptor
from scheduler.asked import Ask, Asker, Receipt, Refusal, Results, Wish
from scheduler.gathering import Gathering
from store import Database, campaigns
from store.idempotency import Answered, Call, Different, InFlight, Known
from tests.clocks import START, ManualClock
from tests.factories import a_template
from tests.scheduler.program_desks import Desk


@dataclass(frozen=True, slots=True)
class _Watched(Acceptor):
    """Writes down how many calls there are in each transaction."""

    groups: list[int] = field(default_factory=list)

    async def accept_all(self, asks: Sequence[Ask]) -> list[Known | Exception]:
        self.groups.append(len(asks))
        return await Acceptor.accept_all(self, asks)


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> Desk:
    return await Desk(database, clock).open()


def watched(desk: Desk) -> tuple[Gathering, list[int]]:
    its = desk.acceptor
    acceptor = _Watched(its.database, its.clock, its.forms, its.hours, its.zone)
    return Gathering(acceptor), acceptor.groups


def an_ask(desk: Desk, name: str, *, wish: Wish | None = None, key: int = 0, body: str = "a") -> Ask:
    """A call that is told whom it is to, or raises what refuses it."""
    key = key or desk.key

    def tell(results: Results) -> tuple[int, str]:
        (result,) = results
        if isinstance(result, Refusal):
            raise ConflictError(result.problem)
        assert isinstance(result, Receipt)
        return 202, result.wish.address

    call = Call(key, name, body * 64)
    return Ask(Asker(key), [wish or desk.wish(f"{name}@gmail.com")], tell, call)


async def all_of(gathering: Gathering, asks: Sequence[Ask]) -> list[Known | BaseException]:
    return await asyncio.gather(*(gathering.accept(ask) for ask in asks), return_exceptions=True)


async def test_calls_that_come_at_once_are_few_transactions_and_each_is_told_its_own(desk: Desk) -> None:
    gathering, groups = watched(desk)
    names = [f"n{number}" for number in range(40)]
    told = await all_of(gathering, [an_ask(desk, name) for name in names])
    assert told == [Answered(202, f"{name}@gmail.com", fresh=True) for name in names]
    assert sum(groups) == 40
    assert len(groups) <= 3
    assert sorted(row.address for row in await desk.rows()) == sorted(f"{name}@gmail.com" for name in names)
    again = await all_of(gathering, [an_ask(desk, name) for name in names])
    assert again == [Answered(202, f"{name}@gmail.com") for name in names]
    assert len(await desk.rows()) == 40


async def test_no_group_is_larger_than_the_largest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.gathering.MOST", 7)
    gathering, groups = watched(desk)
    await all_of(gathering, [an_ask(desk, f"n{number}") for number in range(20)])
    assert max(groups) == 7
    assert sum(groups) == 20


async def test_the_same_call_twice_in_one_breath_counts_once(desk: Desk) -> None:
    gathering, _ = watched(desk)
    wait = an_ask(desk, "first")
    told = await all_of(
        gathering, [wait, an_ask(desk, "one"), an_ask(desk, "one"), an_ask(desk, "one", body="b")]
    )
    assert told[1:] == [Answered(202, "one@gmail.com", fresh=True), InFlight(), InFlight()]
    assert await gathering.accept(an_ask(desk, "one", body="b")) == Different()
    assert len(await desk.rows()) == 2


async def test_the_same_name_under_two_keys_is_two_calls(desk: Desk) -> None:
    async with desk.database.write() as session:
        other = ApiKey(name="Site", mode=KeyMode.LIVE, key_hash="0" * 64, hint="0000", created_at=START)
        session.add(other)
        await session.flush()
    gathering, _ = watched(desk)
    asks = [an_ask(desk, "first"), an_ask(desk, "one"), an_ask(desk, "one", key=other.id)]
    told = await all_of(gathering, asks)
    assert all(isinstance(answer, Answered) and answer.fresh for answer in told)
    assert len(await desk.rows()) == 3


async def test_what_is_refused_is_refused_alone_and_may_be_mended_under_its_name(desk: Desk) -> None:
    gathering, groups = watched(desk)
    bad = desk.wish("b@gmail.com", variables={})
    told = await all_of(gathering, [an_ask(desk, "a"), an_ask(desk, "b", wish=bad), an_ask(desk, "c")])
    assert [type(answer) for answer in told] == [Answered, ConflictError, Answered]
    assert sum(groups) == 3, "the others were not begun again"
    assert isinstance(await gathering.accept(an_ask(desk, "b", body="c")), Answered)


async def test_a_message_that_cannot_be_written_keeps_no_other(desk: Desk) -> None:
    async with desk.database.write() as session:
        stopped = (await a_template(session, name="Stopped")).id
    gathering, _ = watched(desk)
    await gathering.accept(an_ask(desk, "opens", wish=desk.wish("o@gmail.com", version_id=stopped)))
    async with desk.database.write() as session:
        number = (await desk.rows())[0].campaign_id
        now = desk.clock.now()
        await campaigns.move(
            session, number, origin=CampaignState.SENDING, to=CampaignState.CANCELLED, now=now
        )
    wrong = an_ask(desk, "b", wish=desk.wish("b@gmail.com", version_id=stopped))
    told = await all_of(gathering, [an_ask(desk, "first"), an_ask(desk, "a"), wrong, an_ask(desk, "c")])
    assert [type(answer) for answer in told] == [Answered, Answered, ConflictError, Answered]
    assert len(await desk.rows()) == 4


async def test_whoever_hangs_up_is_on_record_all_the_same_and_hears_it_the_next_time(desk: Desk) -> None:
    gathering, _ = watched(desk)
    first = asyncio.create_task(gathering.accept(an_ask(desk, "first")))
    gone = asyncio.create_task(gathering.accept(an_ask(desk, "gone")))
    last = asyncio.create_task(gathering.accept(an_ask(desk, "last")))
    await asyncio.sleep(0)
    gone.cancel()
    assert isinstance(await first, Answered)
    async with asyncio.timeout(60):
        assert isinstance(await last, Answered), "nobody waits for one that has gone"
    assert await gathering.accept(an_ask(desk, "gone")) == Answered(202, "gone@gmail.com")


async def test_when_the_database_is_away_everybody_is_told_and_the_next_are_taken_on(desk: Desk) -> None:
    class Away(_Watched):
        __slots__ = ()

        async def accept_all(self, asks: Sequence[Ask]) -> list[Known | Exception]:
            self.groups.append(len(asks))
            raise StoreError("The database cannot be used: it is away.", "Try again.")

    gathering, _ = watched(desk)
    its = desk.acceptor
    there, away = gathering.acceptor, Away(its.database, its.clock, its.forms, its.hours, its.zone)
    gathering.acceptor = away
    told = await all_of(gathering, [an_ask(desk, f"n{number}") for number in range(20)])
    assert all(isinstance(answer, StoreError) for answer in told)
    assert len(away.groups) <= 3, "it is not asked for each of them again"
    gathering.acceptor = there
    assert isinstance(await gathering.accept(an_ask(desk, "n0")), Answered)
