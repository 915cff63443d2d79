"""Assessments as pages and files show them: codes become sentences, values what the reader writes.

The only place that turns `deliverability.assessment` into words, so that a page, a PDF and a table beside a
chart say the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from deliverability.assessment import Status
from deliverability.assessment.advice import advise
from deliverability.assessment.gaps import gaps_of
from deliverability.assessment.merging import by_provider
from deliverability.assessment.placement import ListEstimate
from deliverability.assessment.values import Advice, EvidenceKind, Note, Reason
from deliverability.assessment.whole import CampaignAssessment, IdentityAssessment, LaneAssessment
from web.assessment_words import (
    BASES,
    NOTES,
    REASONS,
    STATUSES,
    STEPS,
    WORDS,
)
from web.borrowed import say_borrowed
from web.health_words import LEVELS
from web.i18n import Tongue
from web.verdict_figures import (
    clicks_of,
    declared_of,
    figure_of,
    part_of,
    placement_of,
    seeds_of,
    sentence,
    told_by,
)

MOST_NAMED = 4
"""Providers named in a headline; the others are counted."""
LINKS: Mapping[EvidenceKind, str] = {
    EvidenceKind.SEEDS: "#placement",
    EvidenceKind.CLICKS: "#verdicts",
    EvidenceKind.REFUSALS: "#answers",
    EvidenceKind.DEFERRALS: "#answers",
    EvidenceKind.BOUNCES: "#came-back",
    EvidenceKind.COMPLAINTS: "#came-back",
    EvidenceKind.DECLARED: "/deliverability/declared",
    EvidenceKind.AUTHENTICATION: "/deliverability/authentication",
    EvidenceKind.HEALTH: "/identities/{identity}",
    EvidenceKind.INCIDENT: "/incidents/{reference}",
}
"""Where each kind of evidence is to be seen: a part of the campaign's report, or a page."""


ADD_SEEDS = "add_seeds"


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence: how grave, where it comes from (in a word, and explained), where the evidence is."""

    tone: str
    text: str
    basis: str = ""
    basis_hint: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class LaneView:
    """One identity at one provider, or all of them, as a line of the table.

    `worse`: identities that fare worse there than all together: name, tone, word.
    """

    identity_id: int
    identity: str
    provider_key: str
    provider: str
    list_share: str
    tone: str
    status: str
    word: str
    reasons: tuple[Told, ...]
    notes: tuple[str, ...]
    sent: str
    accepted: str
    deferred: str
    hard: str
    complaints: str
    complaints_basis: str
    seeds: str
    placement: str
    clicks: str
    declared: tuple[str, ...]
    worse: tuple[tuple[str, str, str], ...] = ()

    @property
    def main(self) -> Told:
        """The gravest of what was found."""
        return self.reasons[0]


@dataclass(frozen=True, slots=True)
class SenderProof:
    """How believable one sender is: its DNS by our own look, and what receivers report of DMARC."""

    identity_id: int
    name: str
    tone: str
    health: str
    passed: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A whole assessment: its badge, a line a provider, its lanes, the estimate told, advice, gaps."""

    tone: str
    status: str
    headline: str
    providers: tuple[LaneView, ...]
    lanes: tuple[LaneView, ...]
    estimate: tuple[str, ...]
    advice: tuple[Told, ...]
    gaps: tuple[str, ...]
    senders: tuple[SenderProof, ...]
    several_identities: bool


def verdicts_of(found: CampaignAssessment | IdentityAssessment, tongue: Tongue) -> Verdicts:
    """An assessment in the reader's words."""
    tone, status = STATUSES[found.status]
    together = by_provider(found.lanes)
    names = {lane.provider: say_borrowed(tongue, lane.provider_name) for lane in found.lanes}
    steps, gaps = _to_do(found, together)
    return Verdicts(
        tone=tone,
        status=tongue.say(status),
        headline=_headline(together, found.lanes, tongue),
        providers=tuple(
            replace(lane_view(merged, tongue), worse=_worse(merged, found.lanes, tongue))
            for merged in together
        ),
        lanes=tuple(lane_view(lane, tongue) for lane in found.lanes),
        estimate=estimate_of(found.estimate, tongue, awaited=_awaited(found.lanes)),
        advice=tuple(dict.fromkeys(_advised(steps, names, tongue))),
        gaps=tuple(dict.fromkeys(_note(one, names, tongue) for one in gaps)),
        senders=tuple(_senders(found.lanes, tongue)),
        several_identities=len({lane.identity_id for lane in found.lanes}) > 1,
    )


def _senders(lanes: Iterable[LaneAssessment], tongue: Tongue) -> Iterator[SenderProof]:
    known: dict[int, LaneAssessment] = {}
    for lane in lanes:
        known.setdefault(lane.identity_id, lane)
    for lane in sorted(known.values(), key=lambda one: one.identity_name):
        health, rate = LEVELS[lane.facts.health], lane.facts.authentication
        passed = tongue.say("no receiver reported yet")
        if rate is not None and rate.messages:
            share = tongue.percent(rate.passed / rate.messages)
            passed = tongue.say(
                "%(share)s of %(messages)s messages", share=share, messages=tongue.number(rate.messages)
            )
        yield SenderProof(lane.identity_id, lane.identity_name, health[1], tongue.say(health[0]), passed)


def _to_do(
    found: CampaignAssessment | IdentityAssessment, together: Sequence[LaneAssessment]
) -> tuple[Sequence[Advice], Sequence[Note]]:
    """Advice and gaps; of several senders, as of the providers, and of whoever fares worse than all."""
    if isinstance(found, IdentityAssessment) or len(found.senders) < 2:
        return found.advice, found.gaps
    everywhere = {one.identity_id: one.clicks for one in found.senders if one.clicks is not None}
    # Of who fares worse only what is worse: too few seeds for each sender may be enough for all together.
    worse = [
        replace(lane, assessment=replace(lane.assessment, reasons=graver))
        for lane in _graver(found.lanes, together)
        if (
            graver := tuple(
                one for one in lane.assessment.reasons if one.status.gravity > Status.GREY.gravity
            )
        )
    ]
    steps: dict[tuple[str, str], Advice] = {}
    for one in advise([*together, *worse], everywhere):
        steps.setdefault((one.code, one.provider), one)
    return tuple(steps.values()), gaps_of(together, everywhere.values())


def _graver(lanes: Iterable[LaneAssessment], together: Iterable[LaneAssessment]) -> list[LaneAssessment]:
    """Identities at providers whose verdict is graver than that of all together there, and bad."""
    light = {lane.provider: max(lane.assessment.status.gravity, Status.GREY.gravity) for lane in together}
    return [lane for lane in lanes if lane.assessment.status.gravity > light[lane.provider]]


def _worse(
    merged: LaneAssessment, lanes: Iterable[LaneAssessment], tongue: Tongue
) -> tuple[tuple[str, str, str], ...]:
    """Identities whose verdict at a provider is graver than that of all together."""
    there = (lane for lane in lanes if lane.provider == merged.provider)
    return tuple(
        (lane.identity_name, STATUSES[lane.assessment.status][0], tongue.say(WORDS[lane.assessment.word]))
        for lane in _graver(there, [merged])
    )


def lane_view(lane: LaneAssessment, tongue: Tongue) -> LaneView:
    """One identity at one provider."""
    judged, facts = lane.assessment, lane.facts
    provider = say_borrowed(tongue, lane.provider_name)
    tone, status = STATUSES[judged.status]
    complaints = judged.figure("complaints")
    return LaneView(
        identity_id=lane.identity_id,
        identity=lane.identity_name,
        provider_key=lane.provider,
        provider=provider,
        list_share=tongue.percent(lane.list_share, 0),
        tone=tone,
        status=tongue.say(status),
        word=tongue.say(WORDS[judged.word]),
        reasons=tuple(_reason(one, lane, tongue) for one in judged.reasons),
        notes=tuple(_note(one, {lane.provider: provider}, tongue) for one in judged.notes),
        sent=tongue.number(facts.counts.sent),
        accepted=tongue.percent(part_of(facts.counts.accepted, facts.counts.sent)),
        deferred=figure_of(judged.figure("deferred"), tongue, 1),
        hard=figure_of(judged.figure("hard"), tongue, 1),
        complaints=figure_of(complaints, tongue, 2),
        complaints_basis=told_by(judged, complaints, tongue),
        seeds=seeds_of(facts, tongue),
        placement=placement_of(judged, tongue),
        clicks=clicks_of(facts.clicks, tongue),
        declared=tuple(declared_of(facts, tongue)),
    )


def estimate_of(estimate: ListEstimate, tongue: Tongue, *, awaited: bool = False) -> tuple[str, ...]:
    """The share of the list in the inbox: what was measured, what nobody knows, both together."""
    if estimate.measured is None and awaited:
        return (tongue.say("No seed was found yet: where this list’s mail lands is known when they are."),)
    if estimate.measured is None:
        return (tongue.say("No seed was read: where this list’s mail lands is unknown. Add seed mailboxes."),)
    measured = tongue.say(
        "Where it was tested (%(part)s of the list, seeds: %(seeds)s), %(low)s to %(high)s is in the inbox.",
        part=tongue.percent(estimate.measured_share, 0),
        seeds=tongue.number(estimate.seeds),
        low=tongue.percent(estimate.measured_low, 0),
        high=tongue.percent(estimate.measured_high, 0),
    )
    if estimate.unknown_share < 0.005:
        return (measured,)
    whole = tongue.say(
        "%(unknown)s of the list is at providers without seeds, unknown: of the whole list "
        "%(low)s to %(high)s.",
        unknown=tongue.percent(estimate.unknown_share, 0),
        low=tongue.percent(estimate.low, 0),
        high=tongue.percent(estimate.high, 0),
    )
    if estimate.assessable:
        return (measured, whole)
    return (measured, whole, tongue.say("That is too much unknown to judge the list by."))


def _headline(lanes: Sequence[LaneAssessment], each: Sequence[LaneAssessment], tongue: Tongue) -> str:
    """One line: the gravest places with their words; or that all is well, or unknown.

    `lanes`: all senders together, by provider; `each` of them: who fares worse is named with its place.
    """
    grave = [lane for lane in lanes if lane.assessment.status.gravity >= Status.AMBER.gravity]
    whole = {lane.provider for lane in grave}
    alone = [lane for lane in _graver(each, lanes) if lane.provider not in whole]
    if grave or alone:
        named: dict[str, str] = {}
        for lane in (*grave, *alone):
            place = say_borrowed(tongue, lane.provider_name)
            if lane.provider not in whole:
                place = f"{place} ({lane.identity_name})"
            named.setdefault(place, tongue.say(WORDS[lane.assessment.word]))
        places = ", ".join(
            tongue.say("%(provider)s: %(verdict)s", provider=name, verdict=word)
            for name, word in list(named.items())[:MOST_NAMED]
        )
        if len(named) > MOST_NAMED:
            places += f" (+{tongue.number(len(named) - MOST_NAMED)})"
        others = [one for one in lanes if one.provider not in whole | {lane.provider for lane in alone}]
        return _and_elsewhere(places, others, tongue) if others else f"{places}."
    if any(lane.assessment.status is Status.GREEN for lane in lanes):
        return tongue.say("Nothing to worry about where it was looked at.")
    if any(lane.facts.seeds.tested for lane in lanes):
        return tongue.say("Too few seeds were found: neither good nor bad can be said.")
    if _awaited(lanes):
        return tongue.say("The seeds are not found yet: neither good nor bad can be said.")
    return tongue.say("Nobody looked where it lands: neither good nor bad can be said.")


def _and_elsewhere(places: str, lanes: Sequence[LaneAssessment], tongue: Tongue) -> str:
    """Silence about the others is good news only where somebody looked."""
    if any(lane.assessment.status is Status.GREEN for lane in lanes):
        return tongue.say("%(places)s; nothing to see elsewhere.", places=places)
    return tongue.say("%(places)s; elsewhere it is not known.", places=places)


def _awaited(lanes: Sequence[LaneAssessment]) -> bool:
    return any(lane.facts.seeds.awaited for lane in lanes)


def _reason(reason: Reason, lane: LaneAssessment, tongue: Tongue) -> Told:
    word, hint = BASES[reason.basis]
    provider = say_borrowed(tongue, lane.provider_name)
    return Told(
        tone=STATUSES[reason.status][0],
        text=sentence(REASONS.get(reason.code, reason.code), reason.values, provider, tongue),
        basis=tongue.say(word),
        basis_hint=tongue.say(hint),
        link=_link(reason, lane.identity_id),
    )


def _link(reason: Reason | Advice, identity_id: int | None) -> str:
    if not reason.evidence:
        return ""
    piece = reason.evidence[0]
    return LINKS[piece.kind].format(identity=identity_id or "", reference=piece.reference).rstrip("/")


def _advised(steps: Sequence[Advice], names: Mapping[str, str], tongue: Tongue) -> Iterator[Told]:
    """Advice in words; what is asked for at several providers alike is one line, where the first stands."""
    alike = [one for one in steps if one.code == ADD_SEEDS]
    for one in steps:
        if one.code != ADD_SEEDS or len(alike) < 2:
            yield _advice(one, names.get(one.provider, ""), tongue)
        elif one is alike[0]:
            yield _add_seeds(alike, names, tongue)


def _add_seeds(alike: Sequence[Advice], names: Mapping[str, str], tongue: Tongue) -> Told:
    places = {
        one.provider: sentence(
            "%(provider)s (%(list_share)s)", one.values, names.get(one.provider, ""), tongue
        )
        for one in reversed(alike)
    }
    text = tongue.say(
        "Add seed mailboxes; there are too few to tell where it lands. Where this list is: %(places)s.",
        places=", ".join(reversed(places.values())),
    )
    first = alike[0]
    return Told(tone=STATUSES[first.status][0], text=text, link=_link(first, first.identity_id))


def _advice(advice: Advice, provider: str, tongue: Tongue) -> Told:
    text = sentence(STEPS.get(advice.code, advice.code), advice.values, provider, tongue)
    return Told(tone=STATUSES[advice.status][0], text=text, link=_link(advice, advice.identity_id))


def _note(note: Note, names: Mapping[str, str], tongue: Tongue) -> str:
    about = str(note.values.get("provider", ""))
    provider = names.get(about, about) or _places(str(note.values.get("providers", "")), tongue)
    return sentence(NOTES.get(note.code, note.code), note.values, provider, tongue)


def _places(names: str, tongue: Tongue) -> str:
    return ", ".join(say_borrowed(tongue, name) for name in names.split(", "))
