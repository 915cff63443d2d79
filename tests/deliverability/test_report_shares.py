"""Shares name what they are shares of, and never exceed it; answers are shown with their code once."""

import pytest

from deliverability.assessment.limits import limits
from deliverability.report import Counts, Share, campaign_report, wilson_interval
from deliverability.report_values import FEEDLESS, Refusal
from models.states import EventKind
from store import Database
from tests.clocks import START
from tests.deliverability.rows import a_launched_campaign
from tests.deliverability.test_report import a_history


def test_people_complain_and_leave_though_their_message_comes_back_later() -> None:
    counts = Counts(
        accepted=3,
        bounced_hard=3,
        complained=2,
        unsubscribed=3,
        clicked=1,
        accepted_with_feed=3,
        deliveries=3,
    )
    assert (counts.arrived, counts.complaint_rate, counts.unsubscribe_rate, counts.click_rate) == (
        0,
        Share(2, 3),
        Share(3, 3),
        Share(1, 3),
    )


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(5, 5, 0.57, 1.0), (9, 10, 0.60, 0.98), (0, 5, 0.0, 0.43), (90, 100, 0.83, 0.94)],
)
def test_few_seeds_give_a_wide_interval(part: int, whole: int, low: float, high: float) -> None:
    interval = wilson_interval(part, whole)
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=0.01)


def test_a_share_of_nothing_has_no_value() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


async def test_complaints_are_a_share_of_what_was_accepted_where_they_are_told(database: Database) -> None:
    history = [
        ("gmail", "accepted", []),
        ("gmail", "accepted", []),
        ("orange", "accepted", ["complained"]),
        ("orange", "accepted", ["bounced"]),
        ("orange", "accepted", []),
    ]
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        await a_history(session, campaign, history)
    async with database.read() as session:
        report = await campaign_report(session, campaign.id, START)
    rate = report.total.counts.complaint_rate
    # One of the three came back, as the one complained about might have.
    assert (rate.part, rate.whole) == (1, 3)


@pytest.mark.parametrize(
    ("code", "enhanced", "example", "said"),
    [
        (550, "5.1.1", "smtp;550 5.1.1 no such user", "550 5.1.1 no such user"),
        (550, "5.1.1", "unknown user", "550 5.1.1 unknown user"),
        (550, "5.1.1", "5.1.1 unknown user", "550 5.1.1 unknown user"),
        (550, "5.1.1", "550 5.1.1 unknown user", "550 5.1.1 unknown user"),
        (30005, None, "", "30005"),
        (None, None, "connection lost", "connection lost"),
    ],
)
def test_an_answer_is_shown_with_its_code_once(
    code: int | None, enhanced: str | None, example: str, said: str
) -> None:
    refusal = Refusal("orange", "Orange", EventKind.REFUSED, None, code, enhanced, example, 1)
    assert refusal.said == said


def test_who_tells_nobody_of_complaints_is_the_same_in_reports_and_verdicts() -> None:
    assert limits().feeds.none == FEEDLESS
