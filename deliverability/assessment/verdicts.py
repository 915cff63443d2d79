"""The verdict on an identity at a provider: the gravest of what was found, with all the rest beside it. Pure.

Each judge looks at one kind of evidence and tells what it found, or nothing; the verdict is the gravest of
it. So no judge can make good what another found bad, more bad news never betters a verdict, and what
nobody looked at stays grey: only seeds that were read make it green.
"""

from collections.abc import Iterator, Mapping

from deliverability.assessment.declared import judge_declared, notes_of
from deliverability.assessment.facts import OpenIncident, ProviderFacts
from deliverability.assessment.figures import figures_of
from deliverability.assessment.limits import limits
from deliverability.assessment.seeds import judge_seeds
from deliverability.assessment.values import (
    Assessment,
    Basis,
    Evidence,
    EvidenceKind,
    Figure,
    Reason,
    Status,
    Word,
)
from models.health import HealthLevel
from models.incident import IncidentKind, IncidentLevel

_WORD_OF_SHARE: Mapping[str, tuple[str, Word, EvidenceKind]] = {
    "blocked": ("blocked", Word.REFUSED, EvidenceKind.REFUSALS),
    "hard": ("hard_bounces", Word.BOUNCES, EvidenceKind.BOUNCES),
    "deferred": ("deferred", Word.SLOWED, EvidenceKind.DEFERRALS),
    "complaints": ("complaints", Word.COMPLAINTS, EvidenceKind.COMPLAINTS),
    "unauthenticated": ("unauthenticated", Word.UNAUTHENTICATED, EvidenceKind.AUTHENTICATION),
}
_WORD_OF_INCIDENT: Mapping[IncidentKind, Word] = {
    IncidentKind.HARD_BOUNCES: Word.BOUNCES,
    IncidentKind.COMPLAINTS: Word.COMPLAINTS,
    IncidentKind.DEFERRALS: Word.SLOWED,
    IncidentKind.BLOCKED: Word.REFUSED,
    IncidentKind.SPAM_PLACEMENT: Word.SPAM,
    IncidentKind.HEALTH: Word.UNAUTHENTICATED,
    IncidentKind.DECLARED: Word.DECLARED,
    IncidentKind.CANARY: Word.MIXED,
    # About no mail at all, and at no provider: it is never asked for.
    IncidentKind.WEBHOOK: Word.MIXED,
}
_WORDS = {word: place for place, word in enumerate(Word)}


def assess_provider(facts: ProviderFacts) -> Assessment:
    """The verdict; for whatever facts, and never an exception."""
    figures = figures_of(facts)
    reasons = sorted(
        (
            *judge_seeds(facts, figures[0]),
            *_judge_shares(facts, figures),
            *_judge_clicks(facts, figures),
            *judge_declared(facts),
            *_judge_incidents(facts),
            *_judge_health(facts),
        ),
        # An incident follows from what was counted: where that says the same, it is what is told first.
        key=lambda reason: (
            *(-reason.status.gravity, -_WORDS[reason.word]),
            *(reason.code == "open_incident", reason.code),
        ),
    )
    gravest = reasons[0]
    return Assessment(
        status=gravest.status,
        word=gravest.word,
        basis=gravest.basis,
        reasons=tuple(reasons),
        figures=figures,
        notes=tuple(notes_of(facts, reasons)),
    )


def _judge_shares(facts: ProviderFacts, figures: tuple[Figure, ...]) -> Iterator[Reason]:
    """Shares of people's mail that are surely above a limit."""
    for figure in figures[1:]:
        limit = limits().shares[figure.key]
        status = limit.status(figure)
        if status.gravity < Status.AMBER.gravity:
            continue
        code, word, kind = _WORD_OF_SHARE[figure.key]
        bound = limit.red if status is Status.RED else limit.amber
        yield Reason(
            code=code,
            status=status,
            word=word,
            basis=figure.basis,
            values={**_values_of(figure), "limit": bound},
            evidence=(Evidence(kind, figure.basis),),
        )
    counts = facts.counts
    if not counts.accepted and counts.sent >= limits().shares["blocked"].fewest:
        yield Reason(
            code="nothing_accepted",
            status=Status.RED,
            word=Word.REFUSED,
            basis=Basis.MEASURED,
            values={"part": counts.refused, "whole": counts.sent},
            evidence=(Evidence(EvidenceKind.REFUSALS, Basis.MEASURED),),
        )


def _judge_clicks(facts: ProviderFacts, figures: tuple[Figure, ...]) -> Iterator[Reason]:
    """Fewer clicks here than everywhere else: probably the spam folder, and surely together with seeds there.

    Few complaints beside them are no comfort but the other half of the signature: who never sees a message
    does not complain of it.
    """
    change = facts.clicks
    if change is None or not change.assessable:
        return
    values = {
        "ratio": change.ratio or 0.0,
        "others_ratio": change.others_ratio or 0.0,
        "p": change.p or 0.0,
        "clicked": change.now.clicked,
        "delivered": change.now.delivered,
        "campaigns": change.campaigns,
    }
    clicks = Evidence(EvidenceKind.CLICKS, Basis.INFERRED)
    if not change.collapsed:
        yield Reason("clicks_as_usual", Status.GREEN, Word.INBOX, Basis.INFERRED, values, (clicks,))
        return
    evidence = [clicks]
    silent = _complaints_are_silent(facts, figures)
    if silent:
        evidence.append(Evidence(EvidenceKind.COMPLAINTS, Basis.MEASURED))
    seeds = facts.seeds
    seen = seeds.spam > 0 and seeds.arrived < limits().seeds.inbox_from * seeds.tested
    if seen:
        evidence.append(Evidence(EvidenceKind.SEEDS, Basis.MEASURED))
        values |= {"spam": seeds.spam, "seeds": seeds.tested}
    yield Reason(
        code="spam_signature" if silent else "clicks_collapsed",
        status=Status.RED if seen else Status.AMBER,
        word=Word.PROBABLE_SPAM,
        basis=Basis.INFERRED,
        values=values,
        evidence=tuple(evidence),
    )


def _complaints_are_silent(facts: ProviderFacts, figures: tuple[Figure, ...]) -> bool:
    """Whether the provider would tell of complaints, took the mail, and told of next to none."""
    told = next((figure for figure in figures if figure.key == "complaints"), None)
    if told is None or told.value is None or not told.assessable:
        return False
    taken = facts.counts.accepted * 2 > facts.counts.sent
    return taken and told.value <= limits().complaints_near_zero


def _judge_incidents(facts: ProviderFacts) -> Iterator[Reason]:
    for incident in facts.incidents:
        yield Reason(
            code="open_incident",
            status=Status.RED if incident.level is IncidentLevel.RED else Status.AMBER,
            word=_word_of(incident, facts),
            basis=Basis.MEASURED,
            values={
                "kind": incident.kind.value,
                "deed": incident.deed.value,
                "part": incident.part,
                "whole": incident.whole,
            },
            evidence=(Evidence(EvidenceKind.INCIDENT, Basis.MEASURED, str(incident.incident_id)),),
        )


def _word_of(incident: OpenIncident, facts: ProviderFacts) -> Word:
    """In a word; "spam" only where most seeds were: one sender of several may have had the incident."""
    word, seeds = _WORD_OF_INCIDENT[incident.kind], facts.seeds
    most = 2 * (seeds.spam + seeds.missing) > seeds.tested
    return Word.MIXED if word is Word.SPAM and seeds.tested and not most else word


def _judge_health(facts: ProviderFacts) -> Iterator[Reason]:
    if facts.health is HealthLevel.PROBLEM:
        yield Reason(
            code="identity_problem",
            status=Status.AMBER,
            word=Word.UNAUTHENTICATED,
            basis=Basis.MEASURED,
            evidence=(Evidence(EvidenceKind.HEALTH, Basis.MEASURED),),
        )


def _values_of(figure: Figure) -> dict[str, str | int | float]:
    return {
        "part": figure.part,
        "whole": figure.whole,
        "share": figure.value or 0.0,
        "low": figure.low or 0.0,
        "high": 1.0 if figure.high is None else figure.high,
    }
