"""Verdicts that are others than before, findings that came and went, feeds that fell silent."""

from datetime import datetime, timedelta

import pytest

from deliverability.assessment.values import Status
from deliverability.changes.feeds import silent_feeds
from deliverability.changes.values import Change, ChangeCode, Turn
from deliverability.changes.verdicts import finding_changes, turn_of
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding, finding_to_json
from models.health import HealthCheck, HealthLevel
from store.feed_news import FeedWord
from tests.clocks import START

GREEN, GREY, AMBER, RED = Status
PROBLEM, WARNING, FINE, UNKNOWN = (
    FindingLevel.PROBLEM,
    FindingLevel.WARNING,
    FindingLevel.FINE,
    FindingLevel.UNKNOWN,
)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("before", "now", "turn"),
    [
        (GREEN, GREEN, None),
        (GREEN, RED, Turn.WORSE),
        (GREY, AMBER, Turn.WORSE),
        (AMBER, RED, Turn.WORSE),
        (RED, AMBER, Turn.BETTER),
        (RED, GREEN, Turn.BETTER),
        # Nobody saw that it got better.
        (RED, GREY, Turn.NEWS),
        (GREEN, GREY, Turn.NEWS),
        (GREY, GREEN, Turn.NEWS),
    ],
)
def test_which_way_the_light_went(before: Status, now: Status, turn: Turn | None) -> None:
    assert turn_of(before, now) is turn


def a_look(number: int, *findings: tuple[HealthCode, FindingLevel, str]) -> HealthCheck:
    return HealthCheck(
        id=number,
        identity_id=1,
        checked_at=START + number * HOUR,
        level=HealthLevel.WARNING,
        findings=[
            finding_to_json(HealthFinding(code, level, {"name": name})) for code, level, name in findings
        ],
    )


def found(before: HealthCheck | None, now: HealthCheck | None) -> list[tuple[ChangeCode, str, Turn]]:
    return [(one.code, str(one.values["key"]), one.turn) for one in finding_changes(1, before, now)]


def test_what_a_later_look_found_is_new_and_what_it_finds_no_more_is_gone() -> None:
    missing = (HealthCode.RETURN_PATH_NO_MX, PROBLEM, "bounce.parti.example")
    no_mail = (HealthCode.FROM_DOMAIN_NO_MX, WARNING, "parti.example")
    assert found(a_look(1, missing), a_look(2, no_mail)) == [
        (ChangeCode.FINDING_NEW, "from_domain_no_mx", Turn.WORSE),
        (ChangeCode.FINDING_GONE, "return_path_no_mx", Turn.BETTER),
    ]
    assert found(a_look(1, missing), a_look(2, missing)) == []


def test_the_same_finding_of_another_name_is_new() -> None:
    first = (HealthCode.RETURN_PATH_NO_MX, PROBLEM, "a.example")
    second = (HealthCode.RETURN_PATH_NO_MX, PROBLEM, "b.example")
    assert len(found(a_look(1, first), a_look(2, second))) == 2


def test_good_words_are_no_news_and_a_question_without_answer_takes_nothing_away() -> None:
    fine = (HealthCode.RETURN_PATH_FINE, FINE, "a.example")
    missing = (HealthCode.RETURN_PATH_NO_MX, PROBLEM, "a.example")
    silent = (HealthCode.RETURN_PATH_UNKNOWN, UNKNOWN, "a.example")
    assert found(a_look(1, fine), a_look(2, fine)) == []
    assert found(a_look(1, missing), a_look(2, silent)) == []
    assert found(a_look(1, silent), a_look(2, missing)) == []


def test_a_first_look_brings_no_news() -> None:
    missing = (HealthCode.RETURN_PATH_NO_MX, PROBLEM, "a.example")
    assert found(None, a_look(2, missing)) == []
    assert found(a_look(2, missing), None) == []


def silent(words: list[FeedWord], sent_at: datetime | None, now: datetime) -> list[Change]:
    return list(silent_feeds(words, sent_at, now))


def test_a_feed_is_silent_only_after_mail_was_sent_and_its_time_has_passed() -> None:
    hook = [FeedWord("hook", "sendgrid", START)]
    sent_at = START + 30 * HOUR
    assert silent(hook, None, START + 1_000 * HOUR) == []
    assert silent(hook, START - HOUR, START + 1_000 * HOUR) == []
    assert silent(hook, sent_at, sent_at + 24 * HOUR) == []
    (one,) = silent(hook, sent_at, sent_at + 25 * HOUR)
    assert (one.code, one.turn, one.at) == (ChangeCode.FEED_SILENT, Turn.WORSE, START)


def test_each_kind_of_feed_has_its_own_patience() -> None:
    words = [FeedWord(kind, kind, START) for kind in ("hook", "declared", "dmarc")]
    names = [
        [one.values["name"] for one in silent(words, START + HOUR, START + at * HOUR)] for at in (26, 74, 98)
    ]
    assert names == [["hook"], ["dmarc", "hook"], ["declared", "dmarc", "hook"]]


def test_seeds_are_read_whether_mail_was_sent_or_not() -> None:
    seeds = [FeedWord("seeds", "orange", START, waits=False, number=3)]
    assert silent(seeds, None, START + 24 * HOUR) == []
    (one,) = silent(seeds, None, START + 25 * HOUR)
    assert (one.provider, one.values["number"]) == ("orange", 3)
