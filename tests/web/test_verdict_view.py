"""What is said of several senders together: the headline and the advice agree with the lines below them."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from deliverability.assessment import Status
from deliverability.assessment.facts import SeedCounts
from deliverability.assessment.placement import list_estimate
from deliverability.assessment.verdicts import assess_provider
from deliverability.assessment.whole import CampaignAssessment, LaneAssessment, SenderEstimate
from deliverability.report_values import Counts
from tests.clocks import START
from tests.deliverability.test_merging import lane
from web.i18n import Tongue
from web.verdict_view import Verdicts, verdicts_of

FEW = SeedCounts(inbox=3)


def with_dead_addresses(one: LaneAssessment) -> LaneAssessment:
    counts = Counts(accepted=92, deliveries=100, attempted=100, refused=8, refused_hard=8)
    facts = replace(one.facts, counts=counts)
    return replace(one, facts=facts, assessment=assess_provider(facts))


def told(*lanes: LaneAssessment) -> Verdicts:
    whole = list_estimate([])
    senders = tuple(SenderEstimate(number, f"Identity {number}", whole) for number in (1, 2))
    found = CampaignAssessment(1, START, Status.AMBER, lanes, whole, senders)
    return verdicts_of(found, Tongue("en", ZoneInfo("Europe/Paris")))


@pytest.fixture
def seen() -> Verdicts:
    """One of two senders writes to dead addresses at Yahoo; together they are in the inbox everywhere."""
    yahoo = (with_dead_addresses(lane(1, "yahoo", FEW)), lane(2, "yahoo", FEW, people=2_000))
    return told(*yahoo, lane(1, "gmail", FEW), lane(2, "gmail", FEW))


def test_who_fares_worse_alone_is_named_with_the_place(seen: Verdicts) -> None:
    assert {one.provider: one.tone for one in seen.providers} == {"Gmail": "good", "Yahoo": "good"}
    assert seen.headline == "Yahoo (Identity 1): bounces; nothing to see elsewhere."


def test_seeds_that_are_enough_for_all_together_are_not_asked_for_again(seen: Verdicts) -> None:
    (step,) = [one.text for one in seen.advice]
    assert step.startswith("Ask where these addresses at Yahoo come from")


def test_where_every_provider_is_named_there_is_no_elsewhere() -> None:
    one = with_dead_addresses(lane(1, "yahoo", FEW))
    assert told(one, lane(2, "yahoo", FEW, people=2_000)).headline == "Yahoo (Identity 1): bounces."


def test_seeds_that_are_lacking_at_several_providers_are_asked_for_in_one_line() -> None:
    few = SeedCounts(inbox=2)
    lanes = [lane(1, name, few) for name in ("gmail", "yahoo", "orange")]
    (step,) = [one.text for one in told(*lanes).advice]
    assert step.startswith("Add seed mailboxes; there are too few to tell where it lands.")
    assert step.endswith("Where this list is: Gmail (25%), Orange (25%), Yahoo (25%).")
    (alone,) = [one.text for one in told(lanes[0]).advice]
    assert alone.startswith("Add seed mailboxes at Gmail: ")
