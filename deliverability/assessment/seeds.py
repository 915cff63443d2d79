"""What seeds prove of a provider: the only evidence that makes a verdict green."""

from collections.abc import Iterator

from deliverability.assessment.facts import ProviderFacts, SeedCounts
from deliverability.assessment.limits import SeedLimits, limits
from deliverability.assessment.values import (
    Basis,
    Evidence,
    EvidenceKind,
    Figure,
    Reason,
    Status,
    Value,
    Word,
)

_SEEN = (Evidence(EvidenceKind.SEEDS, Basis.MEASURED),)


def judge_seeds(facts: ProviderFacts, placement: Figure) -> Iterator[Reason]:
    """Where they were found; and that too few, or none, were there to find anything.

    More seeds in spam never make it better: green takes a number found in the inbox, whatever the others.
    """
    seeds, rules = facts.seeds, limits().seeds
    if seeds.rejected >= rules.amber_spam:
        values: dict[str, Value] = {"part": seeds.rejected, "whole": seeds.rejected + seeds.tested}
        yield Reason("seeds_refused", Status.AMBER, Word.REFUSED, Basis.MEASURED, values, _SEEN)
    if not seeds.tested:
        yield _nothing_seen(facts, rules)
        return
    bad = seeds.spam + seeds.missing
    values = {
        "inbox": seeds.arrived,
        "spam": seeds.spam,
        "missing": seeds.missing,
        "seeds": seeds.tested,
        "low": placement.low or 0.0,
        "high": 1.0 if placement.high is None else placement.high,
        "needed": rules.fewest,
    }
    if bad >= rules.amber_spam:
        yield _bad(seeds, bad, rules, values)
    elif seeds.arrived < rules.fewest:
        yield Reason("few_seeds", Status.GREY, Word.NOT_ASSESSABLE, Basis.MEASURED, values, _SEEN)
    else:
        yield Reason("seeds_inbox", Status.GREEN, Word.INBOX, Basis.MEASURED, values, _SEEN)


def _bad(seeds: SeedCounts, bad: int, rules: SeedLimits, values: dict[str, Value]) -> Reason:
    """Some of them, or most of them, are not where they should be."""
    missing = seeds.missing > seeds.spam
    if bad * 2 > seeds.tested:
        code, word = ("seeds_mostly_missing", Word.MISSING) if missing else ("seeds_mostly_spam", Word.SPAM)
        return Reason(code, Status.RED, word, Basis.MEASURED, values, _SEEN)
    word = Word.INBOX if seeds.arrived >= rules.inbox_from * seeds.tested else Word.MIXED
    code = "seeds_some_missing" if missing else "seeds_some_spam"
    return Reason(code, Status.AMBER, word, Basis.MEASURED, values, _SEEN)


def _nothing_seen(facts: ProviderFacts, rules: SeedLimits) -> Reason:
    code, word = "not_tested", Word.NOT_TESTED
    if facts.seeds.awaited:
        code, word = "seeds_awaited", Word.NOT_ASSESSABLE
    elif not facts.counts.sent and not facts.counts.attempted and not facts.seeds.rejected:
        code, word = "nothing_sent", Word.NOTHING_SENT
    values: dict[str, Value] = {"awaited": facts.seeds.awaited, "needed": rules.fewest}
    return Reason(code, Status.GREY, word, Basis.UNKNOWN, values)
