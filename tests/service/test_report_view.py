"""The report on the terminal: what it says, and that it fits."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from deliverability.report import CampaignReport, Counts, ReportRow
from deliverability.report_values import Refusal
from models.states import BounceClass, CampaignState, Channel, EventKind, LeftOutReason
from service.report_notes import Grade, percent, verdict
from service.report_view import print_report

START = datetime(2026, 3, 12, 17, 30, tzinfo=UTC)


def some_counts(*, accepted: int, refused: int = 0, **others: int) -> Counts:
    deliveries = accepted + refused + others.get("waiting", 0)
    return Counts(
        accepted=accepted,
        refused=refused,
        deliveries=deliveries,
        attempted=deliveries,
        **{"accepted_with_feed": accepted, **others},
    )


def a_report(channel: Channel = Channel.EMAIL, **providers: Counts) -> CampaignReport:
    rows = tuple(
        ReportRow(None, "", key, {"gmail": "Gmail", "orange": "Orange"}.get(key, key), counts)
        for key, counts in providers.items()
    )
    total = sum(providers.values(), Counts())
    return CampaignReport(
        campaign_id=3,
        name="Réunion publique Lyon",
        channel=channel,
        state=CampaignState.FINISHED,
        problem="",
        starts_at=START,
        launched_at=START,
        finished_at=START + timedelta(minutes=42),
        made_at=START + timedelta(hours=1),
        expanded=True,
        frozen=total.deliveries,
        total=ReportRow(None, "", None, "", total, total.deliveries + 1102, {LeftOutReason.NO_CONSENT: 1102}),
        by_identity=(ReportRow(1, "Les Amis du département du Rhône", None, "", total),),
        by_provider=rows,
        by_identity_and_provider=tuple(replace(row, identity_id=1) for row in rows),
        refusals=(
            Refusal(
                *("orange", "Orange", EventKind.REFUSED, BounceClass.SPAM, 550, "5.7.1"),
                example="OFR_506 [506] Mail rejected for content reasons, and many more words about it " * 2,
                deliveries=31,
            ),
        ),
        bucket_seconds=60,
        over_time=(),
    )


def printed(report: CampaignReport, *, width: int = 100, terminal: bool = True, stopped: int = 0) -> str:
    paper = io.StringIO()
    console = Console(file=paper, width=width, force_terminal=terminal, no_color=True)
    print_report(report, "Europe/Paris", console, stopped=stopped)
    return re.sub(r"\x1b\[[0-9;]*m", "", paper.getvalue()) if terminal else paper.getvalue()


GOOD = some_counts(accepted=15_830, refused=100, refused_hard=60, deferred=50, clicked=1200)
SEEDS = {"seeds_inbox": 9, "seeds_spam": 3}


def test_the_report_says_how_many_were_reached_left_out_and_why() -> None:
    text = printed(a_report(gmail=GOOD))
    assert "17,032 targeted → 15,930 messages → 15,930 sent → 15,830 accepted" in text
    assert "Left out: no consent 1,102" in text
    assert "12 March 2026, 18:30 to 19:12 (Europe/Paris)" in text


def test_what_a_vote_kept_here_is_told() -> None:
    report = a_report(gmail=GOOD)
    total = replace(report.total, left_out={LeftOutReason.ELECTION: 1_102})
    text = printed(replace(report, total=total), stopped=1_240)
    assert "Left out: in election silence 1,102" in text
    assert "Stopped by election silence: 1,240 messages that had not left in time" in text
    assert "election" not in printed(report)


def test_the_proof_is_two_sums_that_anybody_can_add_up() -> None:
    text = printed(a_report(gmail=GOOD))
    assert "✓ 17,032 targeted = 1,102 left out + 15,930 messages" in text
    assert "✓ 15,930 messages = 15,830 accepted + 100 refused" in text


def test_one_message_is_told_as_one() -> None:
    text = printed(a_report(gmail=some_counts(accepted=1)))
    assert "left out + 1 message\n" in text
    assert "✓ 1 message = 1 accepted" in text
    assert "→ 1 message → 1 sent" in text


def test_figures_that_do_not_add_up_are_the_first_thing_said() -> None:
    report = replace(a_report(gmail=GOOD), frozen=1)
    grade, notes = verdict(report)
    assert grade is Grade.RED
    assert "do not add up" in notes[0].text
    assert "✗ 15,930 messages" in printed(report)


def test_seeds_are_shown_with_what_they_prove() -> None:
    text = printed(a_report(gmail=replace(GOOD, **SEEDS)), width=120)
    assert "9/0/3/0" in text
    assert "40–93 %" in text


def test_seeds_of_several_providers_together_prove_nothing_of_the_whole() -> None:
    """The list may be at the provider that has one seed: only the estimate weighs them."""
    text = printed(a_report(gmail=replace(GOOD, **SEEDS)), width=140, terminal=False)
    (total,) = [line for line in text.splitlines() if line.startswith("Total")]
    assert "9/0/3/0" in total
    assert "%" not in total


def test_a_tab_is_shown_apart_and_counts_as_the_inbox() -> None:
    text = printed(a_report(gmail=replace(GOOD, seeds_inbox=5, seeds_tab=4, seeds_spam=3)), width=120)
    assert "5/4/3/0" in text
    assert "40–93 %" in text


def test_a_provider_that_tells_nobody_of_complaints_is_not_given_a_rate() -> None:
    silent = replace(GOOD, accepted_with_feed=0)
    text = printed(a_report(gmail=silent, orange=replace(GOOD, complained=1)))
    assert "no feed" in text
    # Of those who arrived where complaints are told, and not of all.
    assert f"{percent(1 / 15_830)} complained" in text


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("channel", Channel)
def test_nothing_is_wider_than_the_terminal(width: int, channel: Channel) -> None:
    report = a_report(channel, gmail=replace(GOOD, **SEEDS), orange=some_counts(accepted=9))
    report = replace(report, by_identity=report.by_identity * 2)
    lines = printed(report, width=width).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert not any("…" in line for line in lines if "OFR_506" not in line)


def test_in_a_pipe_there_are_no_frames_and_no_colours() -> None:
    text = printed(a_report(gmail=GOOD), width=160, terminal=False)
    assert not set(text) & {"─", "│", "\x1b"}
    assert "Gmail" in text


@pytest.mark.parametrize(
    ("counts", "grade", "words"),
    [
        (some_counts(accepted=9_000, refused=100, refused_hard=100), Grade.GREEN, ""),
        (some_counts(accepted=970, refused=30, refused_hard=30), Grade.AMBER, "3.0 % refused"),
        (some_counts(accepted=90, refused=10, refused_hard=10), Grade.RED, "10.0 % refused"),
        (some_counts(accepted=10, refused=10, refused_hard=10), Grade.UNKNOWN, "30 messages or more"),
        (some_counts(accepted=58, refused=2, refused_hard=2), Grade.GREEN, ""),
        (some_counts(accepted=1000, deferred=150), Grade.AMBER, "deferred"),
        (some_counts(accepted=1000, unsubscribed=90), Grade.RED, "answered STOP"),
        (some_counts(accepted=0, waiting=20, deferred_waiting=20, deferred=20), Grade.AMBER, "tocsin doctor"),
    ],
)
def test_the_verdict_on_text_messages_is_that_of_the_gravest_note(
    counts: Counts, grade: Grade, words: str
) -> None:
    found, notes = verdict(a_report(Channel.SMS, sms=counts))
    assert found is grade
    assert any(words in note.text for note in notes) or not words


def test_how_an_email_fares_is_left_to_its_assessment() -> None:
    """One seed in spam, or many complaints, have one judge and one limit, not two."""
    bad = some_counts(accepted=2000, refused=900, refused_hard=900, complained=90, deferred=900, seeds_spam=3)
    assert verdict(a_report(gmail=bad))[1] == []
    assert "Verdict" not in printed(a_report(gmail=bad))
    assert "Verdict: ACT NOW" in printed(replace(a_report(gmail=bad), problem="The relay is away."))
