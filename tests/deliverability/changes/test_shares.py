"""Shares that moved: more than chance does, and enough to matter."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.assessment.intervals import difference_interval
from deliverability.changes.shares import RATES, share_changes
from deliverability.changes.values import Change, Turn
from deliverability.report_values import Counts


def sent(accepted: int, clicked: int = 0, **more: int) -> Counts:
    return Counts(
        accepted=accepted,
        deliveries=accepted,
        attempted=accepted,
        clicked=clicked,
        accepted_with_feed=accepted,
        **more,
    )


def told(before: dict[str, Counts], now: dict[str, Counts]) -> list[tuple[str, str, Turn]]:
    return [(str(one.values["key"]), one.provider, one.turn) for one in share_changes(before, now)]


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # R. Newcombe, Statistics in Medicine 17 (1998), table II, method 10: 56/70 against 48/80.
    found = difference_interval((48, 80), (56, 70))
    assert found == pytest.approx((0.0524, 0.3339), abs=0.0001)
    assert difference_interval((0, 10), (0, 20)) == pytest.approx((-0.2775, 0.1611), abs=0.0001)


def test_nothing_is_between_two_samples_of_which_one_is_empty() -> None:
    assert difference_interval((0, 0), (3, 10)) is None
    assert difference_interval((3, 10), (0, 0)) is None


def test_clicks_that_fall_by_half_are_worse_and_those_that_double_better() -> None:
    few, many = {"gmail": sent(10_000, 150)}, {"gmail": sent(10_000, 300)}
    assert told(many, few) == [("click", "", Turn.WORSE)]
    assert told(few, many) == [("click", "", Turn.BETTER)]


def test_what_chance_alone_may_do_is_no_news() -> None:
    assert told({"gmail": sent(1_000, 20)}, {"gmail": sent(1_000, 27)}) == []


def test_what_is_certain_and_does_not_matter_is_no_news() -> None:
    assert told({"gmail": sent(2_000_000, 60_000)}, {"gmail": sent(2_000_000, 62_000)}) == []


def test_ten_times_next_to_nothing_is_next_to_nothing() -> None:
    assert told({"gmail": sent(1_000_000, 10)}, {"gmail": sent(1_000_000, 100)}) == []


def test_too_few_messages_are_not_compared_at_all() -> None:
    assert told({"gmail": sent(99, 0)}, {"gmail": sent(99, 60)}) == []
    assert told({"gmail": sent(100, 0)}, {"gmail": sent(100, 60)}) == [("click", "", Turn.BETTER)]


def test_complaints_that_rise_are_worse() -> None:
    before, now = sent(50_000, complained=20), sent(50_000, complained=200)
    assert told({"orange": before}, {"orange": now}) == [("complaint", "", Turn.WORSE)]


def test_the_whole_names_where_most_of_it_happened() -> None:
    before = {"gmail": sent(10_000, 300), "orange": sent(10_000, 300), "free": sent(10_000, 300)}
    now = before | {"gmail": sent(10_000, 200), "orange": sent(10_000, 40)}
    (one,) = share_changes(before, now)
    assert (one.provider, one.values["providers"]) == ("", "orange,gmail")


def test_a_provider_that_goes_against_the_whole_is_told_apart() -> None:
    before = {"gmail": sent(40_000, 1_200), "orange": sent(10_000, 300)}
    now = {"gmail": sent(40_000, 2_400), "orange": sent(10_000, 60)}
    assert told(before, now) == [("click", "", Turn.BETTER), ("click", "orange", Turn.WORSE)]


def test_bounces_for_good_are_not_told_a_second_time_as_fewer_arrivals() -> None:
    bounced = Counts(accepted=9_000, refused=1_000, refused_hard=1_000, attempted=10_000)
    assert told({"sfr": sent(10_000)}, {"sfr": bounced}) == [("hard", "", Turn.WORSE)]
    soft = Counts(accepted=10_000, bounced_soft=900, attempted=10_000)
    assert told({"sfr": sent(10_000)}, {"sfr": soft}) == [("delivery", "", Turn.WORSE)]


def test_a_provider_nobody_wrote_to_before_is_not_compared() -> None:
    before, now = {"gmail": sent(1_000, 50)}, {"gmail": sent(1_000, 50), "free": sent(1_000)}
    assert [one for one in share_changes(before, now) if one.provider] == []


def test_under_chance_alone_an_alarm_is_rare_however_many_places_are_looked_at() -> None:
    dice = random.Random(7)
    places = ("gmail", "orange", "free", "sfr", "laposte", "outlook", "yahoo", "icloud")

    def a_campaign() -> dict[str, Counts]:
        return {place: sent(2_000, sum(dice.random() < 0.02 for _ in range(2_000))) for place in places}

    alarms = sum(bool(list(share_changes(a_campaign(), a_campaign(), ["click"]))) for _ in range(200))
    # One in twenty is what was asked for; so many more would come about once in a thousand times.
    assert alarms <= 20


counts = st.builds(
    lambda accepted, clicked, hard: Counts(
        accepted=accepted, clicked=min(clicked, accepted), bounced_hard=min(hard, accepted)
    ),
    *[st.integers(0, 5_000)] * 3,
)
lanes = st.dictionaries(st.sampled_from(["gmail", "orange", "free"]), counts)


@given(lanes, lanes)
def test_the_other_way_round_every_turn_is_the_other(
    before: dict[str, Counts], now: dict[str, Counts]
) -> None:
    def turns(changes: list[Change]) -> set[tuple[object, str, bool]]:
        return {(one.values["key"], one.provider, one.turn is Turn.WORSE) for one in changes}

    there, back = list(share_changes(before, now)), list(share_changes(now, before))
    assert turns(there) == {(key, place, not worse) for key, place, worse in turns(back)}
    assert all(one.values["key"] in RATES and one.turn is not Turn.NEWS for one in there)
    assert list(share_changes(now, now)) == []
