"""What a look before sending found, on the terminal: blockers first, each with what to do about it."""

import json
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.text import Text

from models.preflight import LintLevel
from models.text import plural
from scheduler.preflight.findings import HEALTH, LintFinding, blockers, to_rows
from service.terminal import put, say, screen, set_in
from web.i18n import SOURCE_LANGUAGE, Tongue
from web.lint_words import say_advice, say_fine, say_what

MARKS = {LintLevel.BLOCK: ("✗", "red"), LintLevel.WARN: ("!", "yellow"), LintLevel.FINE: ("✓", "green")}
ENGLISH = Tongue(SOURCE_LANGUAGE, ZoneInfo("UTC"))


def print_lint(findings: Sequence[LintFinding], *, everything: bool = True) -> None:
    """Every finding in a line; what is fine only with `everything`."""
    several = len({place for finding in findings for place in finding.where}) > 1
    console = screen()
    for finding in findings:
        fine = finding.level is LintLevel.FINE
        if fine and not everything:
            continue
        mark, colour = MARKS[finding.level]
        where = f" ({', '.join(finding.where)})" if several and finding.where and not fine else ""
        what = say_fine(ENGLISH, finding) if fine else say_what(ENGLISH, finding)
        console.print(Text.assemble((mark, colour), f" {what}{where}"), soft_wrap=True)
        advice = "" if fine else say_advice(ENGLISH, finding)
        if advice:
            set_in(advice, 2)
    if any(one.code.startswith(HEALTH) and one.level is LintLevel.BLOCK for one in findings):
        say("`tocsin identity check`, with the sender's short name, prints the records to publish.")


def print_sum(findings: Sequence[LintFinding]) -> None:
    """What it comes to, in a sentence."""
    stands = len(blockers(findings))
    warnings = sum(finding.level is LintLevel.WARN for finding in findings)
    besides = f"; {plural(warnings, 'thing')} to look at" if warnings else ""
    if stands:
        say(f"\n{plural(stands, 'thing')} to mend before it is scheduled{besides}.")
    elif warnings:
        say(f"\nNothing stands in the way{besides}.")
    else:
        say("\nEverything is in order.")


def lint_json(findings: Sequence[LintFinding]) -> str:
    """For programs: codes, values and the English sentences."""
    rows = to_rows(findings)
    for row, finding in zip(rows, findings, strict=True):
        fine = finding.level is LintLevel.FINE
        row["what"] = say_fine(ENGLISH, finding) if fine else say_what(ENGLISH, finding)
        row["advice"] = "" if fine else say_advice(ENGLISH, finding)
    return json.dumps({"blocked": bool(blockers(findings)), "findings": rows}, ensure_ascii=False, indent=2)


def print_json(findings: Sequence[LintFinding]) -> None:
    """`lint_json` on standard output."""
    put(lint_json(findings))
