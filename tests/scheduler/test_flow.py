"""Messages as a liquid: how queues empty through the limits they share."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.calendar import SendingWindows, read_sending_windows
from scheduler.flow import Course, LaneKey, LaneLimits, Queue, Share, share_out, simulate

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GMAIL, ORANGE = (1, "gmail"), (1, "orange")
TWO_LANES = {GMAIL: LaneLimits(("identity", "gmail")), ORANGE: LaneLimits(("identity", "orange"))}
RATES = {"identity": 20.0, "gmail": 20.0, "orange": 5.0}


def a_queue(
    count: int,
    lane: LaneKey = GMAIL,
    *,
    campaign: int = 1,
    begins_at: datetime = NOW,
    not_after: datetime | None = None,
    windows: str = "",
    urgent: bool = False,
) -> Queue:
    return Queue(
        campaign, lane, count, begins_at, "UTC", read_sending_windows(windows), not_after, urgent=urgent
    )


def seconds(courses: Sequence[Course]) -> list[float]:
    return [
        round((course.finishes_at - NOW).total_seconds(), 2) if course.finishes_at else -1
        for course in courses
    ]


def test_a_lane_flows_at_its_slowest_limit() -> None:
    assert seconds(simulate([a_queue(1000, ORANGE)], TWO_LANES, RATES, {}, NOW)) == [200]


def test_what_a_slow_lane_leaves_the_other_gets() -> None:
    both = [a_queue(1500), a_queue(1000, ORANGE)]
    assert seconds(simulate(both, TWO_LANES, RATES, {}, NOW)) == [100, 200]


def test_an_urgent_campaign_goes_first_and_the_others_share_evenly() -> None:
    queues = [a_queue(100, ORANGE, campaign=1), a_queue(50, ORANGE, campaign=2)]
    assert seconds(simulate(queues, TWO_LANES, RATES, {}, NOW)) == [30, 20]
    queues.append(a_queue(100, ORANGE, campaign=3, urgent=True))
    assert seconds(simulate(queues, TWO_LANES, RATES, {}, NOW)) == [50, 40, 20]


def test_what_begins_later_waits_and_what_is_shut_rests() -> None:
    later = a_queue(100, begins_at=NOW + HOUR)
    assert seconds(simulate([later], TWO_LANES, RATES, {}, NOW)) == [3605]
    shut = {GMAIL: LaneLimits(("identity", "gmail"), (), NOW + HOUR)}
    assert seconds(simulate([a_queue(100)], shut, RATES, {}, NOW)) == [3605]


def test_nothing_flows_outside_the_window() -> None:
    # An hour and a half at 5 a second is 27,000 messages: one hour today, half an hour tomorrow.
    queue = a_queue(27_000, ORANGE, windows="mon-fri 08:00-10:00")
    (course,) = simulate([queue], TWO_LANES, RATES, {}, NOW)
    assert course.finishes_at == NOW + 23 * HOUR + timedelta(minutes=30)


def test_past_the_deadline_the_rest_never_leaves() -> None:
    queue = a_queue(1000, ORANGE, not_after=NOW + timedelta(seconds=150))
    (course,) = simulate([queue], TWO_LANES, RATES, {}, NOW)
    assert (course.missed, course.finishes_at) == (250, NOW + timedelta(seconds=150))
    begun_too_late = a_queue(10, begins_at=NOW + 2 * HOUR, not_after=NOW + HOUR)
    assert simulate([begun_too_late], TWO_LANES, RATES, {}, NOW)[0].missed == 10


def test_a_day_s_share_holds_and_grows() -> None:
    caps = [100, 150, 225, None]
    share = Share(
        used=40,
        amount=lambda day: caps[min(day, 3)],
        ends_at=lambda day: NOW + 15 * HOUR + day * DAY,
    )
    lanes = {GMAIL: LaneLimits(("identity", "gmail"), ("cap",))}
    # 60 today, 150 tomorrow, 90 on the day after.
    (course,) = simulate([a_queue(300)], lanes, RATES, {"cap": share}, NOW)
    assert course.finishes_at == NOW + 15 * HOUR + DAY + timedelta(seconds=90 / 20)
    (course,) = simulate([a_queue(60 + 150 + 225 + 200)], lanes, RATES, {"cap": share}, NOW)
    assert course.finishes_at == NOW + 15 * HOUR + 2 * DAY + timedelta(seconds=10)


def test_what_cannot_end_within_the_horizon_has_no_end() -> None:
    (course,) = simulate([a_queue(10**9, ORANGE)], TWO_LANES, RATES, {}, NOW)
    assert (course.finishes_at, course.missed) == (None, 0)


def test_an_empty_queue_is_over_when_it_begins() -> None:
    assert seconds(simulate([a_queue(0)], TWO_LANES, RATES, {}, NOW)) == [0]
    assert simulate([], TWO_LANES, RATES, {}, NOW) == []


def test_a_lane_without_a_limit_is_no_obstacle() -> None:
    (course,) = simulate([a_queue(5)], {GMAIL: LaneLimits(())}, {}, {}, NOW)
    assert course.finishes_at == pytest.approx(NOW, abs=timedelta(milliseconds=10))


def test_lanes_take_turns_each_with_what_it_claims() -> None:
    lanes = {
        GMAIL: LaneLimits(("identity", "gmail"), weight=40),
        ORANGE: LaneLimits(("identity", "orange"), weight=10),
    }
    assert share_out(lanes, RATES) == {GMAIL: pytest.approx(16), ORANGE: pytest.approx(4)}


keys = st.sampled_from(["a", "b", "c", "d"])
some_lanes = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from(["gmail", "orange", "free"])),
    st.builds(
        LaneLimits,
        st.lists(keys, min_size=1, max_size=3, unique=True).map(tuple),
        weight=st.floats(1, 200),
    ),
    min_size=1,
)
some_rates = st.fixed_dictionaries(dict.fromkeys("abcd", st.floats(0.1, 1000)))


@given(some_lanes, some_rates)
def test_no_limit_is_exceeded_and_every_lane_is_stopped_by_one(
    lanes: dict[LaneKey, LaneLimits], rates: dict[str, float]
) -> None:
    given_rates = share_out(lanes, rates)
    users = {key: [lane for lane, limits in lanes.items() if key in limits.rates] for key in rates}
    used = {key: sum(given_rates[lane] for lane in users[key]) for key in rates}
    assert all(used[key] <= rates[key] * 1.001 for key in rates)
    turns = {lane: rate / lanes[lane].weight for lane, rate in given_rates.items()}
    for lane, limits in lanes.items():
        # Some limit of the lane is full, and there nobody gets more turns than it does.
        assert any(
            used[key] >= rates[key] * 0.999
            and all(turns[other] <= turns[lane] * 1.001 for other in users[key])
            for key in limits.rates
        )


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from([GMAIL, ORANGE]), st.integers(0, 5000), st.booleans()),
        max_size=8,
    )
)
def test_all_is_over_when_the_slowest_limit_is_through(
    wishes: list[tuple[int, LaneKey, int, bool]],
) -> None:
    queues = [a_queue(count, lane, campaign=number, urgent=urgent) for number, lane, count, urgent in wishes]
    courses = simulate(queues, TWO_LANES, RATES, {}, NOW)
    assert all(course.missed == 0 and course.finishes_at is not None for course in courses)
    through_orange = sum(queue.count for queue in queues if queue.lane == ORANGE) / 5
    altogether = max(through_orange, sum(queue.count for queue in queues) / 20)
    assert max(seconds(courses), default=0) == pytest.approx(altogether, abs=0.1)


def test_of_many_queues_the_ends_are_told_within_a_hundredth() -> None:
    lanes = {(number, "gmail"): LaneLimits((f"limit {number}",)) for number in range(300)}
    rates = {f"limit {number}": 1.0 for number in range(300)}
    queues = [a_queue(1000 + 7 * number, (number, "gmail")) for number in range(300)]
    for number, told in enumerate(seconds(simulate(queues, lanes, rates, {}, NOW))):
        assert 1000 + 7 * number <= told + 0.01 <= (1000 + 7 * number) * 1.011 + 0.01


def test_windows_without_an_opening_are_always_open() -> None:
    queue = Queue(1, GMAIL, 20, NOW)
    assert queue.windows == SendingWindows()
    assert seconds(simulate([queue], TWO_LANES, RATES, {}, NOW)) == [1]
