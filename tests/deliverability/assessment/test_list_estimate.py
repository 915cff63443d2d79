"""The inbox placement of a list: weighed by its own providers, and never sure of what nobody looked at."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deliverability.assessment.placement import PlacementPart, list_estimate

parts = st.lists(
    st.tuples(st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 60), st.integers(-5, 60)).map(
        lambda row: PlacementPart(*row)
    ),
    max_size=12,
)
sound = st.lists(
    st.tuples(st.floats(0.01, 1), st.integers(0, 30)).flatmap(
        lambda row: st.integers(0, row[1]).map(lambda inbox: PlacementPart(row[0], inbox, row[1]))
    ),
    min_size=1,
    max_size=10,
)


def test_a_provider_counts_as_much_as_its_share_of_the_list_not_of_the_seeds() -> None:
    estimate = list_estimate([PlacementPart(0.9, 10, 10), PlacementPart(0.1, 0, 100)])
    assert estimate.measured == pytest.approx(0.9)


def test_what_no_seed_was_at_is_between_all_lost_and_all_arrived() -> None:
    estimate = list_estimate([PlacementPart(83, 24, 30), PlacementPart(17, 0, 0)])
    assert (estimate.measured_share, estimate.unknown_share) == pytest.approx((0.83, 0.17))
    assert estimate.measured_low is not None
    assert estimate.measured_high is not None
    assert estimate.low == pytest.approx(0.83 * estimate.measured_low)
    assert estimate.high == pytest.approx(0.83 * estimate.measured_high + 0.17)


def test_the_sketch_of_the_report_comes_out() -> None:
    # 71 to 93 % of the measured 83 % of the list, and 17 % unknown: 59 to 94 % of the whole.
    estimate = list_estimate([PlacementPart(0.83, 42, 50), PlacementPart(0.17, 0, 0)], correlation=0.0)
    assert (estimate.measured_low, estimate.measured_high) == pytest.approx((0.70, 0.92), abs=0.01)
    assert (estimate.low, estimate.high) == pytest.approx((0.58, 0.94), abs=0.01)


def test_five_seeds_that_agree_are_no_certainty() -> None:
    estimate = list_estimate([PlacementPart(0.5, 5, 5), PlacementPart(0.5, 5, 5)])
    assert estimate.measured == 1
    assert estimate.measured_low is not None
    assert estimate.measured_low < 0.65
    assert estimate.high == 1


def test_several_providers_together_are_surer_than_each() -> None:
    one = list_estimate([PlacementPart(1, 5, 5, "gmail")])
    four = list_estimate([PlacementPart(1, 5, 5, name) for name in ("gmail", "orange", "free", "sfr")])
    assert four.low > one.low + 0.1


def test_identities_at_one_provider_share_its_error() -> None:
    apart = list_estimate([PlacementPart(1, 4, 5, "gmail"), PlacementPart(1, 4, 5, "orange")])
    same = list_estimate([PlacementPart(1, 4, 5, "gmail"), PlacementPart(1, 4, 5, "gmail")])
    assert same.low < apart.low
    assert same.high > apart.high


def test_a_list_without_any_seed_is_wholly_unknown() -> None:
    estimate = list_estimate([PlacementPart(3, 0, 0), PlacementPart(4, 0, 0)])
    assert (estimate.low, estimate.high, estimate.unknown_share, estimate.measured) == (0, 1, 1, None)
    assert not estimate.assessable


def test_little_tested_is_said_to_be_too_little() -> None:
    assert not list_estimate([PlacementPart(0.4, 20, 20), PlacementPart(0.6, 0, 0)]).assessable
    assert list_estimate([PlacementPart(0.6, 20, 20), PlacementPart(0.4, 0, 0)]).assessable


@given(parts)
@example([PlacementPart(9e307, 0, 1), PlacementPart(9e307, 0, 1)])
@example([PlacementPart(1e308, 0, 0), PlacementPart(5e-324, 1, 1)])
def test_whatever_comes_in_a_band_comes_out(given_parts: list[PlacementPart]) -> None:
    estimate = list_estimate(given_parts)
    assert 0 <= estimate.low <= estimate.high <= 1
    assert estimate.measured_share + estimate.unknown_share == pytest.approx(1)


@given(sound)
def test_the_band_holds_what_was_seen_and_what_may_be(given_parts: list[PlacementPart]) -> None:
    estimate = list_estimate(given_parts)
    whole = sum(part.share for part in given_parts)
    seen = sum(part.share * part.inbox / part.n for part in given_parts if part.n) / whole
    assert estimate.low <= seen + 1e-9
    assert estimate.high >= seen + estimate.unknown_share - 1e-9


@given(sound, st.floats(0.1, 100))
def test_counts_of_people_do_as_well_as_shares(given_parts: list[PlacementPart], factor: float) -> None:
    more = [PlacementPart(part.share * factor, part.inbox, part.n) for part in given_parts]
    assert list_estimate(more).low == pytest.approx(list_estimate(given_parts).low)


@given(sound)
def test_one_more_seed_in_the_inbox_never_lowers_the_estimate(given_parts: list[PlacementPart]) -> None:
    first, *others = given_parts
    if first.inbox >= first.n:
        return
    better = [PlacementPart(first.share, first.inbox + 1, first.n), *others]
    assert (list_estimate(better).measured or 0) >= (list_estimate(given_parts).measured or 0) - 1e-12
