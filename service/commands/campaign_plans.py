"""Before a campaign is launched, and while it runs: change a draft, whom it reaches, when it is over."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import BadInputError
from models.states import IdentityRule, LegalBasis
from service.commands import examples
from service.commands.campaign_options import (
    AsNature,
    First,
    FirstWait,
    For,
    Hours,
    IfBad,
    IfUnknown,
    Late,
    LateAfter,
    Manners,
    Spent,
    Sponsor,
    Until,
    Urgent,
    Vote,
)
from service.desk import Desk, work
from service.forecast_view import foretell, tell_forecast
from service.terminal import say
from service.wishes import (
    moment_of,
    tell_reach,
    wanted_campaign,
    wanted_identity,
    wanted_segment,
    wanted_version,
)

if TYPE_CHECKING:
    from scheduler.campaigns import NewCampaign
    from scheduler.forecast import Forecast

Which = Annotated[str, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")]
NewName = Annotated[str | None, typer.Option("--name", help="Another name.", metavar="NAME")]
NewTemplate = Annotated[
    str | None, typer.Option("--template", help="The newest version of this template.", metavar="NAME")
]
NewSegments = Annotated[
    list[str] | None, typer.Option("--segment", help="Who gets it, instead of those before.", metavar="NAME")
]
NewSenders = Annotated[
    list[str] | None, typer.Option("--from", help="Who sends it, instead of those before.", metavar="KEY")
]
NewExcluded = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Who does not get it, instead of those before.", metavar="NAME"),
]
NewRule = Annotated[
    IdentityRule | None, typer.Option("--rule", help="Which identity writes to whom: one, territory, rotate.")
]
NewBasis = Annotated[LegalBasis | None, typer.Option("--basis", help="consent, or legitimate_interest.")]
NewSeeds = Annotated[
    bool | None, typer.Option("--seeds/--no-seeds", help="Write to the seed mailboxes, too, or not.")
]
TryAt = Annotated[
    str | None,
    typer.Option("--at", help="As if it started then: now, or a time as '2026-12-01 18:30'.", metavar="TIME"),
]


def edit(
    *,
    campaign: Which,
    name: NewName = None,
    template: NewTemplate = None,
    segment: NewSegments = None,
    sender: NewSenders = None,
    exclude: NewExcluded = None,
    rule: NewRule = None,
    basis: NewBasis = None,
    seeds: NewSeeds = None,
    urgent: Urgent = None,
    until: Until = None,
    late: Late = None,
    late_after: LateAfter = None,
    hours: Hours = None,
    purpose: For = None,
    first: First = None,
    first_wait: FirstWait = None,
    if_bad: IfBad = None,
    if_unknown: IfUnknown = None,
    nature: AsNature = None,
    sponsor: Sponsor = None,
    vote: Vote = None,
    spent: Spent = None,
) -> None:
    """Change a draft, or a campaign that was blocked; what is not named stays.

    One that is scheduled, or under way, is refused.
    """
    manners = Manners(
        *(urgent, until, late, late_after, hours, purpose, first, first_wait, if_bad, if_unknown),
        *(nature, sponsor, vote, spent),
    )
    named = (name, template, segment, sender, exclude, rule, basis, seeds)
    if manners == Manners() and all(part is None for part in named):
        raise BadInputError("Nothing to change was named.", "See `tocsin campaign edit --help`.")

    async def become(session: AsyncSession, wanted: "NewCampaign") -> "NewCampaign":
        wanted = await _with_parts(session, wanted, name, template, segment, sender, exclude)
        return replace(
            wanted,
            identity_rule=rule or wanted.identity_rule,
            basis=basis or wanted.basis,
            with_seeds=wanted.with_seeds if seeds is None else seeds,
        )

    say(work(lambda desk: _change(desk, campaign, manners, become)))


async def _change(
    desk: Desk,
    which: str,
    manners: Manners,
    become: "Callable[[AsyncSession, NewCampaign], Awaitable[NewCampaign]]",
) -> str:
    """Change a draft by its manners and its parts; what became of it, and whom it would reach."""
    from scheduler.campaigns import parts_of, update_campaign
    from service.rhythm import rhythm_of

    now = desk.clock.now()
    async with desk.database.write() as session:
        found = await wanted_campaign(session, which)
        present = await parts_of(session, found)
        wanted = await become(session, manners.apply(present, desk.settings.zone, now))
        found = await update_campaign(session, found.id, wanted, now, may_exempt=True)
        told = "is like that already" if wanted == present else "is changed"
        reach = await tell_reach(session, wanted, rhythm_of(desk.settings), now, campaign_id=found.id)
        return f"{found.name} {told}: {reach}"


async def _with_parts(  # noqa: PLR0917 - the options of the command, in their order
    session: AsyncSession,
    wanted: "NewCampaign",
    name: str | None,
    template: str | None,
    segments: list[str] | None,
    senders: list[str] | None,
    excluded: list[str] | None,
) -> "NewCampaign":
    """The campaign with the parts that were named."""
    if name is not None:
        wanted = replace(wanted, name=name)
    if template is not None:
        wanted = replace(wanted, template_version_id=(await wanted_version(session, template)).id)
    if segments is not None:
        wanted = replace(wanted, include=[(await wanted_segment(session, each)).id for each in segments])
    if excluded is not None:
        wanted = replace(wanted, exclude=[(await wanted_segment(session, each)).id for each in excluded])
    if senders is not None:
        numbers = [(await wanted_identity(session, key)).id for key in senders]
        wanted = replace(wanted, identity_ids=numbers)
    return wanted


def preview(campaign: Which) -> None:
    """Show whom a campaign would reach if it started now, who is left out and why.

    Also how many have their hours (`--hours`, or the settings') shut at this moment and would get it later.
    """

    async def look(desk: Desk) -> tuple[str, str]:
        from scheduler.campaigns import parts_of
        from service.rhythm import rhythm_of

        async with desk.database.read() as session:
            found = await wanted_campaign(session, campaign)
            wanted = await parts_of(session, found)
            rhythm, now = rhythm_of(desk.settings), desk.clock.now()
            return found.name, await tell_reach(session, wanted, rhythm, now, campaign_id=found.id)

    name, reach = work(look)
    say(f"{name}: {reach}")


def forecast(campaign: Which, at: TryAt = None) -> None:
    """Tell when a campaign will be over, who would miss its deadline, and when it would have to start.

    From what waits everywhere, the limits and warm-up plans as they are now, sending hours and deadlines.
    """

    async def look(desk: Desk) -> tuple[str, "Forecast", str]:
        from scheduler.campaigns import instant

        now, zone = desk.clock.now(), desk.settings.zone
        start = None if at is None else instant(*moment_of(at, zone, now))
        async with desk.database.read() as session:
            found = await wanted_campaign(session, campaign)
        return found.name, await foretell(desk, found.id, start), zone

    tell_forecast(*work(look))


def register(group: typer.Typer) -> None:
    """Put these commands on the group of campaigns."""
    group.command(
        epilog=examples(
            "tocsin campaign edit 3 --urgent --until '2026-12-01 20:00'",
            "tocsin campaign edit 'News 12' --template news --segment members --segment elected",
        )
    )(edit)
    group.command(epilog=examples("tocsin campaign preview 3"))(preview)
    group.command(
        epilog=examples(
            "tocsin campaign forecast 3", "tocsin campaign forecast 'News 12' --at '2026-12-01 18:30'"
        )
    )(forecast)
