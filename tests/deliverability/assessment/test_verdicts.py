"""One verdict a provider, the gravest of what is known; nothing is green that nobody looked at."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.assessment.facts import (
    ClickChange,
    ClickReason,
    Clicks,
    Declared,
    OpenIncident,
    PassRate,
    ProviderFacts,
    Said,
    SeedCounts,
)
from deliverability.assessment.limits import limits, read_limits
from deliverability.assessment.values import Basis, EvidenceKind, Status, Word
from deliverability.assessment.verdicts import assess_provider
from deliverability.report_values import Counts
from models.declared import DeclaredSource
from models.health import HealthLevel
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.states import BounceClass, EventKind
from tests.deliverability.assessment.strategies import facts as any_facts

SENT = Counts(accepted=6000, attempted=6000, deliveries=6000, accepted_with_feed=6000)
COLLAPSED = ClickChange(
    ClickReason.ASSESSED,
    Clicks(50, 6000),
    ratio=0.41,
    others_ratio=1.0,
    difference=-0.9,
    p=0.0004,
    collapsed=True,
    campaigns=6,
)
USUAL = replace(COLLAPSED, ratio=0.97, difference=-0.03, p=0.8, collapsed=False)


@pytest.mark.parametrize(
    ("seeds", "status", "word", "code"),
    [
        (SeedCounts(inbox=9, tab=3), Status.GREEN, Word.INBOX, "seeds_inbox"),
        (SeedCounts(inbox=5), Status.GREEN, Word.INBOX, "seeds_inbox"),
        (SeedCounts(inbox=8, spam=1), Status.GREEN, Word.INBOX, "seeds_inbox"),
        (SeedCounts(inbox=4), Status.GREY, Word.NOT_ASSESSABLE, "few_seeds"),
        (SeedCounts(inbox=4, spam=1), Status.GREY, Word.NOT_ASSESSABLE, "few_seeds"),
        (SeedCounts(spam=1), Status.GREY, Word.NOT_ASSESSABLE, "few_seeds"),
        (SeedCounts(inbox=10, spam=2), Status.AMBER, Word.INBOX, "seeds_some_spam"),
        (SeedCounts(inbox=6, spam=4), Status.AMBER, Word.MIXED, "seeds_some_spam"),
        (SeedCounts(inbox=2, spam=2), Status.AMBER, Word.MIXED, "seeds_some_spam"),
        (SeedCounts(inbox=1, spam=3), Status.RED, Word.SPAM, "seeds_mostly_spam"),
        (SeedCounts(spam=2), Status.RED, Word.SPAM, "seeds_mostly_spam"),
        (SeedCounts(inbox=1, missing=5), Status.RED, Word.MISSING, "seeds_mostly_missing"),
        (SeedCounts(inbox=9, missing=2), Status.AMBER, Word.INBOX, "seeds_some_missing"),
        (SeedCounts(rejected=3), Status.AMBER, Word.REFUSED, "seeds_refused"),
        (SeedCounts(awaited=3), Status.GREY, Word.NOT_ASSESSABLE, "seeds_awaited"),
        (SeedCounts(), Status.GREY, Word.NOT_TESTED, "not_tested"),
    ],
)
def test_seeds_decide_where_there_are_any(seeds: SeedCounts, status: Status, word: Word, code: str) -> None:
    verdict = assess_provider(ProviderFacts("orange", SENT, seeds))
    assert (verdict.status, verdict.word, verdict.reason_key) == (status, word, code)


def test_the_placement_is_told_with_its_number_and_its_interval() -> None:
    figure = assess_provider(ProviderFacts("gmail", SENT, SeedCounts(inbox=9, tab=3))).figure("inbox")
    assert figure is not None
    assert (figure.part, figure.whole, figure.basis, figure.assessable) == (12, 12, Basis.MEASURED, True)
    # Twelve that agree are worth fewer than eight independent ones.
    assert (figure.low, figure.high) == pytest.approx((0.67, 1.0), abs=0.01)


def test_nothing_sent_is_told_as_such() -> None:
    assert assess_provider(ProviderFacts("gmail")).word is Word.NOTHING_SENT


def test_clicks_that_are_as_usual_do_not_make_an_untested_provider_green() -> None:
    verdict = assess_provider(ProviderFacts("free", SENT, SeedCounts(), USUAL))
    assert (verdict.status, verdict.word) == (Status.GREY, Word.NOT_TESTED)
    assert [reason.code for reason in verdict.reasons] == ["not_tested", "clicks_as_usual"]


def test_a_collapse_of_clicks_is_probably_spam_and_says_that_it_was_inferred() -> None:
    verdict = assess_provider(ProviderFacts("gmail", SENT, SeedCounts(), COLLAPSED))
    assert (verdict.status, verdict.word, verdict.basis) == (Status.AMBER, Word.PROBABLE_SPAM, Basis.INFERRED)
    assert verdict.reason_values["ratio"] == 0.41


def test_few_complaints_beside_a_collapse_are_the_signature_of_the_spam_folder() -> None:
    silent = assess_provider(ProviderFacts("orange", SENT, SeedCounts(), COLLAPSED))
    assert silent.reason_key == "spam_signature"
    assert {piece.kind for piece in silent.evidence} >= {EvidenceKind.CLICKS, EvidenceKind.COMPLAINTS}
    loud = replace(SENT, complained=4)
    assert (
        assess_provider(ProviderFacts("orange", loud, SeedCounts(), COLLAPSED)).reason_key
        == "clicks_collapsed"
    )
    # Gmail tells nobody who complained: silence means nothing there.
    feedless = replace(SENT, accepted_with_feed=0)
    assert (
        assess_provider(ProviderFacts("gmail", feedless, SeedCounts(), COLLAPSED)).reason_key
        == "clicks_collapsed"
    )


def test_a_collapse_with_seeds_in_spam_is_red() -> None:
    verdict = assess_provider(ProviderFacts("orange", SENT, SeedCounts(inbox=1, spam=1), COLLAPSED))
    assert (verdict.status, verdict.word) == (Status.RED, Word.PROBABLE_SPAM)
    assert {piece.kind for piece in verdict.evidence} >= {EvidenceKind.CLICKS, EvidenceKind.SEEDS}


def test_seeds_in_the_inbox_do_not_silence_a_collapse_of_clicks() -> None:
    verdict = assess_provider(ProviderFacts("orange", SENT, SeedCounts(inbox=12), COLLAPSED))
    assert (verdict.status, verdict.word) == (Status.AMBER, Word.PROBABLE_SPAM)


@pytest.mark.parametrize(
    ("counts", "said", "status", "word", "code"),
    [
        (Counts(accepted=900, refused=100, refused_hard=100), (), Status.RED, Word.BOUNCES, "hard_bounces"),
        (Counts(accepted=960, refused=40, refused_hard=40), (), Status.AMBER, Word.BOUNCES, "hard_bounces"),
        (Counts(accepted=20, refused=5, refused_hard=5), (), Status.GREY, Word.NOT_TESTED, "not_tested"),
        (Counts(accepted=900, attempted=1000, deferred=400), (), Status.RED, Word.SLOWED, "deferred"),
        (
            Counts(accepted=900, refused=100, refused_hard=100),
            (Said(EventKind.REFUSED, BounceClass.BLOCK, 100),),
            Status.RED,
            Word.REFUSED,
            "blocked",
        ),
        (Counts(refused=50), (), Status.RED, Word.REFUSED, "nothing_accepted"),
        (
            Counts(accepted=5000, accepted_with_feed=5000, complained=12),
            (),
            Status.RED,
            Word.COMPLAINTS,
            "complaints",
        ),
        (
            Counts(accepted=5000, accepted_with_feed=5000, complained=5),
            (),
            Status.AMBER,
            Word.COMPLAINTS,
            "complaints",
        ),
        (
            Counts(accepted=900, accepted_with_feed=900, complained=5),
            (),
            Status.GREY,
            Word.NOT_TESTED,
            "not_tested",
        ),
    ],
)
def test_shares_of_peoples_mail_are_judged_when_they_are_sure(
    counts: Counts, said: tuple[Said, ...], status: Status, word: Word, code: str
) -> None:
    verdict = assess_provider(ProviderFacts("orange", counts, said=said))
    assert (verdict.status, verdict.word, verdict.reason_key) == (status, word, code)


def test_a_block_is_no_fault_of_the_addresses() -> None:
    counts = Counts(accepted=900, refused=100, refused_hard=100)
    verdict = assess_provider(
        ProviderFacts("orange", counts, said=(Said(EventKind.REFUSED, BounceClass.BLOCK, 100),))
    )
    assert [reason.code for reason in verdict.reasons if reason.word is Word.BOUNCES] == []


def test_a_figure_of_too_few_is_shown_and_not_judged() -> None:
    counts = Counts(accepted=900, accepted_with_feed=900, complained=5)
    figure = assess_provider(ProviderFacts("orange", counts)).figure("complaints")
    assert figure is not None
    assert (figure.part, figure.whole, figure.fewest, figure.assessable) == (5, 900, 1000, False)


@pytest.mark.parametrize(
    ("provider", "figure", "status", "word"),
    [
        (
            "gmail",
            Declared(DeclaredSource.GMAIL_POSTMASTER, "spam_rate", date(2026, 11, 20), 0.0031),
            "red",
            "complaints",
        ),
        (
            "gmail",
            Declared(DeclaredSource.GMAIL_POSTMASTER, "spam_rate", date(2026, 11, 20), 0.0015),
            "amber",
            "complaints",
        ),
        (
            "gmail",
            Declared(DeclaredSource.GMAIL_POSTMASTER, "spam_rate", date(2026, 11, 20), 0.0001),
            "green",
            "inbox",
        ),
        (
            "orange",
            Declared(DeclaredSource.GMAIL_POSTMASTER, "spam_rate", date(2026, 11, 20), 0.5),
            "green",
            "inbox",
        ),
        (
            "outlook",
            Declared(DeclaredSource.MICROSOFT_SNDS, "filter_result", date(2026, 11, 20), None, "RED"),
            "red",
            "spam",
        ),
    ],
)
def test_declared_figures_count_at_their_own_provider(
    provider: str, figure: Declared, status: str, word: str
) -> None:
    verdict = assess_provider(ProviderFacts(provider, SENT, SeedCounts(inbox=8), declared=(figure,)))
    assert (verdict.status, verdict.word) == (Status(status), Word(word))
    if verdict.reason_key == "declared_bad":
        assert verdict.basis is Basis.DECLARED


def test_a_perfect_declared_rate_beside_seeds_in_spam_is_told_as_the_trap_it_is() -> None:
    perfect = Declared(DeclaredSource.GMAIL_POSTMASTER, "spam_rate", date(2026, 11, 19), 0.0)
    facts = ProviderFacts("gmail", SENT, SeedCounts(spam=6), declared=(perfect,), day=date(2026, 11, 20))
    notes = {note.code for note in assess_provider(facts).notes}
    assert notes == {"declared_rate_blind", "declared_before_campaign", "no_complaint_feed"}
    bad = replace(facts, declared=(replace(perfect, value=0.02),))
    assert "declared_rate_blind" not in {note.code for note in assess_provider(bad).notes}
    well = replace(facts, seeds=SeedCounts(inbox=6), day=date(2026, 11, 19))
    assert {note.code for note in assess_provider(well).notes} == {"no_complaint_feed"}


def test_complaints_nobody_tells_of_are_no_figure() -> None:
    verdict = assess_provider(ProviderFacts("gmail", SENT))
    assert verdict.figure("complaints") is None
    assert {note.code for note in assess_provider(ProviderFacts("sfr", SENT)).notes} == {
        "complaints_through_signal_spam"
    }


def test_open_incidents_and_a_sick_identity_are_reasons() -> None:
    incident = OpenIncident(7, IncidentKind.BLOCKED, IncidentLevel.RED, IncidentDeed.STOPPED, 31, 100)
    verdict = assess_provider(ProviderFacts("orange", SENT, SeedCounts(inbox=9), incidents=(incident,)))
    assert (verdict.status, verdict.word, verdict.reason_values["kind"]) == (
        Status.RED,
        Word.REFUSED,
        "blocked",
    )
    assert verdict.evidence[0].reference == "7"
    sick = assess_provider(ProviderFacts("orange", SENT, SeedCounts(inbox=9), health=HealthLevel.PROBLEM))
    assert (sick.status, sick.word) == (Status.AMBER, Word.UNAUTHENTICATED)


def test_mail_that_fails_authentication_at_receivers_is_told_on_their_word() -> None:
    facts = ProviderFacts("orange", SENT, SeedCounts(inbox=9), authentication=PassRate(1000, 900))
    verdict = assess_provider(facts)
    assert (verdict.status, verdict.word, verdict.basis) == (
        Status.AMBER,
        Word.UNAUTHENTICATED,
        Basis.DECLARED,
    )


@given(any_facts)
def test_whatever_is_known_there_is_a_verdict_with_its_reasons(facts: ProviderFacts) -> None:
    verdict = assess_provider(facts)
    assert (verdict.status, verdict.word, verdict.basis) == (
        verdict.reasons[0].status,
        verdict.reasons[0].word,
        verdict.reasons[0].basis,
    )
    gravities = [reason.status.gravity for reason in verdict.reasons]
    assert gravities == sorted(gravities, reverse=True)
    for figure in verdict.figures:
        assert 0 <= figure.part <= figure.whole
        assert figure.whole == 0 or 0 <= (figure.low or 0) <= (figure.high or 0) <= 1


@given(any_facts)
def test_nothing_is_green_that_was_not_seen_in_the_inbox(facts: ProviderFacts) -> None:
    if assess_provider(facts).status is Status.GREEN:
        assert facts.seeds.arrived >= limits().seeds.fewest


@given(any_facts, st.integers(1, 20), st.booleans())
def test_more_seeds_in_spam_never_better_a_verdict(facts: ProviderFacts, more: int, moved: bool) -> None:
    seeds = facts.seeds
    taken = min(more, seeds.inbox) if moved else 0
    worse = replace(seeds, spam=seeds.spam + (taken if moved else more), inbox=seeds.inbox - taken)
    before, after = assess_provider(facts), assess_provider(replace(facts, seeds=worse))
    assert after.status.gravity >= before.status.gravity


@given(
    any_facts,
    st.sampled_from(["complained", "refused_hard", "deferred", "bounced_hard"]),
    st.integers(1, 5000),
)
def test_more_bad_news_of_people_never_betters_a_verdict(
    facts: ProviderFacts, column: str, more: int
) -> None:
    counts = facts.counts
    grown = replace(counts, **{column: getattr(counts, column) + more})
    # A collapse of clicks is judged by what complaints do beside it, as one word or another, as grave.
    before, after = assess_provider(facts), assess_provider(replace(facts, counts=grown))
    assert after.status.gravity >= before.status.gravity


@given(any_facts)
def test_a_collapse_of_clicks_never_betters_a_verdict(facts: ProviderFacts) -> None:
    before = assess_provider(replace(facts, clicks=None))
    after = assess_provider(replace(facts, clicks=COLLAPSED))
    assert after.status.gravity >= max(before.status.gravity, Status.AMBER.gravity)


def test_a_limit_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        read_limits({"version": "1"})
