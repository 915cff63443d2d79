"""What changed since the last time as pages, paper and the terminal show it: one list of sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deliverability.assessment.values import Status, Word
from deliverability.changes.values import Change, ChangeCode, Changes, Turn
from deliverability.health.findings import FindingLevel
from deliverability.signals.hooks import PROVIDERS
from models.declared import DeclaredSource
from models.incident import IncidentKind, IncidentLevel
from models.providers import provider_name
from models.states import SuppressionReason
from web import change_words as words
from web.assessment_words import SOURCES, STATUSES, WORDS
from web.borrowed import say_borrowed
from web.health_words import said
from web.i18n import Tongue
from web.incident_words import KINDS
from web.words import word_for

TONES = {Turn.WORSE: "warn", Turn.NEWS: "quiet", Turn.BETTER: "good"}
GRAVE = frozenset({Status.RED.value, IncidentLevel.RED.value, FindingLevel.PROBLEM.value})


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change: tone, the way it went in a word, its sentence, what makes it certain, where to look."""

    tone: str
    turn: str
    text: str
    detail: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class ChangeList:
    """All of them: what is compared with what, the lines, what cannot be told yet."""

    head: str
    lines: tuple[ChangeLine, ...]
    notes: tuple[str, ...] = ()
    earlier_id: int | None = None


def changes_of(changes: Changes | None, tongue: Tongue) -> ChangeList | None:
    """A list of changes in the reader's words; None where there is nothing to tell them of."""
    if changes is None:
        return None
    if not (changes.comparable or changes.days or changes.listed):
        return None
    apart = [one for one in changes.listed if one.code is not ChangeCode.SUPPRESSED]
    suppressed = [one for one in changes.listed if one.code is ChangeCode.SUPPRESSED]
    lines = tuple(_line(one, tongue) for one in apart)
    if suppressed:
        # After what is worse, before what is better: it is neither.
        place = sum(one.turn is not Turn.BETTER for one in apart)
        lines = (*lines[:place], _suppressed(suppressed, tongue), *lines[place:])
    return ChangeList(
        head=_head(changes, tongue),
        lines=lines,
        notes=tuple(_notes(changes, tongue)),
        earlier_id=changes.earlier.campaign_id if changes.earlier else None,
    )


def _head(changes: Changes, tongue: Tongue) -> str:
    earlier = changes.earlier
    if earlier is not None:
        text = words.AGAINST_SAME if earlier.same_segments else words.AGAINST_LAST
        return tongue.say(text, campaign=earlier.name, day=tongue.day(earlier.launched_at))
    return tongue.count(words.AGAINST_DAYS, changes.days)


def _notes(changes: Changes, tongue: Tongue) -> Iterator[str]:
    if changes.days and not changes.comparable:
        yield tongue.say(words.NOTHING_BEFORE)
    elif changes.comparable and not changes.listed:
        yield tongue.say(words.SAME)
    if changes.early:
        yield tongue.say(words.EARLY, hours=tongue.number(changes.early))


def _line(one: Change, tongue: Tongue) -> ChangeLine:
    grave = {str(one.values.get(name, "")) for name in ("now", "now_status", "level")} & GRAVE
    text, detail, link = _told(one, tongue)
    tone = "bad" if one.turn is Turn.WORSE and grave else TONES[one.turn]
    return ChangeLine(tone, tongue.say(words.TURNS[one.turn]), text, detail, link)


def _told(one: Change, tongue: Tongue) -> tuple[str, str, str]:
    """Its sentence, the detail after it, where to look."""
    match one.code:
        case ChangeCode.STATUS:
            before, now = (STATUSES[Status(str(one.values[name]))][1] for name in ("before", "now"))
            return _between(words.STATUS, before, now, tongue), "", "#verdicts"
        case ChangeCode.VERDICT:
            before, now = (WORDS[Word(str(one.values[name]))] for name in ("before", "now"))
            place = _provider(one.provider, tongue)
            return _between(words.VERDICT, before, now, tongue, provider=place), "", "#verdicts"
        case ChangeCode.SHARE:
            return *_share(one, tongue), ""
        case ChangeCode.INCIDENT_BEGAN | ChangeCode.INCIDENT_ENDED:
            return _incident(one, tongue), tongue.moment(one.at, "short"), f"/incidents/{one.reference}"
        case ChangeCode.FINDING_NEW | ChangeCode.FINDING_GONE:
            text = words.FOUND if one.code is ChangeCode.FINDING_NEW else words.GONE
            finding = said(one.finding, tongue) if one.finding else ""
            return tongue.say(text, finding=finding), "", f"/identities/{one.identity_id}"
        case ChangeCode.FEED_SILENT:
            return _silent(one, tongue), "", words.LINKS[str(one.values["key"])]
        case ChangeCode.SUPPRESSED:
            return _suppressed([one], tongue).text, "", "/suppressions"


def _suppressed(some: Sequence[Change], tongue: Tongue) -> ChangeLine:
    """All reasons in one line, the most frequent first."""
    counts = sorted(((int(one.values["number"]), str(one.values["key"])) for one in some), reverse=True)
    reasons = [(tongue.say(word_for(SuppressionReason(key))), tongue.number(count)) for count, key in counts]
    told = ", ".join(f"{reason} {count}" if len(reasons) > 1 else reason for reason, count in reasons)
    text = tongue.say_plural(*words.SUPPRESSED, sum(count for count, _ in counts), reasons=told)
    return ChangeLine(TONES[Turn.NEWS], tongue.say(words.TURNS[Turn.NEWS]), text, link="/suppressions")


def _between(text: str, before: str, now: str, tongue: Tongue, **values: str) -> str:
    return tongue.say(text, before=tongue.say(before), now=tongue.say(now), **values)


def _share(one: Change, tongue: Tongue) -> tuple[str, str]:
    before, now = float(one.values["before"]), float(one.values["now"])
    digits = _digits(before, now)
    common = {
        "what": tongue.say(words.SHARES[str(one.values["key"])]),
        "before": tongue.percent(before, digits),
        "now": tongue.percent(now, digits),
    }
    places = [_provider(name, tongue) for name in str(one.values["providers"]).split(",") if name]
    if one.provider:
        text = tongue.say(words.MOVED_AT, provider=_provider(one.provider, tongue), **common)
    elif places:
        text = tongue.say(words.MOVED_MOSTLY, places=", ".join(places), **common)
    else:
        text = tongue.say(words.MOVED, **common)
    low, high = sorted((float(one.values["low"]), float(one.values["high"])), key=abs)
    certain = tongue.say(words.CERTAIN, low=_points(low, digits, tongue), high=_points(high, digits, tongue))
    return text, certain


def _digits(before: float, now: float) -> int:
    """So many that the two differ where they are read."""
    largest = max(before, now)
    return 0 if largest >= 0.995 and abs(now - before) >= 0.02 else 1 if largest >= 0.02 else 2


def _points(rise: float, digits: int, tongue: Tongue) -> str:
    """`+1.2` or `−0.4`, with a true minus."""
    figure = tongue.number(round(abs(rise) * 100, max(1, digits)))
    return f"{'−' if rise < 0 else '+'}{figure}"


def _incident(one: Change, tongue: Tongue) -> str:
    began = one.code is ChangeCode.INCIDENT_BEGAN
    kind = tongue.say(KINDS[IncidentKind(str(one.values["key"]))])
    if not one.provider:
        return tongue.say(words.BEGAN if began else words.ENDED, kind=kind)
    text = words.BEGAN_AT if began else words.ENDED_AT
    return tongue.say(text, kind=kind, provider=_provider(one.provider, tongue))


def _silent(one: Change, tongue: Tongue) -> str:
    kind, name, day = str(one.values["key"]), str(one.values["name"]), tongue.day(one.at)
    if kind == "seeds":
        place = _provider(name, tongue)
        return tongue.say_plural(*words.SILENT_SEEDS, int(one.values["number"]), provider=place, day=day)
    if kind == "declared":
        name = SOURCES[DeclaredSource(name)]
    elif kind == "hook" and name in PROVIDERS:
        name = PROVIDERS[name].name
    return tongue.say(words.SILENT[kind], name=name, day=day)


def _provider(key: str, tongue: Tongue) -> str:
    return say_borrowed(tongue, provider_name(key))
