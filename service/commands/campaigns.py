"""`tocsin campaign`: a template, an audience, a sender and a moment; started, paused, resumed, stopped."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.states import DeliveryState, IdentityRule, LeftOutReason, LegalBasis
from models.text import plural
from service.commands import (
    campaign_canary,
    campaign_doubts,
    campaign_plans,
    campaign_register,
    campaign_waivers,
    examples,
    noun,
)
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
    manners_of,
)
from service.commands.lint import Despite, require_clear_here
from service.desk import Desk, work
from service.forecast_view import foretell, warnings
from service.terminal import moment, print_table, say, words
from service.trying import try_out
from service.wishes import NOW, Wish, moment_of, resolve, tell_reach, wanted_campaign

group = noun("Make, schedule, follow, pause and stop campaigns.")

Which = Annotated[str, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")]
Name = Annotated[str, typer.Argument(help="Name of the campaign.", metavar="NAME")]
TemplateName = Annotated[
    str, typer.Option("--template", help="What is said; its newest version is pinned.", metavar="NAME")
]
Segments = Annotated[
    list[str], typer.Option("--segment", help="Who gets it; may be given several times.", metavar="NAME")
]
Senders = Annotated[
    list[str], typer.Option("--from", help="Sender identity; may be given several times.", metavar="KEY")
]
Excluded = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Who does not, even so; may be given several times.", metavar="NAME"),
]
Rule = Annotated[
    IdentityRule,
    typer.Option(
        "--rule",
        help="Which identity writes to whom: one (the first), territory (the person's own), rotate"
        " (shared out).",
    ),
]
Basis = Annotated[
    LegalBasis,
    typer.Option(
        "--basis", help="consent: to those who gave it; legitimate_interest: to all who did not withdraw."
    ),
]
Seeds = Annotated[bool, typer.Option("--seeds/--no-seeds", help="Write to the seed mailboxes, too.")]
At = Annotated[
    str, typer.Option("--at", help="When to start: now, or a time as '2026-12-01 18:30'.", metavar="TIME")
]
Zone = Annotated[
    str | None, typer.Option("--zone", help="Time zone of --at, instead of TOCSIN_ZONE.", metavar="ZONE")
]


@group.command(
    "create",
    epilog=examples(
        "tocsin campaign create 'Meeting in Lyon' --template hello --segment lyon --from rhone",
        "tocsin campaign create 'News 12' --template hello --segment everybody --exclude elected"
        " --from national --from rhone --rule territory",
    ),
)
def create(
    *,
    name: Name,
    template: TemplateName,
    segment: Segments,
    sender: Senders,
    exclude: Excluded = None,
    rule: Rule = IdentityRule.ONE,
    basis: Basis = LegalBasis.CONSENT,
    seeds: Seeds = True,
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
    """Make a campaign as a draft, and show how many it would reach and who is left out.

    Nothing is sent.
    """
    wish = Wish(name, template, tuple(segment), tuple(exclude or ()), tuple(sender), rule, basis, seeds)
    manners = Manners(
        *(urgent, until, late, late_after, hours, purpose, first, first_wait, if_bad, if_unknown),
        *(nature, sponsor, vote, spent),
    )

    async def make(desk: Desk) -> tuple[Campaign, str]:
        from scheduler import campaigns
        from service.rhythm import rhythm_of

        now, zone = desk.clock.now(), desk.settings.zone
        async with desk.database.write() as session:
            wanted = replace(await resolve(session, wish, zone), nature=desk.settings.nature)
            wanted = manners.apply(wanted, zone, now)
            campaign = await campaigns.create_campaign(session, wanted, now, may_exempt=True)
            return campaign, await tell_reach(session, wanted, rhythm_of(desk.settings), now)

    campaign, reach = work(make)
    say(reach)
    say(f"Campaign {campaign.id} is a draft: `tocsin campaign schedule {campaign.id} --at now` starts it.")


@group.command("list", epilog=examples("tocsin campaign list", "tocsin campaign list --limit 200"))
def list_(limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 50) -> None:
    """Show the campaigns, the newest first."""

    async def read(desk: Desk) -> list[tuple[object, ...]]:
        from store.campaigns import list_campaigns

        async with desk.database.read() as session:
            found = await list_campaigns(session, limit=limit)
        return [
            (each.id, each.name, each.channel.value, each.state.value, _starts(each), each.frozen)
            for each in found
        ]

    print_table(
        ["#No.", "Campaign", "Channel", "State", "Starts", "#Messages"],
        work(read),
        empty="There is no campaign yet: `tocsin campaign create` makes one.",
    )


def _starts(campaign: Campaign) -> str:
    """The start as it was typed, or in the campaign's zone."""
    if campaign.starts_at is None:
        return ""
    return moment(campaign.starts_at, campaign.zone)


@group.command("show", epilog=examples("tocsin campaign show 3", "tocsin campaign show 'Meeting in Lyon'"))
def show(campaign: Which) -> None:
    """Show where a campaign stands: its parts, and how many messages are in which state."""
    found, states, left_out, parts, used_up = work(lambda desk: _look(desk, campaign))
    say(f"{found.name} (campaign {found.id}, {found.channel.value}) is {found.state.value}.")
    for told in filter(None, (found.problem, *used_up)):
        say(f"! {told}")
    starts = ("Starts", _starts(found) or "not scheduled")
    print_table(["", ""], [*parts, starts, *manners_of(found)], empty="")
    rows = [(words(state), f"{count:,}") for state, count in states.items() if count]
    none = "No message has been made yet." if found.launched_at is None else "Nobody was left to write to."
    print_table(["Messages", "#"], rows, empty=none)
    if left_out:
        rows = [(words(reason), f"{count:,}") for reason, count in left_out.items() if count]
        print_table(["Left out", "#"], rows, empty="")


async def _look(
    desk: Desk, which: str
) -> tuple[
    Campaign, dict[DeliveryState, int], dict[LeftOutReason, int], list[tuple[str, str]], Sequence[str]
]:
    from scheduler.portions import tell_used_up
    from service.rhythm import pace_of
    from store import campaigns, templates

    async with desk.database.read() as session:
        found = await wanted_campaign(session, which)
        version = await templates.get_version(session, found.template_version_id)
        template = await templates.template_of(session, version)
        parts = [("Template", f"{template.name}, version {version.number}")]
        parts += [
            (role.value.capitalize(), f"{segment.name}: {segment.text}")
            for segment, role in await campaigns.segments_of(session, found.id)
        ]
        parts += [
            ("From", f"{each.key}: {each.name} <{each.from_email or each.sms_sender}>")
            for each in await campaigns.identities_of(session, found.id)
        ]
        parts += await campaign_canary.parts_of(session, found.id)
        states = await campaigns.progress(session, found.id)
        settings = desk.settings
        used_up = await tell_used_up(session, found, pace_of(settings), desk.clock.now(), settings.zone)
        return found, states, await campaigns.left_out(session, found.id), parts, used_up


@group.command(
    "test",
    epilog=examples(
        "tocsin campaign test 3 --to me@example.org",
        "tocsin campaign test 'Meeting tonight' --to +33612345678",
    ),
)
def test(
    campaign: Which,
    to: Annotated[
        str, typer.Option("--to", help="Your own e-mail address or telephone number.", metavar="ADDRESS")
    ],
) -> None:
    """Send a campaign's message to yourself, as one person of its audience would read it.

    It leaves by the real mail server, signed, its subject marked [Test]; it counts in no figure, and
    its links carry no token. The campaign stays as it is.
    """
    say(work(lambda desk: try_out(desk, campaign, to)))


@group.command(
    "schedule",
    epilog=examples(
        "tocsin campaign schedule 3 --at now", "tocsin campaign schedule 3 --at '2026-12-01 18:30'"
    ),
)
def schedule(
    *,
    campaign: Which,
    at: At,
    zone: Zone = None,
    urgent: Urgent = None,
    until: Until = None,
    late: Late = None,
    late_after: LateAfter = None,
    hours: Hours = None,
    first: First = None,
    first_wait: FirstWait = None,
    if_bad: IfBad = None,
    if_unknown: IfUnknown = None,
    despite: Despite = None,
) -> None:
    """Say when a draft starts. The service (`tocsin serve`) does the rest.

    A time the clocks skip is an hour later; a time that comes twice is the first of the two.
    It is looked at first, as `tocsin lint` does, and not scheduled while checks stand in its way.
    """
    manners = Manners(*(urgent, until, late, late_after, hours, None, first, first_wait, if_bad, if_unknown))

    async def set_time(desk: Desk) -> tuple[Campaign, datetime, list[str]]:
        from scheduler import campaigns
        from scheduler.preflight.gate import require_schedulable

        now = desk.clock.now()
        local_time, zone_name = moment_of(at, zone or desk.settings.zone, now)
        async with desk.database.write() as session:
            found = await wanted_campaign(session, campaign)
            if manners != Manners():
                wanted = manners.apply(await campaigns.parts_of(session, found), zone_name, now)
                await campaigns.update_campaign(session, found.id, wanted, now)
            number = found.id
            starts_at = await require_schedulable(session, number, local_time, zone_name, now)
        await require_clear_here(desk, number, despite, starts_at)
        async with desk.database.write() as session:
            found = await campaigns.schedule(session, number, local_time, zone_name, now)
        return found, now, warnings(found.name, await foretell(desk, found.id), zone_name)

    found, scheduled_at, warned = work(set_time)
    say(f"{found.name} starts at {_starts(found)}.")
    if at.strip().lower() != NOW and found.starts_at and found.starts_at <= scheduled_at:
        say("! That moment is past, so it starts at once: `tocsin campaign pause` holds it.")
    for sentence in warned:
        say(f"! {sentence}")


Change = Callable[[AsyncSession, int, datetime], Awaitable[Campaign]]


def _change(which: str, change: Change) -> Campaign:
    """Do one thing to one campaign."""

    async def apply(desk: Desk) -> Campaign:
        async with desk.database.write() as session:
            found = await wanted_campaign(session, which)
            return await change(session, found.id, desk.clock.now())

    return work(apply)


@group.command("pause", epilog=examples("tocsin campaign pause 3"))
def pause(campaign: Which) -> None:
    """Let nothing more leave for now; what is on the wire at this moment still arrives."""
    from scheduler import campaigns

    say(f"{_change(campaign, campaigns.pause).name} is paused: `tocsin campaign resume` goes on.")


@group.command("resume", epilog=examples("tocsin campaign resume 3"))
def resume(campaign: Which) -> None:
    """Go on where the pause came."""
    from scheduler import campaigns

    found = _change(campaign, campaigns.resume)
    say(f"{found.name} is {found.state.value} again.")


@group.command("cancel", epilog=examples("tocsin campaign cancel 3"))
def cancel(campaign: Which) -> None:
    """Stop for good: what has not left never will. This cannot be taken back."""
    from scheduler import campaigns

    say(f"{_change(campaign, campaigns.cancel).name} is cancelled.")


@group.command("release", epilog=examples("tocsin campaign release 3"))
def release(campaign: Which) -> None:
    """Try the messages again that were held back, once what held them is mended.

    A message is held back when it cannot be written for its person: a value that got lost since the
    launch, an address that no mail server would take. `tocsin campaign show` says why.
    """
    from scheduler.campaigns import release as let_go

    async def apply(desk: Desk) -> tuple[str, int]:
        async with desk.database.write() as session:
            found = await wanted_campaign(session, campaign)
            return found.name, await let_go(session, found.id, desk.clock.now())

    name, count = work(apply)
    say(
        f"{name}: {plural(count, 'message')} will be tried again."
        if count
        else f"{name}: nothing is held back."
    )


@group.command("watch", epilog=examples("tocsin campaign watch 3"))
def watch(campaign: Which) -> None:
    """Follow a running campaign until it is finished, or paused: how many left, how fast.

    Ctrl-C only stops watching.
    """
    from service.watching import follow

    work(lambda desk: follow(desk, campaign))


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    campaign_plans.register(group)
    campaign_doubts.register(group)
    campaign_canary.register(group)
    campaign_waivers.register(group)
    campaign_register.register(group)
    app.add_typer(group, name="campaign", rich_help_panel="Campaigns")
