"""`tocsin webhooks`: programs that hear of what happens, whether it arrives, and telling it again."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from models.api import KeyMode
from models.errors import BadInputError
from models.webhook import EndpointState, NoticeState, WebhookEndpoint
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import moment, print_table, put, say

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

group = noun("Programs that hear of what happens (webhooks), and whether it arrives.")
Number = Annotated[int, typer.Argument(help="Number of the webhook, as `list` shows it.", metavar="WEBHOOK")]
WHO = "the terminal"
Result = TypeVar("Result")


@group.command(
    "add",
    epilog=examples(
        "tocsin webhooks add https://crm.example.org/hooks/tocsin",
        "tocsin webhooks add https://crm.example.org/hooks --type message.bounced --test",
    ),
)
def add(
    *,
    url: Annotated[str, typer.Argument(help="Where the program listens, with https.", metavar="URL")],
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type", help="What it hears of; may be repeated. Without it, everything.", metavar="TYPE"
        ),
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="It hears of what test keys send, alone.")] = False,
    description: Annotated[str, typer.Option(help="For people.", metavar="TEXT")] = "",
) -> None:
    """Have events posted to an address. Prints the secret they are signed with, this once."""

    async def make(desk: Desk) -> tuple[int, str]:
        from scheduler.endpoints import Wanted, make_endpoint

        async with desk.database.write() as session:
            made, secret = await make_endpoint(
                session,
                Wanted(url, types or [], description),
                mode=KeyMode.TEST if test else KeyMode.LIVE,
                keyring=desk.keyring,
                by=WHO,
                now=desk.clock.now(),
                loopback=desk.settings.webhook_http,
            )
        return made.id, secret

    number, secret = work(make)
    say(f"Webhook {number} hears of what happens from now on. Its secret, shown this once:")
    put(secret)


@group.command("list", epilog=examples("tocsin webhooks list"))
def list_all() -> None:
    """Every webhook: where it leads, what it hears of, whether it works."""

    async def look(desk: Desk) -> list[list[str]]:
        from store import webhook_notices, webhooks

        async with desk.database.read() as session:
            found = await webhooks.list_endpoints(session)
            counts = await webhook_notices.standings(session)
        return [
            [
                str(one.id),
                one.url,
                one.mode.value,
                ", ".join(one.event_types) or "everything",
                _state(one, desk.settings.zone),
                str(counts.get(one.id, {}).get(NoticeState.PENDING, 0)),
            ]
            for one in found
        ]

    print_table(
        ["#", "address", "mode", "hears of", "state", "#waiting"],
        work(look),
        empty="No program hears of anything. Add one: tocsin webhooks add URL",
    )


_DISABLED = {"webhook_gone": "it answered 410", "webhook_given_up": "nothing arrived for five days"}


def _state(one: WebhookEndpoint, zone: str) -> str:
    if one.state is EndpointState.DISABLED:
        return f"disabled ({_DISABLED.get(one.reason, one.reason)})" if one.reason else "disabled"
    if one.failing_since is not None:
        return f"failing since {moment(one.failing_since, zone)}"
    return "works" if one.worked_at is not None else "not called yet"


@group.command("log", epilog=examples("tocsin webhooks log 1", "tocsin webhooks log 1 --state pending"))
def log(
    number: Number,
    *,
    state: Annotated[NoticeState | None, typer.Option(help="Only those.")] = None,
    most: Annotated[int, typer.Option("--limit", help="How many at most.", min=1, max=1000)] = 30,
) -> None:
    """What was posted there in the last thirty days, or waits to be, the latest first."""

    async def look(desk: Desk) -> list[list[str]]:
        from store import webhook_notices, webhooks

        async with desk.database.read() as session:
            await webhooks.get_endpoint(session, number)
            found = await webhook_notices.list_notices(session, number, state=state, limit=most)
        return [
            [
                str(one.id),
                moment(one.created_at, desk.settings.zone),
                one.event_type,
                one.state.value,
                str(one.attempts),
                " ".join(filter(None, (str(one.status or ""), one.problem))),
            ]
            for one in found
        ]

    columns = ["#", "noted", "event", "state", "#tries", "answer"]
    print_table(columns, work(look), empty="Nothing was told.")


@group.command(
    "again",
    epilog=examples(
        "tocsin webhooks again 1 --since 2026-03-10T09:00+01:00",
        "tocsin webhooks again 1 --since 2026-03-10T09:00+01:00 --failed",
        "tocsin webhooks again 1 --notice 4711",
    ),
)
def again(
    number: Number,
    *,
    since: Annotated[
        str | None, typer.Option(help="All that was noted since then, with its offset.", metavar="MOMENT")
    ] = None,
    notice: Annotated[
        int | None, typer.Option(help="One, by its number in the log.", metavar="NUMBER")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not arrive.")] = False,
) -> None:
    """Tell it again, at once, each under the number it had."""
    moment_given = None if since is None else _read_moment(since)
    if (moment_given is None) == (notice is None):
        raise BadInputError("Say which: --since a moment, or --notice a number.")

    async def tell(desk: Desk) -> int:
        from scheduler.endpoints import tell_again
        from store import webhooks

        async with desk.database.write() as session:
            return await tell_again(
                session,
                await webhooks.get_endpoint(session, number),
                now=desk.clock.now(),
                notice_id=notice,
                since=moment_given,
                failed_only=failed,
            )

    many = work(tell)
    say(f"{many} told again." if many else "There is nothing to tell again.")


def _read_moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"{text!r} is no moment.", "Write 2026-03-10T09:00+01:00.") from error
    if found.tzinfo is None:
        raise BadInputError(f"{text!r} has no offset.", "Write 2026-03-10T09:00+01:00.")
    return found


@group.command("test", epilog=examples("tocsin webhooks test 1"))
def test(number: Number) -> None:
    """Have something posted that means nothing; the service does it within a second, and logs the answer."""

    async def ping(session: "AsyncSession", endpoint: WebhookEndpoint, desk: Desk) -> None:
        from scheduler.endpoints import try_out

        await try_out(session, endpoint, desk.clock.now())

    _change(number, ping)
    say(f"A test is noted. See `tocsin webhooks log {number}` for what comes of it.")


@group.command("enable", epilog=examples("tocsin webhooks enable 1"))
def enable(number: Number) -> None:
    """Tell it again; what waited when it was disabled is told, too."""

    async def turn(session: "AsyncSession", endpoint: WebhookEndpoint, desk: Desk) -> None:
        from scheduler import endpoints

        await endpoints.enable(session, endpoint, by=WHO, now=desk.clock.now())

    _change(number, turn)
    say(f"Webhook {number} is enabled.")


@group.command("disable", epilog=examples("tocsin webhooks disable 1"))
def disable(number: Number) -> None:
    """Tell it nothing; what happens meanwhile is not told afterwards."""

    async def turn(session: "AsyncSession", endpoint: WebhookEndpoint, desk: Desk) -> None:
        from scheduler import endpoints

        await endpoints.disable(session, endpoint, by=WHO, now=desk.clock.now())

    _change(number, turn)
    say(f"Webhook {number} is disabled.")


@group.command("rotate", epilog=examples("tocsin webhooks rotate 1", "tocsin webhooks rotate 1 --overlap 0"))
def rotate(
    number: Number,
    *,
    overlap: Annotated[
        int, typer.Option(help="Hours in which the secret before signs as well.", min=0, max=168)
    ] = 24,
) -> None:
    """Make a new secret, and print it, this once."""

    async def turn(session: "AsyncSession", endpoint: WebhookEndpoint, desk: Desk) -> str:
        from scheduler.endpoints import rotate_secret

        return await rotate_secret(
            session, endpoint, keyring=desk.keyring, now=desk.clock.now(), overlap=timedelta(hours=overlap)
        )

    put(_change(number, turn))


@group.command("remove", epilog=examples("tocsin webhooks remove 1"))
def remove(number: Number) -> None:
    """Post nothing there any more; its log goes with it."""

    async def turn(session: "AsyncSession", endpoint: WebhookEndpoint, desk: Desk) -> None:
        from scheduler import endpoints

        await endpoints.remove(session, endpoint, by=WHO, now=desk.clock.now())

    _change(number, turn)
    say(f"Webhook {number} is removed.")


def _change(
    number: int, turn: Callable[["AsyncSession", WebhookEndpoint, Desk], Awaitable[Result]]
) -> Result:
    """Do something to a webhook, in one transaction."""

    async def do(desk: Desk) -> Result:
        from store import webhooks

        async with desk.database.write() as session:
            return await turn(session, await webhooks.get_endpoint(session, number), desk)

    return work(do)


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="webhooks", rich_help_panel="Set up")
