"""`tocsin backup` and `tocsin restore`: everything in one file, and back from it with nothing leaving."""

from pathlib import Path
from typing import Annotated

import typer

from models.errors import BadInputError
from service.commands import examples
from service.desk import read_settings
from service.loops import run
from service.terminal import say, warn


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not be there yet.", metavar="FILE")],
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Leave the secret key out: it is kept elsewhere.")
    ] = False,
) -> None:
    """Write the database and the secret key to one file, while everything goes on.

    Only its owner may read the file, and whoever has it has everything: keep it as you keep a password.
    Uploaded files and import reports in the data directory are not in it.
    """
    from models.clock import SystemClock
    from service.backup import make_backup
    from service.secret_key import key_file

    settings = read_settings()
    run(make_backup(settings, file, SystemClock(), with_key=not without_key))
    say(f"The backup is {file}, {file.stat().st_size / 2**20:,.1f} MB.")
    if settings.secret_key is not None:
        warn("The secret key is a setting (TOCSIN_SECRET_KEY) and not in it: keep that, too.")
    elif without_key:
        warn(f"The secret key is not in it: keep {key_file(settings)}, too.")


def restore(
    file: Annotated[Path, typer.Argument(help="File that `tocsin backup` wrote.", metavar="FILE")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")] = False,
) -> None:
    """Replace the database by a backup, with every campaign that could send paused.

    A backup does not know what left after it was made, nor who unsubscribed: nothing leaves until somebody
    has looked and resumed each campaign. Stop every service first. Back up what is there, it is replaced.
    """
    import sys

    from models.clock import SystemClock
    from service.backup import restore_backup

    settings = read_settings()
    if not yes:
        if not sys.stdin.isatty():
            raise BadInputError("Nobody is here to say yes.", "Add --yes to restore without being asked.")
        if not typer.confirm("Everything in the database is replaced. Go on?"):
            raise typer.Abort
    restored = run(restore_backup(settings, file, SystemClock()))
    manifest = restored.manifest
    say(f"Restored: the database as it was on {manifest.moment:%Y-%m-%d at %H:%M} UTC.")
    say(restored.key)
    if restored.aside is not None:
        say(f"What workers had noted of the database that was replaced is in {restored.aside}.")
    say(
        "Campaigns that were scheduled or under way are paused. What left since, and who unsubscribed or"
        " complained since, is not known: look into the logs of the mail server, import suppressions you"
        " exported (tocsin suppression import), then resume each one (tocsin campaign resume) or cancel it."
    )
    say("Run `tocsin migrate`, then start the service.")


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    panel = "Set up"
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "tocsin backup /var/backups/tocsin.backup", "tocsin backup --without-key tocsin.backup"
        ),
    )(backup)
    app.command(rich_help_panel=panel, epilog=examples("tocsin restore /var/backups/tocsin.backup --yes"))(
        restore
    )
