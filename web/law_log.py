"""Single entries of the log of what the law asks, as rows: votes, waivers, checks that were gone past."""

from zoneinfo import ZoneInfo

from deliverability.health.findings import HealthCode
from models.election import ElectionDay, SilenceWaiver
from models.preflight import LintLevel, PreflightOverride
from scheduler.preflight.findings import HEALTH, LintFinding
from scheduler.silence import home_within, silence_of
from web import compliance_words as words
from web.health_words import PARTS
from web.i18n import Tongue
from web.lint_words import say_fine
from web.words import word_for


def vote_row(day: ElectionDay, tongue: Tongue) -> tuple[str, ...]:
    """What, when, where, from when until when nothing may reach most of who votes, and who entered it."""
    silence = silence_of(day, home_within(day), zone=day.zone)
    there = Tongue(tongue.language, ZoneInfo(silence.zone if silence else day.zone))
    span = f"{there.moment(silence.starts_at)} – {there.moment(silence.ends_at)}" if silence else "–"
    place = " ".join(filter(None, (tongue.say(word_for(day.territory)), day.place or day.territory_value)))
    name = tongue.say(words.VOTE_ROUND, vote=day.name, round=tongue.number(day.round))
    return name, tongue.day(day.day), place, span, day.created_by or "–"


def waiver_row(one: SilenceWaiver, campaign: str, tongue: Tongue) -> tuple[str, ...]:
    """Which campaign, who asked, why, and what became of it."""
    asked = tongue.say(words.BY_AT, who=one.asked_by, moment=tongue.moment(one.asked_at))
    return campaign, asked, one.reason, waiver_end(one, tongue)


def waiver_end(one: SilenceWaiver, tongue: Tongue) -> str:
    """Who agreed to it, or who refused it or took it back; or that nobody has answered."""
    parts = []
    for text, who, at in (
        (words.AGREED, one.agreed_by, one.agreed_at),
        (words.REFUSED, one.refused_by, one.refused_at),
    ):
        if at is not None:
            parts.append(tongue.say(text, who=who, moment=tongue.moment(at)))
    return "; ".join(parts) or tongue.say(words.UNANSWERED)


def override_row(row: PreflightOverride, campaign: str, tongue: Tongue) -> tuple[str, ...]:
    """Which campaign, when and by whom, past what, and why."""
    by = tongue.say(words.BY_AT, who=who_of(row.by, tongue), moment=tongue.moment(row.at))
    return campaign, by, ", ".join(checks_of(row, tongue)), row.reason


def checks_of(row: PreflightOverride, tongue: Tongue) -> list[str]:
    """What was gone past, each once, as what would have been in order."""
    return list(dict.fromkeys(_check(code, tongue) for code in row.codes))


def who_of(by: str, tongue: Tongue) -> str:
    """Somebody; at the terminal nobody signs in."""
    who, there, _ = by.partition(" (command line)")
    return tongue.say("%(who)s (command line)", who=who) if there else who


def _check(code: str, tongue: Tongue) -> str:
    if code.startswith(HEALTH):
        return tongue.say(PARTS[HealthCode(code.removeprefix(HEALTH)).part])
    return say_fine(tongue, LintFinding(LintLevel.BLOCK, code))
