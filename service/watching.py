"""A running campaign on the terminal: how many left, how fast, what is not well; until it is finished."""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from models.campaign import Campaign
from models.states import WAITING, CampaignState, DeliveryState
from models.text import plural
from service.desk import Desk
from service.terminal import say, screen, warn, words
from service.wishes import wanted_campaign

LOOK_EVERY_S = 0.5
PATIENCE = timedelta(seconds=10)
SPEED_OVER = 20
"""Looks over which the speed is averaged: ten seconds."""
ENDED = frozenset(
    {CampaignState.FINISHED, CampaignState.INCOMPLETE, CampaignState.CANCELLED, CampaignState.BLOCKED}
)
STANDING = ENDED | {CampaignState.DRAFT, CampaignState.PAUSED}
"""States in which there is nothing to wait for: what is over, and what waits for somebody to say go."""
SHOWN = (
    (DeliveryState.ACCEPTED, "green"),
    (DeliveryState.DEFERRED, "yellow"),
    (DeliveryState.REFUSED, "red"),
    (DeliveryState.UNCERTAIN, "red"),
    (DeliveryState.HELD, "yellow"),
    (DeliveryState.SUPPRESSED, ""),
    (DeliveryState.EXPIRED, ""),
    (DeliveryState.CANCELLED, ""),
)


@dataclass(frozen=True, slots=True)
class Sight:
    """How a campaign stands at a moment; `states` counts its messages, seeds not included.

    `told`: what stands in its way, and what is used up for now.
    """

    campaign: Campaign
    states: dict[DeliveryState, int]
    at: datetime
    told: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Messages that have an end."""
        return sum(count for state, count in self.states.items() if state not in WAITING)

    @property
    def total(self) -> int:
        """Messages of the campaign: those frozen at the launch."""
        return max(self.campaign.frozen, sum(self.states.values()))


async def follow(desk: Desk, which: str) -> None:
    """Show the campaign until it has ended or is paused; in a pipe, one line before and one after."""
    async with desk.database.read() as session:
        campaign_id = (await wanted_campaign(session, which)).id
    await _follow(desk, campaign_id)


async def _follow(desk: Desk, campaign_id: int) -> None:
    sights: deque[Sight] = deque([await look(desk, campaign_id)], maxlen=SPEED_OVER)
    console = screen()
    if not console.is_terminal and sights[-1].campaign.state not in STANDING:
        say(summary(sights[-1]))
        _tell(sights[-1])
    if _is_overdue(sights[-1]):
        warn("It should have started already: is `tocsin serve` running?")
    with Live(picture(sights), console=console, refresh_per_second=4, transient=True) as live:
        while sights[-1].campaign.state not in STANDING:
            await asyncio.sleep(LOOK_EVERY_S)
            sights.append(await look(desk, campaign_id))
            if console.is_terminal:
                live.update(picture(sights))
            elif sights[-1].told != sights[-2].told:
                _tell(sights[-1])
    last = sights[-1].campaign
    if last.state is CampaignState.DRAFT:
        say(f"{last.name} is a draft: `tocsin campaign schedule {campaign_id} --at now` starts it.")
        return
    say(summary(sights[-1]))
    _tell(sights[-1])
    if last.state is CampaignState.PAUSED:
        say(f"It is paused: `tocsin campaign resume {campaign_id}` goes on.")


async def look(desk: Desk, campaign_id: int) -> Sight:
    """How the campaign stands now."""
    from scheduler.portions import tell_used_up
    from service.rhythm import pace_of
    from store.campaigns import get_campaign, progress

    now = desk.clock.now()
    async with desk.database.read() as session:
        campaign = await get_campaign(session, campaign_id)
        settings = desk.settings
        used_up = await tell_used_up(session, campaign, pace_of(settings), now, settings.zone)
        told = tuple(text for text in (campaign.problem, *used_up) if text)
        return Sight(campaign, await progress(session, campaign_id), now, told)


def _tell(sight: Sight) -> None:
    for sentence in sight.told:
        say(f"! {sentence}")


def speed(sights: deque[Sight]) -> float:
    """Messages a second over the last looks."""
    span = (sights[-1].at - sights[0].at).total_seconds()
    return (sights[-1].done - sights[0].done) / span if span > 0 else 0.0


def summary(sight: Sight) -> str:
    """One line: the campaign, its state, its counts."""
    counts = ", ".join(
        f"{sight.states[state]:,} {words(state)}" for state, _ in SHOWN if sight.states.get(state)
    )
    done = f"{sight.done:,} of {plural(sight.total, 'message')} done"
    line = f"{sight.campaign.name} is {sight.campaign.state.value}: {done}"
    return f"{line} ({counts})." if counts else f"{line}."


def picture(sights: deque[Sight]) -> RenderableType:
    """The campaign as a bar, its counts and its speed."""
    sight = sights[-1]
    head = Text.assemble((sight.campaign.name, "bold"), f"  {sight.campaign.state.value}")
    if _is_overdue(sight):
        head.append("  nobody sends it: is `tocsin serve` running?", style="yellow")
    elif sight.campaign.starts_at is not None and sight.campaign.state is CampaignState.SCHEDULED:
        head.append(f", starts in {_span((sight.campaign.starts_at - sight.at).total_seconds())}")
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(justify="right", no_wrap=True)
    bar.add_row(
        ProgressBar(total=max(sight.total, 1), completed=sight.done),
        f"{sight.done:,} of {sight.total:,}",
    )
    counts = Text()
    for state, colour in SHOWN:
        if count := sight.states.get(state, 0):
            counts.append(f"{words(state)} ")
            counts.append(f"{count:,}", style=colour)
            counts.append("   ")
    rate = speed(sights)
    if rate > 0:
        counts.append(f"{rate:,.1f} a second", style="bold")
        if remaining := sight.total - sight.done:
            counts.append(f", {_span(remaining / rate)} to go", style="dim")
    notes = [Text(f"! {sentence}", style="yellow") for sentence in sight.told]
    return Group(head, bar, counts, *notes)


def _is_overdue(sight: Sight) -> bool:
    """Whether the campaign should have started a while ago, which only happens without a service."""
    campaign = sight.campaign
    scheduled = campaign.state is CampaignState.SCHEDULED and campaign.starts_at is not None
    return scheduled and sight.at - (campaign.starts_at or sight.at) > PATIENCE


def _span(seconds: float) -> str:
    """A span of time in the two largest units that matter."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
