"""The figures a verdict is taken from: each a share with its interval, its basis and the n it takes."""

from deliverability.assessment.facts import ProviderFacts, Said
from deliverability.assessment.intervals import clustered_interval, wilson_interval
from deliverability.assessment.limits import limits
from deliverability.assessment.values import Basis, Figure
from models.states import BounceClass, EventKind

SHUT_OUT = frozenset({BounceClass.BLOCK, BounceClass.AUTH, BounceClass.SENDER_INVALID, BounceClass.SPAM})
"""Refusals for what the sender or the content is, whoever is written to."""
COMING_BACK = frozenset({EventKind.REFUSED, EventKind.BOUNCED})


def figures_of(facts: ProviderFacts) -> tuple[Figure, ...]:
    """Every figure there is something to count for, and the placement even where there is nothing."""
    counts = facts.counts
    hard = max(0, counts.hard_rate.part - blocked(facts))
    # Answers are counted by provider: of several senders there, each one's part of them is concluded.
    basis = Basis.INFERRED if any(one.shared for one in _shutting_out(facts)) else Basis.MEASURED
    others = (
        share("blocked", blocked(facts), counts.sent, basis),
        share("hard", hard, counts.hard_rate.whole, basis),
        share("deferred", counts.deferral_rate.part, counts.deferral_rate.whole),
        _complaints(facts),
        _unauthenticated(facts),
    )
    return (placement(facts), *(figure for figure in others if figure is not None and figure.whole))


def placement(facts: ProviderFacts) -> Figure:
    """Seeds in the inbox, tabs included, of those found anywhere or missing; the interval is a cluster's."""
    rules, seeds = limits().seeds, facts.seeds
    low, high = clustered_interval(seeds.arrived, seeds.tested, rules.correlation) or (None, None)
    basis = Basis.MEASURED if seeds.tested else Basis.UNKNOWN
    return Figure("inbox", seeds.arrived, seeds.tested, low, high, basis, rules.fewest)


def blocked(facts: ProviderFacts) -> int:
    """Messages refused, or sent back, for what the sender or the content is."""
    refused = facts.counts.refused + facts.counts.bounced_hard + facts.counts.bounced_soft
    return min(sum(one.deliveries for one in _shutting_out(facts)), refused)


def _shutting_out(facts: ProviderFacts) -> list[Said]:
    return [one for one in facts.said if one.kind in COMING_BACK and one.bounce_class in SHUT_OUT]


def share(key: str, part: int, whole: int, basis: Basis = Basis.MEASURED) -> Figure:
    """A share of independent observations, with the least number by its limit; never more than the whole."""
    whole = max(whole, 0)
    part = min(max(part, 0), whole)
    low, high = wilson_interval(part, whole) or (None, None)
    return Figure(key, part, whole, low, high, basis if whole else Basis.UNKNOWN, limits().shares[key].fewest)


def _complaints(facts: ProviderFacts) -> Figure | None:
    """Of what was accepted by a provider that tells; None where nobody tells."""
    if facts.provider in limits().feeds.none and not facts.counts.complained:
        return None
    rate = facts.counts.complaint_rate
    return share("complaints", rate.part, rate.whole)


def _unauthenticated(facts: ProviderFacts) -> Figure | None:
    passed = facts.authentication
    if passed is None:
        return None
    # What receivers report of messages they saw: their word for it.
    return share("unauthenticated", passed.messages - passed.passed, passed.messages, Basis.DECLARED)
