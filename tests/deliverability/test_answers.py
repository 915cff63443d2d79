"""What a provider said is shared out among the identities that heard it, and nobody's only answer is lost."""

from hypothesis import given
from hypothesis import strategies as st

from deliverability.answers import Answers, Heard
from deliverability.assessment.facts import ProviderFacts, Said
from deliverability.assessment.values import Basis
from deliverability.assessment.verdicts import assess_provider
from deliverability.report_values import Counts
from models.states import BounceClass, EventKind

BLOCKED = Said(EventKind.REFUSED, BounceClass.BLOCK, 400, code=550)
SLOWED = Said(EventKind.DEFERRED, BounceClass.RATE, 40, code=421)


def test_each_identity_gets_its_part_of_what_was_refused_and_of_what_was_put_off() -> None:
    answers = Answers(
        [(1, "orange", BLOCKED), (1, "orange", SLOWED)],
        {(1, 7, "orange"): Heard(300, 0), (1, 8, "orange"): Heard(100, 40), (1, 9, "orange"): Heard(0, 0)},
    )
    assert [(one.bounce_class, one.deliveries) for one in answers.at(7, "orange")] == [
        (BounceClass.BLOCK, 300)
    ]
    assert [(one.bounce_class, one.deliveries) for one in answers.at(8, "orange")] == [
        (BounceClass.BLOCK, 100),
        (BounceClass.RATE, 40),
    ]
    assert answers.at(9, "orange") == answers.at(7, "gmail") == ()


def test_the_same_answer_to_several_campaigns_is_one_heard_by_all() -> None:
    answers = Answers(
        [(1, "orange", BLOCKED), (2, "orange", BLOCKED)],
        {(1, 7, "orange"): Heard(5, 0), (2, 7, "orange"): Heard(5, 0)},
    )
    assert [one.deliveries for one in answers.at(7, "orange")] == [800]


def test_a_part_of_what_several_heard_is_concluded_and_not_measured() -> None:
    """The counters know how often a provider said it, and not to whom: a figure made of it says so."""
    answers = Answers(
        [(1, "orange", BLOCKED)], {(1, 7, "orange"): Heard(300, 0), (1, 8, "orange"): Heard(100, 0)}
    )
    alone = Answers([(1, "orange", BLOCKED)], {(1, 7, "orange"): Heard(400, 0)})
    counts = Counts(accepted=600, refused=400, refused_hard=400, attempted=1000, deliveries=1000)

    def basis(said: tuple[Said, ...]) -> Basis | None:
        judged = assess_provider(ProviderFacts("orange", counts, said=said))
        figure = judged.figure("blocked")
        return figure.basis if figure else None

    assert basis(answers.at(7, "orange")) is Basis.INFERRED
    assert basis(alone.at(7, "orange")) is Basis.MEASURED


@given(st.integers(1, 1000), st.lists(st.integers(0, 500), min_size=1, max_size=5))
def test_no_answer_is_lost_by_sharing(deliveries: int, refused: list[int]) -> None:
    said = Said(EventKind.REFUSED, BounceClass.BLOCK, deliveries)
    heard = {(1, number, "orange"): Heard(count, 0) for number, count in enumerate(refused)}
    answers = Answers([(1, "orange", said)], heard)
    told = [sum(one.deliveries for one in answers.at(number, "orange")) for number in range(len(refused))]
    assert sum(told) >= deliveries or not any(refused)
    assert sum(told) <= deliveries + len(refused)
    assert all(bool(count) == bool(mine) for count, mine in zip(refused, told, strict=True))
