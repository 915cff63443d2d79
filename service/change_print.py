"""What changed since the last time, on the terminal: the same sentences as on the pages, in English."""

from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from deliverability.changes import Changes
from service.verdict_print import MARKS, TONES
from web.change_view import changes_of
from web.i18n import Tongue


def print_changes(console: Console, changes: Changes | None, zone: str) -> None:
    """The list; nothing where there is none."""
    told = changes_of(changes, Tongue("en", ZoneInfo(zone)))
    if told is None:
        return
    console.print()
    console.print(Text("What changed since the last time", style="bold"))
    _say(console, (told.head, "dim"))
    for one in told.lines:
        detail = f" ({one.detail})" if one.detail else ""
        _say(console, (f"{MARKS[one.tone]} ", TONES[one.tone]), f"{one.text}{detail}")
    for note in told.notes:
        _say(console, note)


def _say(console: Console, *parts: str | tuple[str, str]) -> None:
    console.print(Text.assemble(*parts), soft_wrap=not console.is_terminal)
