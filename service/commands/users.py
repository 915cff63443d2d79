"""`tocsin user`: the people of the organisation who may sign in to the pages."""

import secrets
import sys
from typing import Annotated

import typer

from models.access import Role, User
from service.commands import examples, noun, read_mailbox
from service.desk import Desk, work
from service.terminal import print_table, say

group = noun("Who may sign in to the web pages.")


@group.command(
    "add",
    epilog=examples(
        "tocsin user add ada@example.org --role admin",
        "tocsin user add ada@example.org --role editor --generate",
    ),
)
def add(
    email: Annotated[str, typer.Argument(help="Address the person signs in with.", metavar="EMAIL")],
    name: Annotated[str, typer.Option(help="Name shown on the pages.", metavar="TEXT")] = "",
    role: Annotated[
        Role, typer.Option(help="admin: everything; editor: campaigns; reader: reports.")
    ] = Role.READER,
    generate: Annotated[bool, typer.Option("--generate", help="Make a password and print it once.")] = False,
) -> None:
    """Let somebody sign in. The password is asked for, or read from standard input, or made.

    It has at least 12 characters.
    """
    password = secrets.token_urlsafe(15) if generate else _ask_password()

    async def save(desk: Desk) -> User:
        from store.users import add_user
        from web.passwords import hash_password

        async with desk.database.write() as session:
            return await add_user(
                session,
                email=read_mailbox(email),
                name=name,
                password_hash=hash_password(password),
                role=role,
                language=desk.settings.language,
                now=desk.clock.now(),
            )

    user = work(save)
    say(f"{user.email} may sign in as {user.role.value}.")
    if generate:
        say(f"Password: {password}")


def _ask_password() -> str:
    """Twice from a person, one line from a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


@group.command("list", epilog=examples("tocsin user list"))
def list_() -> None:
    """Show who may sign in."""

    async def read(desk: Desk) -> list[User]:
        from store.users import list_users

        async with desk.database.read() as session:
            return await list_users(session)

    print_table(
        ["E-mail", "Name", "Role"],
        [(user.email, user.name, user.role.value) for user in work(read)],
        empty="Nobody may sign in yet: `tocsin user add EMAIL --role admin`.",
    )


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="user", rich_help_panel="Set up")
