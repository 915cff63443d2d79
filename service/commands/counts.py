"""The counters behind the campaign pages and reports: whether they are right, and counting anew."""

from typing import Annotated

import typer

from models.campaign import Campaign
from models.errors import NotFoundError
from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import say

counts = noun("The counters behind the pages: checked against the rows, and counted anew.")
EVERY = 1_000_000


@counts.command(epilog=examples("tocsin counts check", "tocsin counts check 'Journal de mars'"))
def check(
    campaign: Annotated[
        str, typer.Argument(help="Name or number of a campaign; without one, every campaign is checked.")
    ] = "",
) -> None:
    """Compare the counters with the rows they stand for.

    Pages and reports read counters, so that they open at once however many messages are behind them. This
    counts the rows themselves, which takes a while, and says what differs; the exit status is then 1.
    Best done while nothing is sent: what changes meanwhile may be taken for a difference.
    """
    if work(lambda desk: _check(desk, campaign)):
        raise typer.Exit(1)


async def _check(desk: Desk, wanted: str) -> int:
    from store.tally_check import differences

    wrong = 0
    for campaign in await _campaigns(desk, wanted):
        async with desk.database.read() as session:
            found = await differences(session, campaign.id)
        wrong += len(found)
        for difference in found:
            say(f"{campaign.name}: {difference}")
    told = f"{plural(wrong, 'counter is', 'counters are')} wrong: run `tocsin counts rebuild`."
    say(told if wrong else "Every counter is right.")
    return wrong


async def _campaigns(desk: Desk, wanted: str) -> list[Campaign]:
    from store import campaigns

    async with desk.database.read() as session:
        if not wanted:
            return await campaigns.list_campaigns(session, limit=EVERY)
        if wanted.isdecimal():
            return [await campaigns.get_campaign(session, int(wanted))]
        found = await campaigns.find_campaign(session, wanted)
    if found is None:
        raise NotFoundError(f"There is no campaign {wanted!r}.")
    return [found]


@counts.command(epilog=examples("tocsin counts rebuild"))
def rebuild() -> None:
    """Count everything anew from the rows.

    Sending goes on meanwhile, apart from the moment in which states are counted; pages show the old
    counters until the new ones are complete. The maps are counted by where people live today.
    """
    work(_rebuild)


async def _rebuild(desk: Desk) -> None:
    from store import tally_fold, territory_fold

    await tally_fold.recount_states(desk.database)
    await tally_fold.rebuild(desk.database)
    await territory_fold.count_places_anew(desk.database)
    say("Everything is counted anew.")


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    app.add_typer(counts, name="counts", rich_help_panel="Set up")
