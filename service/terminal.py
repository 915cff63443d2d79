"""How the terminal shows things: sentences, tables, settings, findings, progress.

Readable from 80 columns up; without colour and without frames where the output is not a terminal or
NO_COLOR is set, so that it can be piped.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from models.states import LeftOutReason
from models.text import plural
from service.alert_settings import ALERT_FIELDS
from service.api_settings import ApiSettings
from service.declared_settings import DECLARED_FIELDS
from service.findings import Finding, Level
from service.hook_settings import HOOK_FIELDS
from service.identity_settings import IDENTITY_FIELDS
from service.law_settings import LAW_FIELDS
from service.lint_settings import LINT_FIELDS
from service.settings import SECRET_FIELDS, Settings
from service.settings_problems import variable
from service.smtp_url import mask_url
from service.submission_settings import SubmissionSettings

PIPE_WIDTH = 160
MARKS = MappingProxyType(
    {Level.FINE: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.BLOCKING: ("✗", "red")}
)


def screen(*, stderr: bool = False) -> Console:
    """The terminal, or a wide plain page where the output goes into a pipe or a file."""
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, highlight=False, width=PIPE_WIDTH if piped else None)


def say(text: str) -> None:
    """Print a sentence, broken between words on a terminal and not at all in a pipe."""
    console = screen()
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


def put(text: str) -> None:
    """Print a text as it is: to be copied, or read by a program."""
    screen().print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a sentence on standard error, so that it is seen and does not get into the output."""
    console = screen(stderr=True)
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


def set_in(text: str, indent: int = 4) -> None:
    """Print a sentence in grey below what it is about, `indent` characters from the left."""
    console = screen()
    if console.is_terminal:
        console.print(Padding(Text(text, style="dim"), (0, 0, 0, indent), expand=False))
    else:
        put(" " * indent + text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table of `rows`, or the sentence `empty` when there is none.

    A column whose name begins with `#` holds numbers and is set to the right, without the sign.
    """
    console = screen()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=console.is_terminal)
    for name in columns:
        table.add_column(
            name.removeprefix("#"), justify="right" if name.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    if table.row_count:
        console.print(table)
    else:
        say(empty)


def print_settings(settings: Settings) -> None:
    """Every setting with its value in force and what it is for; those given by the person stand out."""
    console = screen()
    for name in explained_settings():
        field, given = Settings.model_fields[name], name in settings.model_fields_set
        line = Text(variable(name), style="bold" if given else "")
        line.append(" = ", style="dim")
        line.append(shown_setting(settings, name), style="cyan" if given else "")
        if not given:
            line.append("  (default)", style="dim")
        console.print(line, soft_wrap=True)
        set_in(field.description or "")


def explained_settings() -> list[str]:
    """The settings in the order of docs/settings.md: what comes in stands between e-mail out and SMS."""
    hooks = [name for name in Settings.model_fields if name in HOOK_FIELDS]
    news = ["keep_originals_days", *hooks, *DECLARED_FIELDS]
    senders = [name for name in Settings.model_fields if name in IDENTITY_FIELDS | LINT_FIELDS]
    told = [name for name in Settings.model_fields if name in ALERT_FIELDS]
    law = [name for name in Settings.model_fields if name in LAW_FIELDS]
    programs = [*ApiSettings.model_fields, *SubmissionSettings.model_fields]
    others = [name for name in Settings.model_fields if name not in {*news, *senders, *told, *law, *programs}]
    before, place, last, rest = map(others.index, ("inbound_host", "twilio_account_sid", "frequency", "zone"))
    return [
        *(*others[:before], *senders),
        *(*others[before:place], *news),
        *(*others[place:last], *told),
        *(*others[last:rest], *law, *programs),
        *others[rest:],
    ]


def shown_setting(settings: Settings, name: str) -> str:
    """A setting's value, with what is secret in it replaced by dots."""
    value = getattr(settings, name)
    if value is None or value == {}:
        return "—"
    if name not in SECRET_FIELDS:
        return str(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_masked(address)}" for key, address in value.items())
    return _masked(value)


def _masked(value: SecretStr) -> str:
    text = value.get_secret_value()
    if "://" not in text:
        return "•••"
    # Some addresses carry their key behind the question mark.
    address, asked, _ = mask_url(text).partition("?")
    return f"{address}?•••" if asked else address


def print_findings(findings: Iterable[Finding]) -> bool:
    """The doctor's findings, grouped as they come, with advice; True when one of them blocks."""
    console = screen()
    counts = dict.fromkeys(Level, 0)
    subject = ""
    for finding in findings:
        if finding.subject != subject:
            subject = finding.subject
            console.print(Text(subject, style="bold"))
        mark, colour = MARKS[finding.level]
        counts[finding.level] += 1
        line = Text.assemble("  ", (mark, colour), " ", finding.what)
        console.print(line, soft_wrap=True)
        if finding.advice:
            set_in(finding.advice)
    blocking, warnings = counts[Level.BLOCKING], counts[Level.WARNING]
    if blocking:
        say(f"\n{plural(blocking, 'thing')} to mend before a campaign leaves" + _besides(warnings))
    else:
        say("\nNothing stands in the way of a campaign" + _besides(warnings))
    return blocking > 0


def _besides(warnings: int) -> str:
    return f"; {plural(warnings, 'thing')} to look at." if warnings else "."


def moment(at: datetime, zone: str) -> str:
    """A time on the wall clock of `zone`: `2026-12-01 18:30 Europe/Paris`."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def words(value: StrEnum) -> str:
    """A reason or a state, as words."""
    return "in election silence" if value is LeftOutReason.ELECTION else value.value.replace("_", " ")


def progress_bar() -> Progress:
    """A bar on standard error, so that the output itself stays clean; none where that is no terminal."""
    console = screen(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
