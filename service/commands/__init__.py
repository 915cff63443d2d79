"""The commands of `tocsin`, one module a noun; each does one thing and prints the result.

They hold no rules of their own: what may be done is decided in the rooms below.
"""

import inspect
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.markup import escape

from models.errors import BadInputError

__all__ = ["examples", "noun", "read_mailbox", "read_pairs", "read_text", "unwrap_help"]


def noun(sentence: str) -> typer.Typer:
    """An empty group of commands; typed alone, it prints its help."""
    return typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich", help=sentence)


def unwrap_help(app: typer.Typer) -> None:
    """Undo the line breaks that the source puts into docstrings: the terminal has its own width."""
    for command in app.registered_commands:
        if command.callback is not None:
            paragraphs = (inspect.getdoc(command.callback) or "").split("\n\n")
            command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            unwrap_help(group.typer_instance)


def examples(*lines: str) -> str:
    """The end of a command's help: lines to type as they are."""
    return "\n".join(["[dim]Examples[/dim]", *(f"  {escape(line)}" for line in lines)])


def read_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=TEXT` options as a table; BadInputError when one has no equals sign or no name."""
    table: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise BadInputError(f"{option} {pair!r} is no pair.", f"Write {option} NAME=TEXT.")
        table[name.strip()] = text.strip()
    return table


def read_mailbox(text: str) -> str:
    """An e-mail address in its normal form; BadInputError that names it, since there may be several."""
    from audience.addresses import AddressError, read_email

    try:
        return read_email(text)
    except AddressError as error:
        raise BadInputError(f"{text!r} is no e-mail address: {error.reason}") from error


def read_text(path: Path) -> str:
    """A text file's content; BadInputError when it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not UTF-8 text.", "Save it as UTF-8 and try again.") from error
