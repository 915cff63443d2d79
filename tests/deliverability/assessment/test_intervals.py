"""Intervals hold the truth as often as they say, for few observations and for those that copy each other."""

from math import comb, exp, lgamma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.assessment.intervals import (
    clustered_interval,
    corrected_clustered_interval,
    corrected_interval,
    effective_number,
    wilson_interval,
)

counts = st.integers(0, 200).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


def chances(number: int, share: float, correlation: float) -> list[float]:
    """How likely each count is, of draws of which any two are correlated (beta-binomial)."""
    if not correlation:
        return [comb(number, k) * share**k * (1 - share) ** (number - k) for k in range(number + 1)]
    a, b = share * (1 / correlation - 1), (1 - share) * (1 / correlation - 1)
    return [
        comb(number, k)
        * exp(
            lgamma(k + a)
            + lgamma(number - k + b)
            - lgamma(number + a + b)
            + lgamma(a + b)
            - lgamma(a)
            - lgamma(b)
        )
        for k in range(number + 1)
    ]


def coverage(
    number: int, truths: list[float], true_correlation: float, assumed: float, *, corrected: bool
) -> float:
    """Exact, averaged over the truths: no drawing of lots."""
    make = corrected_clustered_interval if corrected else clustered_interval
    intervals = [make(k, number, assumed) or (0.0, 1.0) for k in range(number + 1)]
    held = 0.0
    for truth in truths:
        likely = chances(number, truth, true_correlation)
        held += sum(
            chance for chance, (low, high) in zip(likely, intervals, strict=True) if low <= truth <= high
        )
    return held / len(truths)


ANYWHERE = [(step + 0.5) / 200 for step in range(200)]
NEARLY_ALL = [0.9 + (step + 0.5) / 1000 for step in range(100)]


@pytest.mark.parametrize("number", [3, 5, 8, 12, 20, 30])
@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.1])
def test_an_interval_of_agreeing_seeds_holds_the_truth_as_often_as_it_says(
    number: int, correlation: float
) -> None:
    assert coverage(number, ANYWHERE, correlation, correlation, corrected=False) >= 0.95


def test_taken_for_independent_agreeing_seeds_promise_too_much() -> None:
    assert coverage(20, ANYWHERE, 0.1, 0.0, corrected=False) < 0.8


@pytest.mark.parametrize("number", [3, 5, 8, 12, 20, 30])
def test_the_corrected_interval_holds_it_near_the_ends_too(number: int) -> None:
    assert coverage(number, NEARLY_ALL, 0.0, 0.0, corrected=True) >= 0.95
    assert coverage(number, NEARLY_ALL, 0.05, 0.05, corrected=True) >= 0.95


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (5, 5, 57, 100),
        (9, 10, 60, 98),
        (18, 20, 70, 97),
        (27, 30, 74, 97),
        (45, 50, 79, 96),
        (0, 100, 0, 3.7),
    ],
)
def test_wilson_s_interval_is_the_published_one(part: int, whole: int, low: float, high: float) -> None:
    assert wilson_interval(part, whole) == pytest.approx((low / 100, high / 100), abs=0.006)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # Newcombe 1998, method 4.
    [(81, 263, 0.2535, 0.3682), (15, 148, 0.0598, 0.1644), (0, 20, 0.0, 0.2005), (1, 29, 0.0018, 0.1963)],
)
def test_the_corrected_interval_is_the_published_one(part: int, whole: int, low: float, high: float) -> None:
    assert corrected_interval(part, whole) == pytest.approx((low, high), abs=0.0002)


@given(counts, st.floats(0, 1))
def test_intervals_hold_what_was_seen_and_stay_between_nothing_and_all(
    seen: tuple[int, int], correlation: float
) -> None:
    part, whole = seen
    for make in (clustered_interval, corrected_clustered_interval):
        interval = make(part, whole, correlation)
        if not whole:
            assert interval is None
            continue
        assert interval is not None
        low, high = interval
        assert 0 <= low <= part / whole + 1e-12
        assert part / whole - 1e-12 <= high <= 1


@given(counts.filter(lambda seen: seen[1] > 1), st.floats(0, 0.9))
def test_the_more_seeds_agree_the_less_they_tell(seen: tuple[int, int], correlation: float) -> None:
    part, whole = seen
    low, high = clustered_interval(part, whole, correlation) or (0.0, 1.0)
    lower, higher = clustered_interval(part, whole, correlation + 0.1) or (0.0, 1.0)
    assert higher - lower >= high - low


@given(st.integers(0, 10_000), st.floats(allow_nan=True, allow_infinity=True))
def test_many_are_worth_no_more_than_they_are_and_no_less_than_one(whole: int, correlation: float) -> None:
    worth = effective_number(whole, correlation)
    assert min(whole, 1) <= worth + 1e-9
    assert worth <= whole


def test_any_number_of_seeds_is_worth_less_than_the_inverse_of_their_correlation() -> None:
    assert effective_number(1_000_000, 0.05) == pytest.approx(20, abs=0.01)
    assert effective_number(12, 1.0) == pytest.approx(1)
    assert effective_number(12, 0.0) == 12


@given(st.integers(1, 500), st.floats(0, 1))
def test_where_all_agree_nothing_and_all_are_within_to_the_last_digit(whole: int, correlation: float) -> None:
    for make in (clustered_interval, corrected_clustered_interval):
        none, every = make(0, whole, correlation), make(whole, whole, correlation)
        assert none is not None
        assert every is not None
        assert (none[0], every[1]) == (0.0, 1.0)
