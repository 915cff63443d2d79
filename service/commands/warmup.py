"""`tocsin warmup`: how identities get known at the providers, day by day."""

from typing import Annotated

import typer

from models.pace import Warmup
from models.providers import provider_name
from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import print_table, say, words
from service.wishes import wanted_identity

group = noun("Get an identity known: so many messages a day to each provider, more with every good day.")

Key = Annotated[str, typer.Argument(help="Short name of the identity.", metavar="KEY")]
AtProvider = Annotated[
    str | None, typer.Option("--provider", help="At this provider alone.", metavar="PROVIDER")
]
Target = Annotated[
    int | None,
    typer.Option("--target", help="Messages a day at which it is known; without it, everybody there.", min=1),
]
Cap = Annotated[int | None, typer.Option("--cap", help="Most messages today.", min=1)]


@group.command(
    "start", epilog=examples("tocsin warmup start rhone", "tocsin warmup start rhone --target 20000")
)
def start(key: Key, target: Target = None) -> None:
    """Let an identity warm up: a plan for each provider of the list.

    The first day is 200 messages, or 2 % of the people there; a clean day is followed by half as many more,
    a bad one by half. Plans under way go on, those that had ended begin anew.
    """

    async def begin(desk: Desk) -> list[Warmup]:
        from scheduler.warming import begin_warmup

        async with desk.database.read() as session:
            identity = await wanted_identity(session, key)
        return await begin_warmup(
            desk.database, desk.clock, identity.id, zone=desk.settings.zone, target=target
        )

    plans = work(begin)
    say(f"{key} warms up at {plural(len(plans), 'provider')}.")
    print_table(*_table([(key, plan) for plan in plans]), empty="The list has nobody to write to yet.")


@group.command("list", epilog=examples("tocsin warmup list", "tocsin warmup list rhone"))
def list_(
    key: Annotated[
        str | None, typer.Argument(help="Short name of one identity.", metavar="KEY", show_default=False)
    ] = None,
) -> None:
    """Show the plans: today's cap, the target, and what the last day brought."""

    async def read(desk: Desk) -> list[tuple[str, Warmup]]:
        from store.identities import list_identities
        from store.warmups import list_plans

        async with desk.database.read() as session:
            only = None if key is None else (await wanted_identity(session, key)).id
            keys = {identity.id: identity.key for identity in await list_identities(session)}
            plans = await list_plans(session, identity_id=only)
        return [(keys[plan.identity_id], plan) for plan in plans]

    print_table(*_table(work(read)), empty="Nobody warms up: `tocsin warmup start KEY` begins.")


def _table(plans: list[tuple[str, Warmup]]) -> tuple[list[str], list[tuple[object, ...]]]:
    columns = ["Identity", "Provider", "State", "#Today", "#Target", "#Sent", "Last day"]
    return columns, [_row(key, plan) for key, plan in plans]


def _row(key: str, plan: Warmup) -> tuple[object, ...]:
    last = plan.history[-1] if plan.history else {}
    told = f"{last['day']}: {last['reason']}" if last else ""
    sent = f"{last['sent']:,}" if last else ""
    name = provider_name(plan.provider)
    return key, name, words(plan.state), f"{plan.cap:,}", f"{plan.target:,}", sent, told


@group.command(
    "set",
    epilog=examples(
        "tocsin warmup set rhone orange --cap 500", "tocsin warmup set rhone gmail --target 50000"
    ),
)
def set_(
    *,
    key: Key,
    provider: Annotated[
        str, typer.Argument(help="The provider, by its key: gmail, orange.", metavar="PROVIDER")
    ],
    cap: Cap = None,
    target: Target = None,
) -> None:
    """Change a plan by hand: today's cap, or its target."""

    async def change(desk: Desk) -> Warmup:
        from scheduler.warming import set_plan

        async with desk.database.read() as session:
            identity = await wanted_identity(session, key)
        return await set_plan(desk.database, desk.clock, identity.id, provider, cap=cap, target=target)

    plan = work(change)
    say(f"{key} at {provider_name(provider)}: {plan.cap:,} today, on the way to {plan.target:,}.")


@group.command(
    "stop", epilog=examples("tocsin warmup stop rhone", "tocsin warmup stop rhone --provider orange")
)
def stop(key: Key, provider: AtProvider = None) -> None:
    """End the plans: from now on only the usual limits hold the identity back."""

    async def end(desk: Desk) -> int:
        from scheduler.warming import stop_warmup

        async with desk.database.read() as session:
            identity = await wanted_identity(session, key)
        return await stop_warmup(desk.database, desk.clock, identity.id, provider=provider)

    say(f"{key}: {plural(work(end), 'plan')} ended.")


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="warmup", rich_help_panel="Prepare")
