"""What providers declare, judged by their own limits, and told with its traps."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from deliverability.assessment.facts import Declared, ProviderFacts
from deliverability.assessment.limits import DeclaredLimit, limits
from deliverability.assessment.values import (
    Basis,
    Evidence,
    EvidenceKind,
    Note,
    Reason,
    Status,
    Value,
    Word,
)

IN_SPAM = frozenset({Word.SPAM, Word.PROBABLE_SPAM, Word.MIXED, Word.MISSING})


def judge_declared(facts: ProviderFacts) -> Iterator[Reason]:
    """Figures above what their source itself calls bad. That one is low proves nothing, and is no reason."""
    for figure in facts.declared:
        limit = limit_of(figure, facts.provider)
        if limit is None:
            continue
        status = limit.status(figure.value, figure.words)
        if status is Status.GREEN:
            continue
        values: dict[str, Value] = {
            "source": figure.source.value,
            "metric": figure.metric,
            "day": figure.day.isoformat(),
            "words": figure.words,
        }
        if figure.value is not None:
            values |= {"value": figure.value, "limit": limit.red if status is Status.RED else limit.amber}
        yield Reason(
            code="declared_bad",
            status=status,
            word=limit.word,
            basis=Basis.DECLARED,
            values=values,
            evidence=(Evidence(EvidenceKind.DECLARED, Basis.DECLARED, figure.source.value),),
        )


def notes_of(facts: ProviderFacts, reasons: Sequence[Reason]) -> Iterator[Note]:
    """The traps: what looks like good news here and is none."""
    feeds = limits().feeds
    if facts.provider in feeds.none:
        yield Note("no_complaint_feed", {"provider": facts.provider})
    elif facts.provider in feeds.signal_spam:
        yield Note("complaints_through_signal_spam", {"provider": facts.provider})
    grave = {reason.word for reason in reasons if reason.status.gravity >= Status.AMBER.gravity}
    for source in sorted({figure.source for figure in facts.declared}):
        figures = [figure for figure in facts.declared if figure.source is source]
        if source in feeds.inbox_only and grave & IN_SPAM and not _is_bad(figures, facts.provider):
            yield Note("declared_rate_blind", {"source": source.value})
        newest = max(figure.day for figure in figures)
        if facts.day is not None and newest < facts.day:
            yield Note("declared_before_campaign", {"source": source.value, "day": newest.isoformat()})


def _is_bad(figures: Sequence[Declared], provider: str) -> bool:
    judged = ((figure, limit_of(figure, provider)) for figure in figures)
    return any(
        limit is not None and limit.status(figure.value, figure.words) is not Status.GREEN
        for figure, limit in judged
    )


def limit_of(figure: Declared, provider: str) -> DeclaredLimit | None:
    """The limit of a figure at a provider; None where it is no measure of anything there."""
    return next(
        (
            limit
            for limit in limits().declared
            if limit.source is figure.source
            and fnmatchcase(figure.metric, limit.metric)
            and provider in limit.providers
        ),
        None,
    )
