"""The verdicts on an e-mail campaign, on the terminal: the same sentences as on the pages, in English."""

from collections.abc import Iterator
from types import MappingProxyType
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from deliverability.assessment.whole import CampaignAssessment
from deliverability.report import CampaignReport
from service.report_notes import Grade, troubles
from web.i18n import Tongue
from web.verdict_view import LaneView, Told, Verdicts, verdicts_of

STEPS_SHOWN = 6
TONES = MappingProxyType({"good": "green", "quiet": "cyan", "warn": "yellow", "bad": "red"})
MARKS = MappingProxyType({"good": "✓", "quiet": "?", "warn": "!", "bad": "✗"})
GRADES = MappingProxyType(
    {"good": Grade.GREEN, "quiet": Grade.UNKNOWN, "warn": Grade.AMBER, "bad": Grade.RED}
)


def verdicts_in_english(found: CampaignAssessment, zone: str) -> Verdicts:
    """An assessment as the terminal tells it."""
    return verdicts_of(found, Tongue("en", ZoneInfo(zone)))


def print_verdicts(console: Console, report: CampaignReport, verdicts: Verdicts) -> None:
    """The verdict on the whole and on each provider, what it rests on, and what to do next."""
    notes = list(troubles(report))
    grades = [GRADES[verdicts.tone], *(note.grade for note in notes)]
    grade = max(grades, key=list(Grade).index)
    tone = next(tone for tone, one in GRADES.items() if one is grade)
    console.print()
    _say(console, ("Verdict: ", "bold"), (grade.value.upper(), f"bold {TONES[tone]}"))
    for note in notes:
        _mark(console, "bad" if note.grade is Grade.RED else "warn", note.text)
    for lane in verdicts.providers:
        _mark(console, lane.tone, f"{lane.provider}: {lane.word}. {_because(lane)}")
    for sentence in verdicts.estimate:
        _say(console, "  ", sentence)
    if verdicts.advice:
        console.print()
        console.print(Text("What to do next", style="bold"))
        for one in _shown(verdicts.advice):
            _mark(console, one.tone, one.text)


def _because(lane: LaneView) -> str:
    """The gravest reason, and whoever does worse there than all together."""
    worse = "".join(f" {name}: {word}." for name, _, word in lane.worse)
    return f"{lane.main.text} ({lane.main.basis}){worse}"


def _shown(advice: tuple[Told, ...]) -> Iterator[Told]:
    yield from advice[:STEPS_SHOWN]
    if len(advice) > STEPS_SHOWN:
        more = len(advice) - STEPS_SHOWN
        yield Told("quiet", f"{more} more on the report’s page.")


def _mark(console: Console, tone: str, text: str) -> None:
    _say(console, (f"{MARKS[tone]} ", TONES[tone]), text)


def _say(console: Console, *parts: str | tuple[str, str]) -> None:
    console.print(Text.assemble(*parts), soft_wrap=not console.is_terminal)
