"""What a look before sending finds: codes and values, so that each reader is told in their own language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.preflight import LintLevel

HEALTH = "health."
"""Before the codes that `deliverability.health` gives: their words are its own."""
_ORDER = {level: place for place, level in enumerate(LintLevel)}


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that was looked at. `values` fill the words of `code`; `where`: keys of the identities."""

    level: LintLevel
    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    where: tuple[str, ...] = ()


def blockers(findings: Iterable[LintFinding]) -> list[LintFinding]:
    """Those that stand in the way."""
    return [finding for finding in findings if finding.level is LintLevel.BLOCK]


def gather(findings: Iterable[LintFinding]) -> list[LintFinding]:
    """Each finding once, with every identity it concerns; blockers first, then warnings, in their order.

    A check that is fine for one identity and not for another is not fine.
    """
    where: dict[tuple[LintLevel, str, tuple[tuple[str, str], ...]], list[str]] = {}
    for finding in findings:
        key = (finding.level, finding.code, tuple(sorted(finding.values.items())))
        places = where.setdefault(key, [])
        places += [one for one in finding.where if one not in places]
    tripped = {code for level, code, _ in where if level is not LintLevel.FINE}
    merged = [
        LintFinding(level, code, dict(values), tuple(places))
        for (level, code, values), places in where.items()
        if level is not LintLevel.FINE or code not in tripped
    ]
    return sorted(merged, key=lambda finding: _ORDER[finding.level])


def to_rows(findings: Sequence[LintFinding]) -> list[dict[str, Any]]:
    """As they are kept, and printed for programs."""
    return [
        {
            "level": finding.level.value,
            "code": finding.code,
            "values": dict(finding.values),
            "where": list(finding.where),
        }
        for finding in findings
    ]


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[LintFinding]:
    """What `to_rows` wrote."""
    return [
        LintFinding(LintLevel(row["level"]), row["code"], dict(row["values"]), tuple(row["where"]))
        for row in rows
    ]
