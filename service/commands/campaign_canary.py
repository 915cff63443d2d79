"""`tocsin campaign canary`: how the first messages of a campaign fared, and the rest let go by hand."""

import getpass
from typing import Annotated, Any

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from models.canary import Canary, CanaryStage
from models.providers import provider_name
from models.text import plural
from service.commands import examples
from service.desk import Desk, work
from service.terminal import moment, print_table, say
from service.wishes import wanted_campaign

Which = Annotated[str, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")]
LetGo = Annotated[bool, typer.Option("--release", help="Let the rest go now, whatever the seeds say.")]
SAYINGS = {
    CanaryStage.READY: "its first messages leave when it starts.",
    CanaryStage.SENDING: "its first messages are leaving.",
    CanaryStage.WAITING: "its first messages have left; the seeds are read.",
    CanaryStage.PASSED: "the rest follows.",
    CanaryStage.HELD: "the rest waits for a person: `tocsin campaign resume` lets it go.",
    CanaryStage.RELEASED: "a person let the rest go.",
}


def canary(*, campaign: Which, release: LetGo = False) -> None:
    """Show how the first messages of a campaign fared, or let the rest go without waiting for the seeds.

    A campaign has a canary when it was made, or changed, with --first.
    """
    name, gate, held, zone = work(lambda desk: _look(desk, campaign, release=release))
    if gate is None:
        say(f"{name} has no canary: everybody is written to at once.")
        return
    say(f"{name}: {SAYINGS[gate.stage]}")
    if gate.reason:
        say(f"{moment(gate.decided_at, zone)}: {gate.reason}" if gate.decided_at else gate.reason)
    if held:
        say(f"{plural(held, 'message')} of the rest {'waits' if held == 1 else 'wait'}.")
    print_table(["Provider", "#Inbox", "#Spam", "#Refused", "#Not found"], _rows(gate), empty="")


async def parts_of(session: AsyncSession, campaign_id: int) -> list[tuple[str, str]]:
    """The canary as one of a campaign's parts; none where there is none."""
    from store import canaries

    gate = await canaries.find(session, campaign_id)
    if gate is None:
        return []
    return [("First", f"{plural(gate.people, 'person', 'people')}, then the seeds: {SAYINGS[gate.stage]}")]


def _rows(gate: Canary) -> list[tuple[object, ...]]:
    seeds: list[dict[str, Any]] = gate.seen.get("seeds", [])
    return [
        (
            provider_name(seed["provider"]),
            seed["inbox"],
            seed["spam"],
            seed["rejected"],
            seed["missing"] + seed["awaited"],
        )
        for seed in seeds
    ]


async def _look(desk: Desk, which: str, *, release: bool) -> tuple[str, Canary | None, int, str]:
    from scheduler.canary import release as let_go
    from store import canaries

    async with desk.database.write() as session:
        found = await wanted_campaign(session, which)
        if release:
            await let_go(session, found.id, desk.clock.now(), by=getpass.getuser())
        gate = await canaries.find(session, found.id)
        held = await canaries.count_held(session, found.id) if gate else 0
        return found.name, gate, held, found.zone


def register(group: typer.Typer) -> None:
    """Put the command into `tocsin campaign`."""
    group.command(
        "canary", epilog=examples("tocsin campaign canary 3", "tocsin campaign canary 3 --release")
    )(canary)
