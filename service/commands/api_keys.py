"""`tocsin api-key`: keys for the programs that call the API."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import ApiKey, KeyMode
from models.api_grants import GRANTS, read_networks, read_scopes
from models.api_secret import PREFIX
from models.errors import BadInputError, NotFoundError
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import moment, print_table, put, say

group = noun("Keys with which programs call the API.")
BY = "the command line"
ONCE = "It is shown now and never again: put it where the program keeps its secrets."

Which = Annotated[
    str, typer.Argument(help="Number of the key, its last four characters, or its name.", metavar="KEY")
]
Live = Annotated[bool, typer.Option("--live", help="Write to people; a test key does all but that.")]
May = Annotated[
    list[str] | None,
    typer.Option(
        help=f"What it may do, several times if need be: {', '.join(GRANTS)} (that is, all but"
        " campaigns:override), or a scope such as contacts:read. Without it, sending.",
        metavar="SCOPE",
    ),
]
Senders = Annotated[
    list[str] | None,
    typer.Option(help="As whom it may write, several times if need be. Without it, anybody.", metavar="KEY"),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        help="From where it may call, several times if need be. Without it, anywhere.", metavar="CIDR"
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Calls a minute. Without it, the usual ones.", metavar="NUMBER")
]
LastDay = Annotated[str, typer.Option(help="Day after which it opens nothing, as 2026-12-31.", metavar="DAY")]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Print the secret alone, for a script that puts it in its place.")
]


@group.command(
    "new",
    epilog=examples(
        "tocsin api-key new CRM --may crm --live",
        "tocsin api-key new Website --may messages:send --identity lyon --network 203.0.113.7 --live",
        "tocsin api-key new Trial",
    ),
)
def new(
    *,
    name: Annotated[str, typer.Argument(help="Which program has it.", metavar="NAME")],
    live: Live = False,
    may: May = None,
    identity: Senders = None,
    network: Networks = None,
    per_minute: Limit = None,
    last_day: LastDay = "",
    quiet: Quiet = False,
) -> None:
    """Make a key and show its secret, once. Without --live it is a test key: nobody is written to."""
    scopes, networks = read_scopes(may or ["sending"]), read_networks(" ".join(network or ()))

    async def save(desk: Desk) -> tuple[ApiKey, str]:
        from store.api_keys import add_key

        now = desk.clock.now()
        async with desk.database.write() as session:
            return await add_key(
                session,
                name=_name(name),
                mode=KeyMode.LIVE if live else KeyMode.TEST,
                scopes=scopes,
                by=BY,
                now=now,
                identity_ids=await _identities(session, identity or ()),
                networks=networks,
                per_minute=per_minute,
                expires_at=_end(last_day, desk.settings.zone, now),
            )

    _tell(*work(save), quiet=quiet)


@group.command("list", epilog=examples("tocsin api-key list"))
def list_() -> None:
    """Show the keys: what they may, when and from where they were last used, when they end."""

    async def read(desk: Desk) -> tuple[list[ApiKey], datetime, str]:
        from store.api_keys import list_keys

        async with desk.database.read() as session:
            return await list_keys(session), desk.clock.now(), desk.settings.zone

    keys, now, zone = work(read)
    print_table(
        ["#No", "Name", "Key", "May", "Last used", "From", "Ends"],
        [_row(key, now, zone) for key in keys],
        empty="No program has a key yet: `tocsin api-key new NAME`.",
    )


@group.command(
    "rotate", epilog=examples("tocsin api-key rotate CRM", "tocsin api-key rotate x7Qz --overlap 1")
)
def rotate(
    key: Which,
    overlap: Annotated[
        int, typer.Option(min=0, max=720, help="Hours during which both keys open.", metavar="HOURS")
    ] = 24,
    quiet: Quiet = False,
) -> None:
    """Make a successor that may do the same, and show its secret, once; the old key ends after a while."""

    async def change(desk: Desk) -> tuple[ApiKey, str]:
        from store.api_keys import rotate_key

        now = desk.clock.now()
        async with desk.database.write() as session:
            old = await _wanted(session, key, now)
            return await rotate_key(session, old.id, by=BY, now=now, overlap=timedelta(hours=overlap))

    _tell(*work(change), quiet=quiet)


@group.command("revoke", epilog=examples("tocsin api-key revoke CRM", "tocsin api-key revoke x7Qz --yes"))
def revoke(
    key: Which, yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False
) -> None:
    """End a key at once and for good. What it handed over before is sent all the same."""

    async def find(desk: Desk) -> ApiKey:
        async with desk.database.read() as session:
            return await _wanted(session, key, desk.clock.now())

    found = work(find)
    if not yes and not typer.confirm(f"{found.name} ({_shown(found)}) opens nothing any more. Go on?"):
        raise typer.Abort

    async def end(desk: Desk) -> None:
        from store.api_keys import revoke_key

        async with desk.database.write() as session:
            await revoke_key(session, found.id, by=BY, now=desk.clock.now())

    work(end)
    say(f"The key {found.name} ({_shown(found)}) is revoked.")


def _tell(key: ApiKey, secret: str, *, quiet: bool) -> None:
    if quiet:
        put(secret)
        return
    say(f"The {key.mode.value} key {key.name}:")
    put(secret)
    say(ONCE)


def _shown(key: ApiKey) -> str:
    return f"{PREFIX[key.mode]}…{key.hint}"


def _row(key: ApiKey, now: datetime, zone: str) -> tuple[object, ...]:
    used = "never" if key.last_used_at is None else moment(key.last_used_at, zone)
    may = next((name for name, grant in GRANTS.items() if set(grant) == set(key.scopes)), "")
    end = moment(key.expires_at, zone) if key.expires_at else "never"
    if key.revoked_at is not None:
        end = f"revoked {moment(key.revoked_at, zone)}"
    elif key.expires_at is not None and key.expires_at <= now:
        end = f"ended {end}"
    return (key.id, key.name, _shown(key), may or " ".join(key.scopes), used, key.last_used_from, end)


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 100:
        raise BadInputError("A key has a name of 1 to 100 characters.", "It says which program has the key.")
    return name


def _end(text: str, zone: str, now: datetime) -> datetime | None:
    """The end of that day on the clock of `zone`."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise BadInputError(f"{text!r} is no day.", "Write it as 2026-12-31.") from error
    end = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    if end <= now:
        raise BadInputError(f"{text} is past.", "A key ends on a day to come.")
    return end


async def _identities(session: AsyncSession, keys: list[str] | tuple[str, ...]) -> list[int]:
    from store.identities import find_identity

    found: list[int] = []
    for key in keys:
        identity = await find_identity(session, key)
        if identity is None:
            raise NotFoundError(f"There is no identity {key!r}.", "`tocsin identity list` shows them.")
        found.append(identity.id)
    return found


async def _wanted(session: AsyncSession, which: str, now: datetime) -> ApiKey:
    """By number, last four characters or name, the keys that still open first; NotFoundError."""
    from store.api_keys import has_ended, list_keys

    keys = sorted(await list_keys(session), key=lambda key: has_ended(key, now))
    named = [key for key in keys if which in {str(key.id), key.hint, _shown(key), key.name}]
    open_ = [key for key in named if not has_ended(key, now)]
    if len(open_) > 1:
        several = ", ".join(f"{key.id} ({_shown(key)})" for key in open_)
        raise BadInputError(f"Several keys are called {which!r}: {several}.", "Name it by its number.")
    if not named:
        raise NotFoundError(f"There is no API key {which!r}.", "`tocsin api-key list` shows them.")
    return named[0]


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="api-key", rich_help_panel="Set up")
