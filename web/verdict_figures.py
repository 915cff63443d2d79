"""Single figures and sentences of an assessment, as the reader writes them."""

from collections.abc import Mapping
from datetime import date

from deliverability.assessment import Assessment
from deliverability.assessment.facts import ClickChange, ProviderFacts
from deliverability.assessment.values import Figure, Value
from models.declared import DeclaredSource
from models.incident import IncidentKind
from web.assessment_words import CLICK_GAPS, METRICS, SOURCES
from web.i18n import Tongue
from web.incident_words import KINDS as INCIDENT_KINDS

SHARES = frozenset({"share", "low", "high", "limit", "list_share", "ratio", "others_ratio"})


def sentence(text: str, values: Mapping[str, Value], provider: str, tongue: Tongue) -> str:
    """A text with its values filled in, `%(provider)s` among them."""
    written = {name: _written(name, value, tongue) for name, value in values.items()}
    return tongue.say(text, **{"provider": provider, **{k: v for k, v in written.items() if k != "provider"}})


def _written(name: str, value: Value, tongue: Tongue) -> str:
    """One value as the reader writes it."""
    match name, value:
        case "source", str():
            return SOURCES[DeclaredSource(value)]
        case "metric", str():
            return tongue.say(METRICS.get(value, value))
        case "kind", str():
            return tongue.say(INCIDENT_KINDS[IncidentKind(value)])
        case "day", str():
            return tongue.day(date.fromisoformat(value))
        case "value", float() | int():
            return tongue.percent(value, 2) if value <= 1 else tongue.number(value)
        case _, str():
            return value
        case _ if name in SHARES:
            return tongue.percent(float(value), _digits(float(value)))
        case _:
            return tongue.number(float(value))


def _digits(share: float) -> int:
    """So many that a small share does not look like none."""
    return 0 if share >= 0.1 or share == 0 else 1 if share >= 0.01 else 2


def part_of(part: int, whole: int) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def figure_of(figure: Figure | None, tongue: Tongue, digits: int) -> str:
    """A figure as a percentage; a dash of nothing."""
    if figure is None or not figure.whole:
        return "–"
    return tongue.percent(figure.value, digits)


def told_by(judged: Assessment, complaints: Figure | None, tongue: Tongue) -> str:
    """What a share of complaints is worth: its n, or that nobody tells."""
    if complaints is not None and complaints.whole:
        few = "" if complaints.assessable else f", {tongue.say('not assessable')}"
        return f"n = {tongue.number(complaints.whole)}{few}"
    if any(note.code == "no_complaint_feed" for note in judged.notes):
        return tongue.say("not told")
    return ""


def seeds_of(facts: ProviderFacts, tongue: Tongue) -> str:
    """`9/3/0/0`: inbox, tab, spam, missing; and those that wait, or were refused."""
    seeds = facts.seeds
    if not seeds.tested and not seeds.rejected and not seeds.awaited:
        return tongue.say("not tested")
    found = "/".join(str(count) for count in (seeds.inbox, seeds.tab, seeds.spam, seeds.missing))
    more = [
        tongue.say("refused: %(count)s", count=tongue.number(seeds.rejected)) if seeds.rejected else "",
        tongue.say("awaited: %(count)s", count=tongue.number(seeds.awaited)) if seeds.awaited else "",
    ]
    return " · ".join(filter(None, (found, *more)))


def placement_of(judged: Assessment, tongue: Tongue) -> str:
    """Where the share in the inbox lies, 95 times of 100."""
    figure = judged.figure("inbox")
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f"{tongue.number(round(figure.low * 100))}–{tongue.percent(figure.high, 0)}"


def clicks_of(change: ClickChange | None, tongue: Tongue) -> str:
    """`×0.41, p < 0.001`, or why nothing can be said."""
    if change is None:
        return "–"
    if not change.assessable or change.ratio is None:
        return tongue.say(CLICK_GAPS[change.reason]) if CLICK_GAPS[change.reason] else "–"
    ratio = f"×{tongue.number(round(change.ratio, 2))}"
    if change.p is None or change.p >= 0.01:
        return tongue.say("%(ratio)s, not significant", ratio=ratio)
    return f"{ratio}, p < {tongue.number(0.001 if change.p < 0.001 else 0.01)}"


def declared_of(facts: ProviderFacts, tongue: Tongue) -> list[str]:
    """What providers declare, each with its day."""
    return [
        tongue.say(
            "%(source)s: %(metric)s %(value)s (%(day)s)",
            source=SOURCES[one.source],
            metric=tongue.say(METRICS.get(one.metric, one.metric)),
            value=one.words if one.value is None else _written("value", one.value, tongue),
            day=tongue.day(one.day, "short"),
        )
        for one in facts.declared
    ]
