"""What to do next: the gravest first, the sender's own part before any provider's, each step once."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.assessment.advice import STEPS, advise
from deliverability.assessment.facts import (
    ClickChange,
    ClickReason,
    Clicks,
    Declared,
    ProviderFacts,
    SeedCounts,
)
from deliverability.assessment.gaps import gaps_of
from deliverability.assessment.values import EvidenceKind, Status
from deliverability.assessment.verdicts import assess_provider
from deliverability.assessment.whole import LaneAssessment, in_order, status_of
from deliverability.report_values import Counts
from models.declared import DeclaredSource
from tests.deliverability.assessment.strategies import facts as any_facts

SENT = Counts(accepted=6000, attempted=6000, deliveries=6000, accepted_with_feed=6000, waiting=10)
FALLEN = ClickChange(
    ClickReason.ASSESSED, Clicks(50, 6000), 0.3, 1.0, -1.2, 0.0001, collapsed=True, campaigns=6
)


def lane(
    provider: str, share: float, facts: ProviderFacts | None = None, *, identity: int = 1
) -> LaneAssessment:
    facts = facts or ProviderFacts(provider, SENT)
    return LaneAssessment(
        identity, f"sender {identity}", provider, provider.title(), share, facts, assess_provider(facts)
    )


def in_spam(provider: str) -> ProviderFacts:
    return ProviderFacts(provider, SENT, SeedCounts(inbox=1, spam=5))


def test_spam_at_one_provider_is_treated_there() -> None:
    advice = advise([lane("orange", 0.2, in_spam("orange")), lane("gmail", 0.8)], {})
    assert [(each.code, each.provider) for each in advice] == [
        ("hold_rest", "orange"),
        ("write_to_engaged_first", "orange"),
        ("add_seeds", "gmail"),
    ]
    assert advice[0].values["spam"] == 5
    assert [piece.kind for piece in advice[0].evidence] == [EvidenceKind.SEEDS]


def test_nothing_is_held_where_all_of_it_has_left() -> None:
    over = replace(in_spam("orange"), counts=replace(SENT, waiting=0))
    codes = [each.code for each in advise([lane("orange", 0.2, over)], {})]
    assert "hold_rest" not in codes
    assert "write_to_engaged_first" in codes


def test_spam_at_several_providers_is_first_of_all_the_sender_s_own_doing() -> None:
    advice = advise([lane("orange", 0.2, in_spam("orange")), lane("gmail", 0.8, in_spam("gmail"))], {})
    assert (advice[0].code, advice[0].provider, advice[0].status) == ("check_own_mail", "", Status.RED)
    assert advice[0].values["providers"] == "Orange, Gmail"
    # Then the provider with most of the list.
    assert [(each.code, each.provider) for each in advice[1:3]] == [
        ("hold_rest", "gmail"),
        ("hold_rest", "orange"),
    ]


def test_two_senders_in_spam_at_one_provider_each_are_two_stories() -> None:
    lanes = [lane("orange", 0.2, in_spam("orange")), lane("gmail", 0.8, in_spam("gmail"), identity=2)]
    assert "check_own_mail" not in {each.code for each in advise(lanes, {})}


def test_seeds_are_not_asked_for_where_hardly_anybody_is() -> None:
    assert advise([lane("gmx", 0.01)], {}) == ()
    assert [each.code for each in advise([lane("gmx", 0.05)], {})] == ["add_seeds"]


def test_of_two_senders_alike_the_order_is_always_the_same() -> None:
    lanes = [lane("gmail", 0.5, in_spam("gmail"), identity=number) for number in (1, 2)]
    assert advise(lanes, {}) == advise(lanes[::-1], {})


def test_fewer_clicks_everywhere_are_looked_for_in_the_subject() -> None:
    (advice,) = advise([], {7: FALLEN})
    assert (advice.code, advice.identity_id, advice.values["ratio"]) == ("look_at_subject", 7, 0.3)
    assert advise([], {7: replace(FALLEN, collapsed=False)}) == ()


@given(st.lists(st.tuples(any_facts, st.floats(0, 1), st.integers(1, 3)), max_size=6))
def test_each_step_is_told_once_and_the_gravest_first(cases: list[tuple[ProviderFacts, float, int]]) -> None:
    lanes = [lane(facts.provider, share, facts, identity=number) for facts, share, number in cases]
    advice = advise(lanes, {1: FALLEN})
    told = [(each.code, each.identity_id, each.provider) for each in advice]
    assert len(told) == len(set(told))
    gravities = [each.status.gravity for each in advice]
    assert gravities == sorted(gravities, reverse=True)
    assert advise(list(reversed(lanes)), {1: FALLEN}) == advice or len({each[2] for each in cases}) < len(
        cases
    )


def test_every_reason_that_is_bad_news_calls_for_something() -> None:
    assert not [code for code, steps in STEPS.items() if not steps]


@pytest.mark.parametrize(
    ("shares", "status"),
    [
        ({"red": 0.25, "green": 0.75}, Status.RED),
        ({"red": 0.2, "green": 0.8}, Status.AMBER),
        ({"red": 0.005, "green": 0.995}, Status.GREEN),
        ({"grey": 0.5, "green": 0.5}, Status.GREEN),
        ({"grey": 0.6, "green": 0.4}, Status.GREY),
        ({}, Status.GREY),
    ],
)
def test_the_whole_is_as_bad_as_enough_of_it(shares: dict[str, float], status: Status) -> None:
    seeds = {"red": SeedCounts(spam=5), "green": SeedCounts(inbox=5), "grey": SeedCounts()}
    lanes = [lane(name, share, ProviderFacts(name, SENT, seeds[name])) for name, share in shares.items()]
    assert status_of(lanes) is status


def test_the_gravest_lane_stands_first() -> None:
    lanes = in_order([lane("gmail", 0.6), lane("orange", 0.1, in_spam("orange")), lane("free", 0.3)])
    assert [each.provider for each in lanes] == ["orange", "gmail", "free"]


def test_gaps_name_who_and_how_much_of_the_list() -> None:
    lanes = [lane("gmail", 0.5), lane("orange", 0.3, in_spam("orange")), lane("gmx", 0.2)]
    gaps = {(gap.code, gap.values.get("source", "")): gap.values for gap in gaps_of(lanes, [])}
    assert gaps["untested", ""] == {"providers": "Gmail, Gmx", "share": pytest.approx(0.7)}
    assert gaps["no_complaint_feed", ""]["providers"] == "Gmail"
    assert ("nothing_declared", "gmail_postmaster") in gaps
    assert ("nothing_declared", "signal_spam") in gaps
    assert ("nothing_declared", "microsoft_snds") not in gaps


@pytest.mark.parametrize(
    ("source", "metric", "provider", "words", "step"),
    [
        (DeclaredSource.MICROSOFT_SNDS, "filter_result", "outlook", "red", "write_to_engaged_first"),
        (DeclaredSource.GMAIL_POSTMASTER, "compliance_spf", "gmail", "needs_work", "mend_authentication"),
    ],
)
def test_what_a_provider_declares_is_answered_by_what_it_is_about(
    source: DeclaredSource, metric: str, provider: str, words: str, step: str
) -> None:
    """That authentication needs work is not mended by writing less often."""
    declared = Declared(source, metric, date(2026, 3, 12), words=words)
    advice = advise([lane(provider, 0.01, ProviderFacts(provider, SENT, declared=(declared,)))], {})
    assert [each.code for each in advice] == [step]
