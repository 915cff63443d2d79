"""`tocsin seed`: mailboxes of our own, read to see in which folder our mail lands."""

import sys
from typing import Annotated

import typer

from models.errors import NotFoundError
from models.providers import provider_name
from models.seed import SeedMailbox
from service.commands import examples, noun, read_mailbox
from service.desk import Desk, work
from service.terminal import moment, print_table, say

group = noun("Mailboxes of our own, to see where mail lands.")
Email = Annotated[str, typer.Argument(help="Address of the mailbox.", metavar="EMAIL")]


Imap = Annotated[
    str | None,
    typer.Option(
        help="IMAP server, with the port if not 993. Known for the big providers.", metavar="HOST[:PORT]"
    ),
]
Username = Annotated[str | None, typer.Option(help="User name, if not the address.", metavar="NAME")]
Provider = Annotated[
    str | None, typer.Option(help="Provider it stands for, if the address does not tell.", metavar="KEY")
]
OAuthClient = Annotated[
    str | None,
    typer.Option(
        help="Sign in with OAuth 2 (XOAUTH2) as this client, by a refresh token instead of a password.",
        metavar="ID",
    ),
]
TokenUrl = Annotated[
    str | None,
    typer.Option(help="Where OAuth 2 access tokens are given. Known for Gmail and Outlook.", metavar="URL"),
]
NoTls = Annotated[bool, typer.Option("--no-tls", help="Plain IMAP; for rehearsals only.")]
NoCheck = Annotated[
    bool, typer.Option("--no-check", help="Keep it without signing in to see whether it can be read.")
]


@group.command(
    "add",
    epilog=examples(
        "tocsin seed add witness@gmail.com",
        "tocsin seed add witness@example.org --imap imap.example.org:993",
        "tocsin seed add witness@outlook.com --oauth-client 1b2c3d4e-0000-4000-8000-000000000000",
    ),
)
def add(
    *,
    address: Email,
    imap: Imap = None,
    username: Username = None,
    provider: Provider = None,
    oauth_client: OAuthClient = None,
    token_url: TokenUrl = None,
    no_tls: NoTls = False,
    no_check: NoCheck = False,
) -> None:
    """Add a seed mailbox. Its password is asked for, or read from standard input, and kept sealed.

    Gmail, Yahoo and iCloud want an application password here; Outlook.com wants OAuth 2: then a refresh
    token is asked for, and the client's secret (empty if it has none), in two lines. The mailbox is signed
    in to at once, and kept only if it can be read.
    """
    from deliverability.placement.hosts import compose

    seed = compose(
        read_mailbox(address),
        imap=imap or "",
        username=username or "",
        provider=provider or "",
        client_id=oauth_client or "",
        token_url=token_url or "",
        tls=not no_tls,
    )
    secrets = _ask_secrets(oauth=oauth_client is not None)
    say(work(lambda desk: _keep(desk, seed, *secrets, no_check=no_check)))


async def _keep(desk: Desk, seed: SeedMailbox, secret: str, client_secret: str, *, no_check: bool) -> str:
    from store.seeds import add_seed

    seed.sealed_password = desk.keyring.encrypt(secret)
    seed.sealed_client_secret = desk.keyring.encrypt(client_secret) if client_secret else ""
    found = "" if no_check else await _sign_in(desk, seed)
    async with desk.database.write() as session:
        await add_seed(session, seed)
    return f"{found}{seed.address} stands for {provider_name(seed.provider)} from the next campaign on."


async def _sign_in(desk: Desk, seed: SeedMailbox) -> str:
    """One line of what is found; SeedError when the mailbox cannot be read."""
    from deliverability.placement import look_in

    folders = await look_in(seed, desk.keyring)
    junk = ", ".join(folders[1:])
    found = f"The mailbox can be read: the inbox and {junk}." if junk else "The inbox can be read."
    warning = "" if junk else " No junk folder is known there: mail in spam would count as missing."
    return f"{found}{warning}\n"


def _ask_secrets(*, oauth: bool) -> tuple[str, str]:
    """The password, or the refresh token and the client's secret."""
    if not sys.stdin.isatty():
        lines = [sys.stdin.readline().rstrip("\n") for _ in range(1 + oauth)]
        return lines[0], lines[1] if oauth else ""
    if not oauth:
        return str(typer.prompt("Password of the mailbox", hide_input=True)), ""
    token = str(typer.prompt("Refresh token", hide_input=True))
    return token, str(
        typer.prompt("Secret of the client, if it has one", hide_input=True, default="", show_default=False)
    )


@group.command("list", epilog=examples("tocsin seed list"))
def list_() -> None:
    """Show the seed mailboxes, and when each was last read."""

    async def read(desk: Desk) -> tuple[list[SeedMailbox], str]:
        from store.seeds import list_seeds

        async with desk.database.read() as session:
            return list(await list_seeds(session)), desk.settings.zone

    seeds, zone = work(read)
    print_table(
        ["Address", "Provider", "IMAP", "Last read", "Problem"],
        [
            (
                seed.address,
                provider_name(seed.provider),
                f"{seed.imap_host}:{seed.imap_port}",
                "" if seed.last_read_at is None else moment(seed.last_read_at, zone),
                seed.last_problem if seed.active else "paused",
            )
            for seed in seeds
        ],
        empty="There is no seed mailbox yet: `tocsin seed add` adds one.",
    )


@group.command("test", epilog=examples("tocsin seed test witness@gmail.com"))
def test(*, address: Email) -> None:
    """Sign in to a seed mailbox now, and say which folders are looked into."""

    async def look(desk: Desk) -> str:
        from store.seeds import renew_secret

        seed = await _find(desk, address)
        before = seed.sealed_password
        found = await _sign_in(desk, seed)
        if seed.sealed_password != before:
            async with desk.database.write() as session:
                await renew_secret(session, seed.id, seed.sealed_password)
        return found.rstrip("\n")

    say(work(look))


@group.command("pause", epilog=examples("tocsin seed pause witness@gmail.com"))
def pause(*, address: Email) -> None:
    """Write to a seed mailbox no more, and read it no more, for the time being."""
    _set_active(address, active=False)


@group.command("resume", epilog=examples("tocsin seed resume witness@gmail.com"))
def resume(*, address: Email) -> None:
    """Write to a paused seed mailbox again, from the next campaign on."""
    _set_active(address, active=True)


@group.command("remove", epilog=examples("tocsin seed remove witness@gmail.com"))
def remove(*, address: Email) -> None:
    """Take a seed mailbox out for good and forget its password. What was sent to it stays in the reports."""

    async def save(desk: Desk) -> str:
        from store.seeds import remove_seed

        seed = await _find(desk, address)
        async with desk.database.write() as session:
            await remove_seed(session, seed.id, desk.clock.now())
        return f"{seed.address} is a seed no more."

    say(work(save))


def _set_active(address: str, *, active: bool) -> None:
    async def save(desk: Desk) -> str:
        from store.seeds import set_active

        seed = await _find(desk, address)
        async with desk.database.write() as session:
            await set_active(session, seed.id, active=active)
        return f"{seed.address} {'gets campaigns again' if active else 'is paused'}."

    say(work(save))


async def _find(desk: Desk, address: str) -> SeedMailbox:
    from store.seeds import list_seeds

    async with desk.database.read() as session:
        found = [seed for seed in await list_seeds(session) if seed.address == read_mailbox(address)]
    if not found:
        raise NotFoundError(f"There is no seed mailbox {address}.", "`tocsin seed list` shows them.")
    return found[0]


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="seed", rich_help_panel="Campaigns")
