"""Several identities at one provider as one: what can be said of the provider, whoever wrote. Pure.

Seeds of all identities count together, so that more can be judged than of each alone; what one identity
alone does badly still stands in its own lane, and beside the provider's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from deliverability.assessment.facts import PassRate, ProviderFacts, Said, SeedCounts
from deliverability.assessment.verdicts import assess_provider
from deliverability.assessment.whole import LaneAssessment, in_order
from deliverability.report_values import Counts
from models.health import HealthLevel

_WORSE = {
    level: place
    for place, level in enumerate(
        (HealthLevel.UNKNOWN, HealthLevel.FINE, HealthLevel.WARNING, HealthLevel.PROBLEM)
    )
}


def by_provider(lanes: Iterable[LaneAssessment]) -> tuple[LaneAssessment, ...]:
    """One lane a provider, gravest first; `identity_id` is 0 where several identities wrote."""
    found: dict[str, list[LaneAssessment]] = {}
    for lane in lanes:
        found.setdefault(lane.provider, []).append(lane)
    return in_order(each[0] if len(each) == 1 else _merged(each) for each in found.values())


def _merged(lanes: Sequence[LaneAssessment]) -> LaneAssessment:
    facts = _facts([lane.facts for lane in lanes])
    return replace(
        lanes[0],
        identity_id=0,
        identity_name="",
        list_share=sum(lane.list_share for lane in lanes),
        facts=facts,
        assessment=assess_provider(facts),
    )


def _facts(parts: Sequence[ProviderFacts]) -> ProviderFacts:
    # Clicks are compared within one identity's past: that of the one most people got mail from stands.
    largest = max(parts, key=lambda part: part.counts.accepted)
    days = [part.day for part in parts if part.day is not None]
    return ProviderFacts(
        provider=parts[0].provider,
        counts=sum((part.counts for part in parts), Counts()),
        seeds=sum((part.seeds for part in parts), SeedCounts()),
        clicks=largest.clicks,
        declared=tuple(dict.fromkeys(one for part in parts for one in part.declared)),
        incidents=tuple(dict.fromkeys(one for part in parts for one in part.incidents)),
        said=_said(one for part in parts for one in part.said),
        authentication=_authentication([part.authentication for part in parts if part.authentication]),
        health=max((part.health for part in parts), key=lambda level: _WORSE[level]),
        day=max(days, default=None),
    )


def _said(answers: Iterable[Said]) -> tuple[Said, ...]:
    """The same answer heard by several identities is one, heard by all of their deliveries."""
    together: dict[tuple[object, ...], Said] = {}
    for one in answers:
        key = (one.kind, one.bounce_class, one.example, one.code, one.enhanced)
        known = together.get(key)
        whole = one.deliveries + (known.deliveries if known else 0)
        together[key] = replace(one, deliveries=whole, shared=False)  # all of them heard all of it
    return tuple(sorted(together.values(), key=lambda one: -one.deliveries))


def _authentication(rates: Sequence[PassRate]) -> PassRate | None:
    if not rates:
        return None
    # Senders of one domain have its reports in common: they were heard once.
    rates = tuple(dict.fromkeys(rates))
    return PassRate(sum(rate.messages for rate in rates), sum(rate.passed for rate in rates))
