"""Before the first campaign: the database, the settings, the check of everything."""

import asyncio
from typing import Annotated

import typer

from service.commands import examples
from service.desk import read_settings
from service.secret_key import key_file, make_data_dir, open_keyring
from service.terminal import print_settings, say
from store import Database


def migrate() -> None:
    """Make the database, or bring it up to this version.

    Run it before the first start and after every update; running it again changes nothing.
    """
    settings = read_settings()
    make_data_dir(settings)
    open_keyring(settings)
    database = Database(settings.database_url.get_secret_value())

    async def bring_up_to_date() -> str | None:
        try:
            pending = await database.pending_migration()
            if pending is not None:
                await database.migrate()
            return pending
        finally:
            await database.close()

    pending = asyncio.run(bring_up_to_date())
    place = database.url.render_as_string(hide_password=True)
    say(f"The database is ready: {place}" if pending else f"The database was ready already: {place}")
    if settings.secret_key is None:
        say(f"The secret key is {key_file(settings)}: back it up with the database.")


def settings() -> None:
    """Show every setting in force, and what it is for.

    Secrets are hidden. Settings come from variables of the environment and from the file tocsin.env in
    the working directory, which holds lines such as TOCSIN_SMTP_URL=smtps://user:password@relay.example
    """
    print_settings(read_settings())


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what needs the network: the relay, Twilio, DNS.")
    ] = False,
) -> None:
    """Check all a campaign depends on, and say what to mend.

    The exit status is 1 when something would keep a campaign from leaving.
    """
    from service.doctor import examine
    from service.terminal import print_findings

    findings = asyncio.run(examine(read_settings(), with_network=not quick))
    if print_findings(findings):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    panel = "Set up"
    app.command(rich_help_panel=panel, epilog=examples("tocsin migrate"))(migrate)
    app.command(rich_help_panel=panel, epilog=examples("tocsin settings"))(settings)
    app.command(rich_help_panel=panel, epilog=examples("tocsin doctor", "tocsin doctor --quick"))(doctor)
