"""`tocsin import`: people out of a spreadsheet, with a line of explanation for each that stays out."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands import examples

ENCODINGS = ""


def import_(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, one person a line, with a heading.", metavar="FILE")
    ],
) -> None:
    """Read people from a CSV file."""


def register(app: typer.Typer) -> None:
    """Put the command on the root."""
    app.command("import", rich_help_panel="Prepare", epilog=examples("tocsin import people.csv"))(import_)
