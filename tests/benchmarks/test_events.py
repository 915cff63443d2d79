"""`tocsin bench events` measures from beginning to end, and believes no figure it cannot prove."""

from dataclasses import replace

import pytest

from benchmarks.event_calls import Signer, calls_of
from benchmarks.event_figures import Costs, EventRun, goals, lines
from benchmarks.event_plan import Expected, Message, Way, pieces_of
from benchmarks.events import EventPlan, bench_events
from models.clock import SystemClock
from models.errors import BadInputError
from models.states import EventKind
from tests.servers.postgresql import PostgresqlServer


@pytest.mark.journey
@pytest.mark.timeout(600)
async def test_every_way_is_measured_and_every_effect_proven(postgresql: PostgresqlServer) -> None:
    plan = EventPlan(events=500, runs=1, connections=4, database_url=postgresql.url("postgres"))
    commits, runs = await bench_events(plan, lambda _: None)
    assert commits > 0
    assert len(runs) == 6
    assert all(run.events > 400 and run.rate > 0 for run in runs)
    assert [row[0] for row in lines(commits, runs)][1:] == [run.name for run in runs]
    assert len(goals(runs)) == 5


@pytest.mark.parametrize("way", list(Way))
def test_every_piece_is_told_and_one_in_ten_twice(way: Way) -> None:
    messages = [
        Message(number, number, f"r{number}@x.example", "t", "b+t@x.example") for number in range(1, 201)
    ]
    pieces, expected = pieces_of(way, messages), Expected()
    expected.add(way, pieces)
    calls = calls_of(way, pieces, Signer(), SystemClock().now(), samples=10)
    told = sum(call.news - call.stranger for call in calls)
    assert told == len(pieces) + -(-len(pieces) // 10)
    assert expected.events.total() == expected.originals == len(pieces)
    assert expected.messages[EventKind.BOUNCED] > 0


def test_too_little_to_measure_is_said() -> None:
    with pytest.raises(BadInputError):
        EventPlan(events=10)


def test_a_paced_run_counts_everything_that_was_told() -> None:
    run = EventRun("x", 100, 2.0, Costs(0, 0), 0, [], [], [], told=120)
    assert (run.rate, replace(run, paced=True).rate) == (50, 60)
