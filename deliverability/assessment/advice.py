"""What to do next: each reason leads to its steps, most pressing first, with the evidence it rests on. Pure.

Where the mail of several providers is in spam, the cause is in the sender's own hands (authentication,
content, the list) and comes first; where it is one provider's, that one is treated with care.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deliverability.assessment.facts import ClickChange
from deliverability.assessment.limits import limits
from deliverability.assessment.values import (
    Advice,
    Basis,
    Evidence,
    EvidenceKind,
    Reason,
    Status,
    Value,
    Word,
)
from deliverability.assessment.whole import LaneAssessment

STEPS: Mapping[str, tuple[str, ...]] = {
    "nothing_accepted": ("read_refusals",),
    "blocked": ("read_refusals", "stop_at_provider"),
    "seeds_refused": ("read_refusals",),
    "seeds_mostly_spam": ("hold_rest", "write_to_engaged_first"),
    "seeds_some_spam": ("watch_placement",),
    "seeds_mostly_missing": ("look_for_missing",),
    "seeds_some_missing": ("look_for_missing",),
    "spam_signature": ("look_in_a_mailbox", "write_to_engaged_first"),
    "clicks_collapsed": ("look_in_a_mailbox", "write_to_engaged_first"),
    "hard_bounces": ("clean_list",),
    "deferred": ("slow_down",),
    "complaints": ("ask_consent_again",),
    "unauthenticated": ("mend_authentication",),
    "identity_problem": ("mend_authentication",),
    "declared_bad": ("ask_consent_again",),
    "open_incident": ("look_at_incident",),
    "seeds_awaited": ("wait_for_seeds",),
    "few_seeds": ("add_seeds",),
    "not_tested": ("add_seeds",),
}
"""What each reason calls for, in this order; a reason that is not named calls for nothing."""
DECLARED_STEPS: Mapping[Word, tuple[str, ...]] = {
    Word.SPAM: ("write_to_engaged_first",),
    Word.UNAUTHENTICATED: ("mend_authentication",),
}
"""What a declared figure calls for, by what it says; else what it stands for in `STEPS`."""
WORTH_A_SEED = 0.02
"""Providers with less of the list are not worth the trouble of seeds."""
SEVERAL = 2
_SPAM = frozenset({Word.SPAM, Word.PROBABLE_SPAM, Word.MIXED})


@dataclass(frozen=True, slots=True)
class _Step:
    """An advice with what puts it in its order."""

    gravity: int
    share: float
    place: int
    advice: Advice


def advise(lanes: Sequence[LaneAssessment], everywhere: Mapping[int, ClickChange]) -> tuple[Advice, ...]:
    """Each step once for each identity and provider. `everywhere`: clicks as a whole, by identity."""
    steps = [*_by_reason(lanes), *_common_cause(lanes), *_dull(everywhere)]
    steps.sort(key=_order)
    kept: dict[tuple[str, int | None, str], Advice] = {}
    for step in steps:
        advice = step.advice
        kept.setdefault((advice.code, advice.identity_id, advice.provider), advice)
    return tuple(kept.values())


def _order(step: _Step) -> tuple[int, int, float, str, str, int]:
    """Gravest first, first things first, the larger part of the list first; always in the same order."""
    advice = step.advice
    return -step.gravity, step.place, -step.share, advice.code, advice.provider, advice.identity_id or 0


def _by_reason(lanes: Iterable[LaneAssessment]) -> Iterable[_Step]:
    for lane in lanes:
        for reason in lane.assessment.reasons:
            for place, code in enumerate(_steps_of(reason)):
                if _is_moot(lane, code):
                    continue
                yield _step(lane, reason, code, place)


def _is_moot(lane: LaneAssessment, code: str) -> bool:
    """Whether a step would change nothing: too little of the list is there, or all of it has left."""
    counts = lane.facts.counts
    match code:
        case "add_seeds":
            return lane.list_share < WORTH_A_SEED
        case "hold_rest":
            return not counts.waiting and not counts.held
        case _:
            return False


def _steps_of(reason: Reason) -> tuple[str, ...]:
    steps = STEPS.get(reason.code, ())
    return DECLARED_STEPS.get(reason.word, steps) if reason.code == "declared_bad" else steps


def _step(lane: LaneAssessment, reason: Reason, code: str, place: int) -> _Step:
    values: dict[str, Value] = {**reason.values, "reason": reason.code, "list_share": lane.list_share}
    said = next((one for one in lane.facts.said if one.example), None)
    if code == "read_refusals" and said is not None:
        values |= {"said": said.example, "class": said.bounce_class.value if said.bounce_class else ""}
    advice = Advice(code, reason.status, lane.provider, lane.identity_id, values, reason.evidence)
    return _Step(reason.status.gravity, lane.list_share, place + 1, advice)


def _common_cause(lanes: Iterable[LaneAssessment]) -> Iterable[_Step]:
    """The same identity in spam at several providers: no provider's whim."""
    by_identity: dict[int, list[LaneAssessment]] = {}
    for lane in lanes:
        grave = (
            reason for reason in lane.assessment.reasons if reason.status.gravity >= Status.AMBER.gravity
        )
        if any(reason.word in _SPAM for reason in grave):
            by_identity.setdefault(lane.identity_id, []).append(lane)
    for identity_id, found in by_identity.items():
        if len(found) < SEVERAL:
            continue
        status = max((lane.assessment.status for lane in found), key=lambda each: each.gravity)
        evidence = tuple(
            dict.fromkeys(
                piece for lane in found for piece in lane.assessment.evidence if _tells_placement(piece)
            )
        )
        values: dict[str, Value] = {"providers": ", ".join(lane.provider_name for lane in found)}
        advice = Advice("check_own_mail", status, "", identity_id, values, evidence)
        yield _Step(status.gravity, sum(lane.list_share for lane in found), 0, advice)


def _tells_placement(piece: Evidence) -> bool:
    return piece.kind in {EvidenceKind.SEEDS, EvidenceKind.CLICKS}


def _dull(everywhere: Mapping[int, ClickChange]) -> Iterable[_Step]:
    """Fewer clicks at every provider alike: the subject or the people, not the folder."""
    for identity_id, change in everywhere.items():
        if not change.collapsed:
            continue
        values: dict[str, Value] = {
            "ratio": change.ratio or 0.0,
            "p": change.p or 0.0,
            "limit": limits().clicks.ratio,
        }
        evidence = (Evidence(EvidenceKind.CLICKS, Basis.INFERRED),)
        advice = Advice("look_at_subject", Status.AMBER, "", identity_id, values, evidence)
        yield _Step(Status.AMBER.gravity, 1.0, 1, advice)
