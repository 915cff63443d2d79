"""Two verbs people look for first: `tocsin send` and `tocsin report`."""

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from models.campaign import Campaign
from models.errors import BadInputError
from models.states import IdentityRule, LegalBasis
from service.commands import examples
from service.commands.campaign_options import For, Hours, Late, LateAfter, Manners, Until, Urgent
from service.commands.campaigns import (
    At,
    Basis,
    Excluded,
    Name,
    Rule,
    Seeds,
    Segments,
    Senders,
    TemplateName,
    Which,
    Zone,
)
from service.commands.lint import Despite, require_clear_here
from service.desk import Desk, work
from service.terminal import put, say
from service.wishes import Wish, moment_of, resolve, tell_reach, wanted_campaign

if TYPE_CHECKING:
    from deliverability.assessment.whole import CampaignAssessment
    from deliverability.changes import Changes
    from deliverability.report import CampaignReport
    from web.compliance_view import Line


def send(
    *,
    name: Name,
    template: TemplateName,
    segment: Segments,
    sender: Senders,
    at: At = "now",
    zone: Zone = None,
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
    despite: Despite = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")] = False,
) -> None:
    """Make a campaign and schedule it, in one step.

    Shows whom it reaches and asks before it is scheduled. It is looked at as `tocsin lint` does, and stays
    a draft while checks stand in its way. The sending itself is done by the service,
    `tocsin serve`.
    """
    wish = Wish(name, template, tuple(segment), tuple(exclude or ()), tuple(sender), rule, basis, seeds)
    manners = Manners(urgent, until, late, late_after, hours, purpose)

    async def sent(desk: Desk) -> Campaign:
        draft, local_time, zone_name = await _make(
            desk, wish, manners, at, zone or desk.settings.zone, yes=yes
        )
        return await _schedule(desk, draft, local_time, zone_name, despite)

    campaign = work(sent)
    say(f"Campaign {campaign.id} is scheduled: `tocsin campaign watch {campaign.id}` follows it.")


async def _make(
    desk: Desk, wish: Wish, manners: Manners, at: str, zone: str, *, yes: bool
) -> tuple[int, datetime, str]:
    """The number of the draft, and when it is to start; errors where it could not be scheduled."""
    from scheduler import campaigns
    from scheduler.preflight.gate import require_schedulable
    from service.rhythm import rhythm_of

    now = desk.clock.now()
    async with desk.database.read() as session:
        wanted = manners.apply(await resolve(session, wish, desk.settings.zone), zone, now)
        say(await tell_reach(session, wanted, rhythm_of(desk.settings), now))
    # Asked with no transaction open: a person may take their time, and the service goes on meanwhile.
    await asyncio.to_thread(_ask, yes=yes)
    now = desk.clock.now()
    local_time, zone_name = moment_of(at, zone, now)
    async with desk.database.write() as session:
        number = (await campaigns.create_campaign(session, wanted, now, may_exempt=True)).id
        await require_schedulable(session, number, local_time, zone_name, now)
    return number, local_time, zone_name


async def _schedule(
    desk: Desk, number: int, local_time: datetime, zone: str, despite: str | None
) -> Campaign:
    """Schedule the draft, unless checks stand in its way: then it stays one."""
    from scheduler import campaigns
    from scheduler.preflight import StandsInTheWayError
    from scheduler.preflight.gate import require_schedulable

    async with desk.database.write() as session:
        starts_at = await require_schedulable(session, number, local_time, zone, desk.clock.now())
    try:
        await require_clear_here(desk, number, despite, starts_at)
    except StandsInTheWayError:
        say(f"Campaign {number} is kept as a draft.")
        raise
    async with desk.database.write() as session:
        return await campaigns.schedule(session, number, local_time, zone, desk.clock.now())


def _ask(*, yes: bool) -> None:
    """Go on only with a person's yes; BadInputError when there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInputError("Nobody is here to say yes.", "Add --yes to send without being asked.")
    if not typer.confirm("Schedule it?"):
        raise typer.Abort


def report(
    campaign: Which,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, for spreadsheets.")] = False,
) -> None:
    """Show what became of a campaign.

    Accepted, bounced, complained, in the inbox or in spam: by provider and by sender identity.
    What the words mean is told in docs/deliverability.md.
    """
    if json and csv:
        raise BadInputError("A report is printed in one form.", "Choose --json or --csv.")

    from deliverability.assessing import assess_report
    from deliverability.changes import campaign_changes, changes_document
    from deliverability.report import campaign_report, report_csv, report_json
    from service.law_print import law_lines, print_law
    from service.report_view import print_report
    from store.elections import stopped_in_silence

    async def read(
        desk: Desk,
    ) -> tuple["CampaignReport", "CampaignAssessment | None", "Changes | None", str, int, "list[Line]"]:
        async with desk.database.read() as session:
            found = await wanted_campaign(session, campaign)
            made = await campaign_report(session, found.id, desk.clock.now())
            judged = await assess_report(session, made)
            stopped = await stopped_in_silence(session, found.id)
            changes = await campaign_changes(session, made, judged)
            law = await law_lines(desk, session, found.id) if made.launched_at else []
            return made, judged, changes, found.zone, stopped, law

    found, assessment, changes, zone, stopped, law = work(read)
    if json:
        put(report_json(found, assessment, changes_document(changes)))
    elif csv:
        sys.stdout.write(report_csv(found, assessment))
    else:
        print_report(found, zone, assessment=assessment, changes=changes, stopped=stopped)
        print_law(law)


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    panel = "Campaigns"
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "tocsin send 'Meeting in Lyon' --template hello --segment lyon --from rhone",
            "tocsin send 'News 12' --template hello --segment everybody --from national"
            " --at '2026-12-01 18:30' --yes",
        ),
    )(send)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "tocsin report 3", "tocsin report 3 --csv > report.csv", "tocsin report 'News 12' --json"
        ),
    )(report)
