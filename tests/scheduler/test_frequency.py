"""How often one person is written to, in any rolling span."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError
from models.states import Channel
from scheduler.frequency import (
    USUAL,
    FrequencyPolicy,
    FrequencyWindow,
    Touch,
    next_eligible,
    read_windows,
    write_windows,
)

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def touches(*ago: timedelta, channel: Channel = Channel.EMAIL) -> list[Touch]:
    return [(channel, NOW - span) for span in ago]


def test_who_got_nothing_may_be_written_to_now() -> None:
    assert next_eligible([], Channel.EMAIL, NOW, USUAL) is None
    assert next_eligible([], Channel.SMS, NOW, USUAL) is None


def test_a_second_message_waits_until_a_day_is_over() -> None:
    assert next_eligible(touches(5 * HOUR), Channel.EMAIL, NOW, USUAL) == NOW + 19 * HOUR
    assert next_eligible(touches(24 * HOUR), Channel.EMAIL, NOW, USUAL) is None


def test_the_other_channel_is_no_way_round() -> None:
    by_telephone = touches(5 * HOUR, channel=Channel.SMS)
    assert next_eligible(by_telephone, Channel.EMAIL, NOW, USUAL) == NOW + 19 * HOUR
    assert next_eligible(touches(5 * HOUR), Channel.SMS, NOW, USUAL) == NOW + 19 * HOUR


def test_text_messages_have_their_own_stricter_limit() -> None:
    by_telephone = touches(3 * DAY, channel=Channel.SMS)
    assert next_eligible(by_telephone, Channel.SMS, NOW, USUAL) == NOW + 4 * DAY
    assert next_eligible(by_telephone, Channel.EMAIL, NOW, USUAL) is None


def test_three_in_seven_days_wait_for_the_oldest_to_age() -> None:
    assert next_eligible(touches(6 * DAY, 4 * DAY, 2 * DAY), Channel.EMAIL, NOW, USUAL) == NOW + DAY


def test_one_planned_for_later_needs_its_room_too() -> None:
    planned = [(Channel.EMAIL, NOW + 10 * HOUR)]
    assert next_eligible(planned, Channel.EMAIL, NOW, USUAL) == NOW + 34 * HOUR


def test_without_a_window_there_is_no_limit() -> None:
    assert next_eligible(touches(HOUR, HOUR), Channel.EMAIL, NOW, FrequencyPolicy()) is None
    assert FrequencyPolicy().longest == timedelta(0)
    assert USUAL.longest == 30 * DAY


windows_written = st.lists(
    st.builds(
        FrequencyWindow,
        most=st.integers(1, 9),
        span=st.integers(1, 24 * 40).map(lambda hours: hours * HOUR),
        channel=st.just(None),
    ),
    max_size=4,
)


@given(windows_written)
def test_what_is_written_is_read_back(windows: list[FrequencyWindow]) -> None:
    assert read_windows(write_windows(windows)) == tuple(windows)


@pytest.mark.parametrize("text", ["one a day", "0/24h", "1/0d", "1/24", "1/2m", "1/999d", "-1/2d", "1//2d"])
def test_what_cannot_be_understood_is_told(text: str) -> None:
    with pytest.raises(BadInputError, match="1/24h 3/7d 8/30d"):
        read_windows(text)


def test_off_is_no_limit() -> None:
    assert read_windows("off") == read_windows(" ") == ()


channels = st.sampled_from(list(Channel))
policies = st.lists(
    st.builds(
        FrequencyWindow,
        most=st.integers(1, 4),
        span=st.integers(1, 100).map(lambda hours: hours * HOUR),
        channel=st.sampled_from([None, *Channel]),
    ),
    min_size=1,
    max_size=4,
).map(lambda windows: FrequencyPolicy(tuple(windows)))


def too_many(policy: FrequencyPolicy, got: list[Touch]) -> bool:
    """Whether some span holds more than the policy says: counted the plain way, from each message on."""
    for window in policy.windows:
        moments = [at for by, at in got if window.channel in {None, by}]
        if any(sum(start <= at < start + window.span for at in moments) > window.most for start in moments):
            return True
    return False


@given(policies, st.lists(st.tuples(channels, st.integers(0, 200)), max_size=30))
def test_who_is_asked_for_each_message_never_gets_too_many(
    policy: FrequencyPolicy, wishes: list[tuple[Channel, int]]
) -> None:
    got: list[Touch] = []
    for channel, hours in sorted(wishes, key=lambda wish: wish[1]):
        at = NOW + hours * HOUR
        next_at = next_eligible(got, channel, at, policy)
        if next_at is None:
            got.append((channel, at))
        else:
            assert next_at > at
            assert too_many(policy, [*got, (channel, at)])
            assert not too_many(policy, [*got, (channel, next_at)])
            assert too_many(policy, [*got, (channel, next_at - timedelta(seconds=1))])
    assert not too_many(policy, got)
