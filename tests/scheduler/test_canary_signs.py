"""What a first slice shows, by its counts alone."""

from hypothesis import given
from hypothesis import strategies as st

from deliverability.report import Counts, ReportRow
from models.states import Channel
from scheduler.canary import Sign, weigh


def row(counts: Counts, provider: str | None = "gmail") -> ReportRow:
    return ReportRow(None, "", provider, "Gmail", counts)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_one_more_seed_in_spam_never_betters_the_sign(inbox: int, spam: int, missing: int) -> None:
    order = {Sign.GOOD: 0, Sign.UNKNOWN: 1, Sign.BAD: 2}

    def sign(more: int) -> Sign:
        counts = Counts(seeds_inbox=inbox, seeds_spam=spam + more, seeds_missing=missing)
        return weigh(row(counts, None), [row(counts)]).sign

    if sign(0) is not Sign.UNKNOWN:  # a seed that says something is better than none
        assert order[sign(1)] >= order[sign(0)]


def test_few_refusals_are_no_sign() -> None:
    counts = Counts(accepted=18, refused=2, refused_hard=2, seeds_inbox=3)
    assert weigh(row(counts, None), [row(counts)]).sign is Sign.GOOD
    many = Counts(accepted=180, refused=20, refused_hard=20, seeds_inbox=3)
    assert weigh(row(many, None), [row(many)]).code == "hard"


def test_one_bad_provider_is_enough() -> None:
    fine, bad = Counts(seeds_inbox=10), Counts(seeds_spam=2, seeds_inbox=1)
    found = weigh(row(fine + bad, None), [row(fine), row(bad, "orange")])
    assert (found.sign, found.code) == (Sign.BAD, "placement")
    assert found.reason == "Orange: 2 of 3 seeds in spam."


def test_channels_without_seeds_are_judged_by_their_refusals_alone() -> None:
    counts = Counts(accepted=100)
    assert weigh(row(counts, None), [row(counts, Channel.SMS.value)]).code == "unseen"
