"""`tocsin seed`: mailboxes of our own, read to see in which folder our mail lands."""

import sys
from typing import Annotated

import typer

from models.errors import BadInputError
from models.providers import OTHER, PROVIDERS, provider_name, provider_of
from models.seed import SeedMailbox
from service.commands import examples, noun, read_mailbox
from service.desk import Desk, work
from service.terminal import moment, print_table, say

group = noun("Mailboxes of our own, to see where mail lands.")
PROVIDER_KEYS = (*(provider.key for provider in PROVIDERS), OTHER)


@group.command(
    "add",
    epilog=examples(
        "tocsin seed add witness@gmail.com --imap imap.gmail.com",
        "tocsin seed add witness@orange.fr --imap imap.orange.fr:993",
    ),
)
def add(
    *,
    address: Annotated[str, typer.Argument(help="Address of the mailbox.", metavar="EMAIL")],
    imap: Annotated[str, typer.Option(help="IMAP server, with the port if not 993.", metavar="HOST[:PORT]")],
    username: Annotated[
        str | None, typer.Option(help="User name, if not the address.", metavar="NAME")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Provider it stands for, if the address does not tell.", metavar="KEY")
    ] = None,
    no_tls: Annotated[bool, typer.Option("--no-tls", help="Plain IMAP; for rehearsals only.")] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Keep it without signing in to see whether it can be read.")
    ] = False,
) -> None:
    """Add a seed mailbox. Its password is asked for, or read from standard input, and kept sealed.

    Most providers want an application password here. The mailbox is signed in to at once, and kept
    only if it can be read.
    """
    host, _, port = imap.partition(":")
    if port and not port.isdigit():
        raise BadInputError(f"{imap!r} has a port that is no number.", "Write imap.example.org:993.")
    if provider is not None and provider not in PROVIDER_KEYS:
        raise BadInputError(
            f"{provider!r} is no provider.", f"The known ones are {', '.join(PROVIDER_KEYS)}."
        )
    password = _ask_password()

    async def save(desk: Desk) -> str:
        from store.seeds import add_seed

        seed = SeedMailbox(
            address=read_mailbox(address),
            provider=provider or provider_of(address),
            imap_host=host,
            imap_port=int(port or (143 if no_tls else 993)),
            tls=not no_tls,
            username=username or address,
            sealed_password=desk.keyring.encrypt(password),
        )
        found = "" if no_check else await _sign_in(seed, password)
        async with desk.database.write() as session:
            await add_seed(session, seed)
        return f"{found}{seed.address} stands for {provider_name(seed.provider)} from the next campaign on."

    say(work(save))


async def _sign_in(seed: SeedMailbox, password: str) -> str:
    """One line of what is found; SeedError when the mailbox cannot be read."""
    from deliverability.placement import look_in

    folders = await look_in(seed, password)
    junk = ", ".join(folders[1:])
    found = f"The mailbox can be read: the inbox and {junk}." if junk else "The inbox can be read."
    warning = "" if junk else " No junk folder is known there: mail in spam would count as missing."
    return f"{found}{warning}\n"


def _ask_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password of the mailbox", hide_input=True))
    return sys.stdin.readline().rstrip("\n")


@group.command("list", epilog=examples("tocsin seed list"))
def list_() -> None:
    """Show the seed mailboxes, and when each was last read."""

    async def read(desk: Desk) -> tuple[list[SeedMailbox], str]:
        from store.seeds import list_active_seeds

        async with desk.database.read() as session:
            return list(await list_active_seeds(session)), desk.settings.zone

    seeds, zone = work(read)
    print_table(
        ["Address", "Provider", "IMAP", "Last read", "Problem"],
        [
            (
                seed.address,
                provider_name(seed.provider),
                f"{seed.imap_host}:{seed.imap_port}",
                "" if seed.last_checked_at is None else moment(seed.last_checked_at, zone),
                seed.last_problem,
            )
            for seed in seeds
        ],
        empty="There is no seed mailbox yet: `tocsin seed add` adds one.",
    )


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="seed", rich_help_panel="Campaigns")
