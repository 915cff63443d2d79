"""Several identities at one provider as one."""

from dataclasses import replace

from deliverability.assessment import ProviderFacts, Status
from deliverability.assessment.facts import OpenIncident, PassRate, Said, SeedCounts
from deliverability.assessment.merging import by_provider
from deliverability.assessment.values import Word
from deliverability.assessment.verdicts import assess_provider
from deliverability.assessment.whole import LaneAssessment
from deliverability.background import Background
from deliverability.report_values import Counts
from models.incident import Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.states import BounceClass, EventKind


def lane(identity_id: int, provider: str, seeds: SeedCounts, people: int = 100) -> LaneAssessment:
    facts = ProviderFacts(
        provider=provider, counts=Counts(accepted=people, deliveries=people, attempted=people), seeds=seeds
    )
    return LaneAssessment(
        identity_id,
        f"Identity {identity_id}",
        provider,
        provider.title(),
        0.25,
        facts,
        assess_provider(facts),
    )


def test_seeds_of_all_identities_count_together() -> None:
    lanes = [lane(number, "gmail", SeedCounts(inbox=2)) for number in (1, 2, 3)]
    assert {one.assessment.status for one in lanes} == {Status.GREY}
    (merged,) = by_provider(lanes)
    assert (merged.assessment.status, merged.assessment.word) == (Status.GREEN, Word.INBOX)
    assert (merged.identity_id, merged.list_share, merged.facts.counts.accepted) == (0, 0.75, 300)


def test_one_identity_alone_stays_itself() -> None:
    one = lane(7, "orange", SeedCounts(spam=3))
    assert by_provider([one]) == (one,)


def test_providers_stay_apart_and_the_gravest_comes_first() -> None:
    found = by_provider(
        [
            lane(1, "gmail", SeedCounts(inbox=5)),
            lane(2, "gmail", SeedCounts(inbox=5)),
            lane(1, "orange", SeedCounts(spam=5)),
            lane(2, "orange", SeedCounts(spam=5)),
        ]
    )
    assert [(one.provider, one.assessment.status) for one in found] == [
        ("orange", Status.RED),
        ("gmail", Status.GREEN),
    ]


def test_one_sender_s_incident_does_not_put_all_of_a_provider_s_mail_in_spam() -> None:
    """Both seeds of one sender, none of four of the other: that is mixed, and the figures come first."""
    incident = OpenIncident(1, IncidentKind.SPAM_PLACEMENT, IncidentLevel.AMBER, IncidentDeed.TOLD, 2, 2)
    bad, good = lane(1, "orange", SeedCounts(spam=2)), lane(2, "orange", SeedCounts(inbox=4))
    bad = replace(bad, facts=replace(bad.facts, incidents=(incident,)))
    (merged,) = by_provider([bad, good])
    assert merged.assessment.word is Word.MIXED
    assert [reason.code for reason in merged.assessment.reasons[:2]] == ["seeds_some_spam", "open_incident"]
    assert assess_provider(bad.facts).word is Word.SPAM


def test_a_canary_that_is_held_speaks_of_no_provider_by_itself() -> None:
    """It was held for what some seeds showed; providers where all is well are not accused with them."""
    kinds = (IncidentKind.CANARY, IncidentKind.HEALTH)
    rows = [
        Incident(
            id=number, scope=kind, kind=kind, level=IncidentLevel.RED, campaign_id=1, deed=IncidentDeed.TOLD
        )
        for number, kind in enumerate(kinds, start=1)
    ]
    found = Background(incidents=rows).incidents_at(1, "gmail")
    assert [one.kind for one in found] == [IncidentKind.HEALTH]


def test_reports_on_a_domain_that_senders_share_are_counted_once() -> None:
    """Counted twice, they would seem to prove twice as much."""
    lanes = [lane(number, "gmail", SeedCounts()) for number in (1, 2)]
    rate = PassRate(200, 190)
    lanes = [replace(one, facts=replace(one.facts, authentication=rate)) for one in lanes]
    (merged,) = by_provider(lanes)
    assert merged.facts.authentication == rate


def test_what_each_heard_a_part_of_all_together_heard_for_certain() -> None:
    said = Said(EventKind.REFUSED, BounceClass.BLOCK, 5, shared=True)
    lanes = [lane(number, "gmail", SeedCounts()) for number in (1, 2)]
    (merged,) = by_provider([replace(one, facts=replace(one.facts, said=(said,))) for one in lanes])
    assert merged.facts.said == (replace(said, deliveries=10, shared=False),)
