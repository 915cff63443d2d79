"""`tocsin campaign uncertain`: messages of which nobody knows whether they left, and what becomes of them."""

import getpass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from models.states import DeliveryState
from models.text import plural
from service.commands import examples
from service.desk import Desk, work
from service.terminal import moment, say
from service.wishes import wanted_campaign

Which = Annotated[str, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")]


class Word(StrEnum):
    """As `scheduler.uncertain.Decision`, which is not imported before it is needed."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    SEND_AGAIN = "send_again"


MEANINGS = {
    Word.SENT: "counted as sent",
    Word.NOT_SENT: "counted as not sent",
    Word.SEND_AGAIN: "sent once more; who had it already gets it twice",
}
Decide = Annotated[
    Word | None,
    typer.Option(
        "--decide",
        help="sent (count them as sent), not_sent (leave it at that), send_again (some may get it twice).",
    ),
]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def uncertain(*, campaign: Which, decide: Decide = None, yes: Sure = False) -> None:
    """Show how many messages are uncertain, or settle them.

    A message is uncertain when the line dropped after it was handed over and before the other side answered.
    What becomes uncertain after the question was put stays so; and so, for a quarter of an hour, does what a
    worker that is alive may still hear of.
    """
    number, name, count, newest, zone = work(lambda desk: _look(desk, campaign))
    if newest is None:
        say(f"{name}: no message is uncertain.")
        return
    if decide is None:
        say(f"{name}: {plural(count, 'message')} uncertain, the last since {moment(newest, zone)}.")
        say(f"`tocsin campaign uncertain {number} --decide sent` counts them as sent.")
        return
    if not yes and not typer.confirm(f"{name}: {plural(count, 'message')}, {MEANINGS[decide]}. Go on?"):
        raise typer.Exit(1)
    settled, left = work(lambda desk: _settle(desk, number, decide, newest))
    say(f"{name}: {plural(settled, 'message')} {MEANINGS[decide].partition(';')[0]}.")
    if left:
        say(
            f"! {left} left: uncertain since you looked, or so lately that their sender may still hear the"
            " answer. Try again in a quarter of an hour."
        )


async def _look(desk: Desk, which: str) -> tuple[int, str, int, datetime | None, str]:
    from store import deliveries

    async with desk.database.read() as session:
        found = await wanted_campaign(session, which)
        newest = await deliveries.newest_uncertain(session, found.id)
        return found.id, found.name, await _count(session, found.id), newest, desk.settings.zone


async def _settle(desk: Desk, number: int, word: Word, shown: datetime) -> tuple[int, int]:
    from scheduler.uncertain import Decision, resolve_uncertain

    by, now = getpass.getuser(), desk.clock.now()
    async with desk.database.write() as session:
        settled = await resolve_uncertain(session, number, Decision(word.value), by, now, shown=shown)
    async with desk.database.read() as session:
        return settled, await _count(session, number)


async def _count(session: AsyncSession, number: int) -> int:
    from store import campaigns

    return (await campaigns.progress(session, number)).get(DeliveryState.UNCERTAIN, 0)


def register(group: typer.Typer) -> None:
    """Put the command on the group of campaigns."""
    group.command(
        epilog=examples(
            "tocsin campaign uncertain 3", "tocsin campaign uncertain 3 --decide send_again --yes"
        )
    )(uncertain)
