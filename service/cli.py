"""The command `tocsin`: what is typed, sent to the command that does it, and errors told in one line.

Commands import what they run inside their functions, so that `tocsin --help` answers at once.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from typer.main import get_command

from service.commands import (
    alerts,
    api_keys,
    backups,
    bench,
    bounces,
    campaigns,
    classify,
    compliance,
    consents,
    counts,
    declared,
    deliverability,
    dmarc,
    elections,
    identities,
    incidents,
    lint,
    maps,
    pace,
    people,
    running,
    seeds,
    segments,
    sending,
    setup,
    suppressions,
    templates,
    unwrap_help,
    users,
    warmup,
    webhooks,
)
from service.problems import Problem, explain, wants_traceback

app = typer.Typer(
    name="tocsin",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
# In the order of the help: to begin with, then people, messages, campaigns.
COMMANDS = (
    running,
    setup,
    backups,
    users,
    api_keys,
    webhooks,
    people,
    consents,
    segments,
    suppressions,
    templates,
    identities,
    warmup,
    pace,
    bounces,
    dmarc,
    declared,
    sending,
    deliverability,
    maps,
    campaigns,
    elections,
    compliance,
    lint,
    incidents,
    alerts,
    seeds,
    counts,
    classify,
    bench,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {metadata.version('tocsin')}")
        raise typer.Exit


@app.callback(
    epilog="New here? [bold]tocsin demo[/bold] is a rehearsal that never leaves this machine. For a first"
    " real campaign: tocsin migrate, tocsin identity add, tocsin import, tocsin serve; and tocsin doctor at"
    " any time."
)
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Personalised e-mail and SMS campaigns to segments of people, at a pace that providers accept."""


for _module in COMMANDS:
    _module.register(app)
unwrap_help(app)


def main() -> None:
    """The entry point: run what was typed, exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of one command; whatever goes wrong has been told on standard error."""
    try:
        status = app(arguments, prog_name="tocsin", standalone_mode=False)
        # Here, rather than at the end of the process, a full disk or a closed pipe can still be told.
        sys.stdout.flush()
    except typer.TyperException as error:
        return _tell(_misuse(error, arguments))
    except typer.Abort:
        return _tell(Problem((), 130))
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        if wants_traceback():
            traceback.print_exception(error)
        _abandon_stdout()
        return _tell(explain(error))
    return status if isinstance(status, int) else 0


def _misuse(error: typer.TyperException, arguments: Sequence[str]) -> Problem:
    """What was typed wrongly, and where to read how it goes."""
    # "Value error" is a word of the library that read it, and tells nothing.
    message = " ".join(error.format_message().replace("Value error, ", "").split())
    if not message:
        # A group typed alone: its help has just been printed.
        return Problem((), 0)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else _command_of(arguments)
    end = "" if message.endswith((".", "?")) else "."
    return Problem((f"{message}{end} See `{command} --help`.",), error.exit_code)


def _command_of(arguments: Sequence[str]) -> str:
    """The command that was meant, for errors that do not say: an option without its value is one."""
    names = ["tocsin"]
    command: object = get_command(app)
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        names.append(word)
    return " ".join(names)


def _tell(problem: Problem) -> int:
    console = Console(stderr=True, highlight=False)
    for line in problem.lines:
        console.print(Text.assemble(("tocsin:", "red"), " ", line), soft_wrap=not console.is_terminal)
    for line in problem.shown:
        console.print(Text(line), soft_wrap=True)
    return problem.exit_code


def _abandon_stdout() -> None:
    """Give up what could not be written, so that Python does not try again, and complain, at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
