"""Shades that tell: darker is never less, bounds are round, nought is nought."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.place_scale import (
    SHADES,
    cuts_of_counts,
    cuts_of_shares,
    digits_for,
    rounded_up,
    shade_of,
    shades_for,
)

fractions = st.integers(0, 100_000).map(lambda number: number / 100_000)
shares = st.lists(st.tuples(fractions, st.integers(10, 100_000)), max_size=107)
counts = st.lists(st.integers(0, 10**7), max_size=107)


@given(shares=shares, counts=counts)
def test_darker_is_never_less(shares: list[tuple[float, int]], counts: list[int]) -> None:
    for values, cuts in (
        ([share for share, _ in shares], cuts_of_shares(shares)),
        ([float(count) for count in counts], cuts_of_counts(counts)),
    ):
        assert list(cuts) == sorted(set(cuts))
        assert len(cuts) < SHADES
        shades = [shade_of(value, cuts) for value in sorted(values)]
        assert shades == sorted(shades)
        assert all((shade == 0) == (value <= 0) for value, shade in zip(sorted(values), shades, strict=True))
        assert set(shades) <= {0, *shades_for(cuts)}


@given(st.floats(1e-6, 1e6))
def test_steps_are_rounded_up_to_one_two_or_five(step: float) -> None:
    rounded = rounded_up(step)
    assert step <= rounded * 1.000001 <= step * 2.6
    assert f"{rounded:.0e}"[0] in "125"


def test_one_small_place_gone_wild_does_not_take_the_shades_from_the_others() -> None:
    cuts = cuts_of_shares([(0.08, 1000)] * 50 + [(0.12, 1000)] * 40 + [(0.9, 12)])
    assert cuts == (0.05, 0.1, 0.15, 0.2)
    assert shade_of(0.08, cuts) != shade_of(0.12, cuts)
    assert shade_of(0.9, cuts) == SHADES


def test_numbers_are_cut_into_parts_of_about_as_many_places_in_two_figures() -> None:
    counts = [number * 37 for number in range(1, 101)]
    cuts = cuts_of_counts(counts)
    assert cuts == (780.0, 1600.0, 2300.0, 3000.0)
    in_each = [sum(shade_of(count, cuts) == shade for count in counts) for shade in range(1, 6)]
    assert all(15 <= many <= 25 for many in in_each)


@pytest.mark.parametrize(
    ("cuts", "digits"), [((), 0), ((0.05,), 0), ((0.01,), 0), ((0.002,), 1), ((0.0005,), 2)]
)
def test_percentages_are_written_with_the_digits_their_steps_need(
    cuts: tuple[float, ...], digits: int
) -> None:
    assert digits_for(cuts) == digits


def test_alike_places_have_one_shade_in_the_middle() -> None:
    assert cuts_of_counts([40, 40, 40]) == ()
    assert shade_of(40, ()) == 3
    assert cuts_of_shares([(0.0, 50)]) == ()
