"""`tocsin deliverability`, `tocsin study`: how senders fare at providers, and who wrote into spam."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from models.errors import BadInputError
from models.text import plural
from service.commands import examples
from service.desk import Desk, work
from service.terminal import print_table, put, say, screen
from service.wishes import wanted_identity

if TYPE_CHECKING:
    from deliverability.assessment.pressure import Spread
    from deliverability.assessment.study import StudyRow, StudyTable
    from deliverability.assessment.whole import IdentityAssessment
    from deliverability.burden import Burden
    from deliverability.changes import Changes

Days = Annotated[int, typer.Option("--days", help="The period up to now.", min=1, max=3650)]


def deliverability(
    *,
    identity: Annotated[
        str | None, typer.Argument(help="Short name of an identity; all without it.", metavar="[KEY]")
    ] = None,
    days: Days = 30,
    json: Annotated[bool, typer.Option("--json", help="One identity as JSON, for programs.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One identity as CSV, for spreadsheets.")] = False,
) -> None:
    """Show how senders fare at each mailbox provider: what was measured, the verdict, what to do next.

    Without an identity one line each, the gravest first.
    """
    if (json or csv) and (identity is None or json is csv):
        raise BadInputError(
            "A file is about one identity, in one form.", "Name it, and give --json or --csv."
        )
    found = work(lambda desk: _assess(desk, identity, days))
    if json or csv:
        from deliverability.assessment_files import identity_csv, identity_json
        from deliverability.changes import changes_document
        from deliverability.pressure_files import burden_document

        more = (changes_document(found.changes), burden_document(found.burden) if found.burden else None)
        judged = found.judged[0]
        put(identity_json(judged, *more) if json else identity_csv(judged).rstrip("\r\n"))
    elif identity is None:
        _print_all(found, days)
    else:
        _print_one(found, days)


@dataclass(frozen=True, slots=True)
class _Found:
    keys: list[str]
    judged: "list[IdentityAssessment]"
    zone: str
    changes: "Changes | None" = None
    burden: "Burden | None" = None
    pressure: "Spread | None" = None


async def _assess(desk: Desk, key: str | None, days: int) -> _Found:
    from deliverability.assessing import assess_identities
    from deliverability.burden import burden_of
    from deliverability.changes import identity_changes
    from deliverability.pressure import pressure_of_all
    from store.identities import list_identities

    now = desk.clock.now()
    async with desk.database.read() as session:
        if key is not None:
            wanted = [await wanted_identity(session, key)]
        else:
            wanted = [one for one in await list_identities(session) if one.from_email]
        since, zone = now - timedelta(days=days), desk.settings.zone
        judged = await assess_identities(session, wanted, since, now)
        changes = await identity_changes(session, judged[0]) if key is not None else None
        burden = await burden_of(session, wanted[0].id, since, now, zone) if key is not None else None
        pressure = await pressure_of_all(session)
    pairs = sorted(
        zip([one.key for one in wanted], judged, strict=True), key=lambda pair: -pair[1].status.gravity
    )
    return _Found([key for key, _ in pairs], [one for _, one in pairs], zone, changes, burden, pressure)


def _print_all(found: _Found, days: int) -> None:
    from web.i18n import Tongue
    from web.pressure_view import everybody
    from web.verdict_view import verdicts_of

    tongue = Tongue("en", ZoneInfo(found.zone))
    rows = []
    for key, judged in zip(found.keys, found.judged, strict=True):
        told = verdicts_of(judged, tongue)
        headline = told.headline if judged.campaigns else "Nothing was sent."
        rows.append((key, judged.campaigns, told.status if judged.campaigns else "–", headline))
    print_table(
        ["Identity", f"#Campaigns in {plural(days, 'day')}", "Status", "Why"],
        rows,
        empty="There is no identity that sends e-mail: `tocsin identity add` makes one.",
    )
    if found.pressure is not None and (pressed := everybody(found.pressure, tongue)):
        say(pressed)


def _print_one(found: _Found, days: int) -> None:
    from service.change_print import print_changes
    from service.pressure_print import print_burden
    from web.i18n import Tongue
    from web.verdict_view import verdicts_of

    (judged,) = found.judged
    tongue = Tongue("en", ZoneInfo(found.zone))
    told = verdicts_of(judged, tongue)
    say(f"{judged.identity_name}: {plural(judged.campaigns, 'campaign')} in {plural(days, 'day')}.")
    if not judged.campaigns:
        print_changes(screen(), found.changes, found.zone)
        print_burden(found.burden, tongue)
        return
    say(f"{told.status}. {told.headline}")
    print_table(
        [
            "Provider",
            "Verdict",
            "#Of the list",
            "#Sent",
            "#Hard",
            "#Complaints",
            "#Seeds",
            "#Inbox",
            "#Clicks",
        ],
        [
            (
                *(lane.provider, lane.word, lane.list_share, lane.sent, lane.hard, lane.complaints),
                *(lane.seeds, lane.placement or "–", lane.clicks),
            )
            for lane in told.lanes
        ],
        empty="",
    )
    for lane in told.lanes:
        for reason in lane.reasons:
            if reason.tone in {"warn", "bad"}:
                say(f"! {lane.provider}: {reason.text} ({reason.basis})")
    for sentence in told.estimate:
        say(sentence)
    for step in told.advice:
        say(f"→ {step.text}")
    print_changes(screen(), found.changes, found.zone)
    print_burden(found.burden, tongue)


def study(
    *,
    days: Days = 90,
    csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, for spreadsheets.")] = False,
) -> None:
    """Show who wrote how often, and how much of it met spam: the table of the 2022 study, of your own.

    A mailing is a campaign of one sender. It met spam when a seed mailbox found it there.
    """
    table, names = work(lambda desk: _study(desk, days))
    if csv:
        from deliverability.assessment_files import study_csv

        put(study_csv(table, names).rstrip("\r\n"))
        return
    say(
        f"{plural(table.total.identities, 'sender')}, {plural(table.total.mailings, 'mailing')}:"
        f" {table.total.a_week:.1f} a week, at most {table.total.most_a_week}."
    )
    print_table(
        ["Sender", "#Mailings", "#Accepted", "#A week", "#Fullest week", "#Met spam"],
        [
            (
                *(names.get(row.identity_id or 0, ""), row.mailings, f"{row.messages:,}"),
                *(f"{row.a_week:.1f}", row.most_a_week, met_spam(row)),
            )
            for row in table.rows
        ],
        empty="Nothing was sent in this period.",
    )


def met_spam(row: "StudyRow") -> str:
    """The mailings of a sender that met spam, of those with seeds, with the interval of enough of them."""
    spam = row.in_spam
    if not spam.whole:
        return "not tested"
    told = f"{spam.part} of {spam.whole}"
    if not spam.assessable or spam.low is None or spam.high is None:
        return f"{told}, not assessable"
    return f"{told} ({spam.low * 100:.0f}–{spam.high * 100:.0f} %)"


async def _study(desk: Desk, days: int) -> tuple["StudyTable", dict[int, str]]:
    from deliverability.assessing import study as study_of
    from store.identities import list_identities

    zone, now = ZoneInfo(desk.settings.zone), desk.clock.now()
    first = datetime.combine(now.astimezone(zone).date() - timedelta(days=days), time(), zone)
    async with desk.database.read() as session:
        table = await study_of(session, first, now, zone)
        return table, {one.id: one.name for one in await list_identities(session)}


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    panel = "Campaigns"
    app.command(
        rich_help_panel=panel,
        epilog=examples("tocsin deliverability", "tocsin deliverability national --days 90"),
    )(deliverability)
    app.command(rich_help_panel=panel, epilog=examples("tocsin study", "tocsin study --days 365 --csv"))(
        study
    )
