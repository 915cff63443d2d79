"""How much mail people get: nobody is told of alone, and whether people tire is asked within campaigns."""

import random
from itertools import pairwise
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.assessment.pressure import (
    FEWEST,
    OR_MORE,
    SINGLE,
    Band,
    Heard,
    Reaction,
    Spread,
    bands_of,
    fatigue_curve,
    spread_bands,
)

counts = st.dictionaries(st.integers(0, 9), st.integers(0, 40), max_size=10)


@given(own=counts, of_all=counts)
def test_no_band_tells_of_fewer_than_ten_people(own: dict[int, int], of_all: dict[int, int]) -> None:
    spreads = [Spread(own), Spread(of_all)]
    bands = spread_bands(spreads)
    for spread in spreads:
        told = [band.sum(spread.people) for band in bands]
        if bands and spread.shown:
            assert all(count == 0 or count >= FEWEST for count in told)
            assert sum(told) == spread.whole


@given(own=counts)
def test_bands_follow_each_other_without_a_gap(own: dict[int, int]) -> None:
    bands = spread_bands([Spread(own)])
    if bands:
        assert bands[0].first == 0
        assert bands[-1].last is None
        assert all(one.last is not None and one.last + 1 == other.first for one, other in pairwise(bands))


def test_as_many_bands_are_told_as_there_are_people_for() -> None:
    assert spread_bands([Spread(dict.fromkeys(range(8), 10))]) == SINGLE
    assert spread_bands([Spread({0: 100, 1: 50, 2: 12, 3: 4, 4: 3, 6: 2})]) == (
        Band(0, 0),
        Band(1, 1),
        Band(2, None),
    )
    assert spread_bands([Spread({0: 4, 1: 50})])[0] == Band(0, 1)
    assert spread_bands([Spread({0: 4000, 1: 9})]) == ()


def test_two_that_stand_side_by_side_share_their_bands() -> None:
    """What one of them cannot show, the other does not show either: it would be told by the columns."""
    own, of_all = Spread({0: 900, 1: 95, 2: 5}), Spread({0: 500, 1: 300, 2: 200})
    assert spread_bands([of_all])[2] == Band(2, 2)
    assert spread_bands([own, of_all]) == (Band(0, 0), Band(1, None))


def test_nothing_is_told_where_not_even_all_together_can_be() -> None:
    assert bands_of(lambda _: False) == ()
    assert bands_of(lambda band: band == Band(0, None)) == (Band(0, None),)


@given(st.lists(st.integers(1, 30), min_size=FEWEST, max_size=200), st.sampled_from([0.5, 0.95]))
def test_quantiles_are_of_those_who_got_something(received: list[int], share: float) -> None:
    people = {number: received.count(number) for number in set(received)}
    found = Spread({0: 100_000, **people}).quantile(share)
    assert found is not None
    assert sum(one <= found for one in received) >= share * len(received)
    assert sum(one < found for one in received) < share * len(received)


def test_no_quantile_of_a_handful() -> None:
    assert Spread({0: 1000, 1: FEWEST - 1}).quantile(0.5) is None


def test_the_curve_counts_each_reaction_by_what_came_before() -> None:
    curve = fatigue_curve([Heard(1, 0, 1000, 50, 3, 1), Heard(1, 2, 200, 6, 2, 0), Heard(2, 2, 300, 9, 1, 1)])
    assert (curve.campaigns, curve.messages) == (2, 1500)
    line = next(one for one in curve.lines if one.band == Band(2, 2))
    assert line.messages == 500
    clicked = line.rates[Reaction.CLICKED]
    assert (clicked.part, clicked.value) == (15, 0.03)
    assert clicked.low < 0.03 < clicked.high
    assert line.rates[Reaction.COMPLAINED].part == 1


def test_ten_messages_to_the_same_few_people_are_not_ten_people() -> None:
    few = [Heard(campaign, 5, 4) for campaign in range(1, 6)]
    many = [Heard(campaign, 0, 100) for campaign in range(1, 6)]
    curve = fatigue_curve([*many, *few])
    assert not any(line.band.first == OR_MORE for line in curve.lines)
    assert sum(line.messages for line in curve.lines) == 520
    assert fatigue_curve([*many, *few, Heard(6, 5, 10)]).lines[-1].band.first == OR_MORE


def test_nothing_is_told_before_anything_was_counted() -> None:
    assert fatigue_curve([]).lines == ()
    assert fatigue_curve([Heard(1, 0, 4)]).lines == ()


def test_a_campaign_everybody_liked_is_no_proof_that_the_others_tire() -> None:
    """The liked one went to people who had had nothing: put together, many seem to make them click less."""
    liked, dull = (
        [Heard(1, 0, 9000, 900), Heard(1, 3, 1000, 100)],
        [Heard(2, 0, 1000, 20), Heard(2, 3, 9000, 180)],
    )
    curve = fatigue_curve([*liked, *dull])
    none, many = curve.lines[0].rates[Reaction.CLICKED], curve.lines[3].rates[Reaction.CLICKED]
    assert many.value < 0.4 * none.value
    assert curve.clicks is not None
    assert isclose(curve.clicks.value, 1)
    assert not curve.clicks.beyond_chance


def test_who_tires_within_each_campaign_is_seen() -> None:
    heard = [
        Heard(one, before, 5000, clicked, left)
        for one in (1, 2)
        for before, clicked, left in ((0, 250, 10), (3, 125, 30))
    ]
    curve = fatigue_curve(heard)
    assert curve.clicks is not None
    assert curve.tired is not None
    assert curve.clicks.many == 3
    assert isclose(curve.clicks.value, 0.5)
    assert curve.clicks.beyond_chance
    assert curve.clicks.high < 0.6
    assert isclose(curve.tired.value, 3)
    assert curve.tired.low > 1


def test_where_few_had_many_fewer_are_called_many() -> None:
    heard = [Heard(1, 0, 5000, 250), Heard(1, 1, 4000, 200), Heard(1, 3, 10, 1)]
    found = fatigue_curve(heard).clicks
    assert found is not None
    assert found.many == 1
    assert fatigue_curve([Heard(1, 0, 5000, 250), Heard(1, 3, 10, 1)]).clicks is None
    assert fatigue_curve([Heard(1, 0, 5000, 250), Heard(2, 3, 5000, 10)]).clicks is None


@pytest.mark.parametrize("true", [0.6, 1.0])
def test_the_interval_holds_the_truth_as_often_as_it_says(true: float) -> None:
    draw = random.Random(7)
    held = 0
    for _ in range(300):
        heard = [
            Heard(campaign, before, size, sum(draw.random() < rate * times for _ in range(size)))
            for campaign, rate in ((1, 0.05), (2, 0.12), (3, 0.03))
            for before, size, times in ((0, 600, 1.0), (3, 300, true))
        ]
        found = fatigue_curve(heard).clicks
        assert found is not None
        held += found.low <= true <= found.high
    assert 0.92 * 300 <= held <= 0.985 * 300
