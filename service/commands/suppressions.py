"""`tocsin suppression`: addresses that are not written to any more, kept as fingerprints."""

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from audience.stop_lists import Listed, read_address, read_suppressions, take_over, write_suppressions
from models.errors import BadInputError, NotFoundError
from models.states import Channel, SuppressionReason
from models.suppression import Suppression, address_hash
from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import moment, print_table, say, warn, words

group = noun("Addresses that are not written to any more.")
PAGE = 5000
REJECTED_SHOWN = 10
GIVE_AGAIN = {
    Channel.EMAIL: "They can subscribe again through the unsubscribe link of any message they got from you.",
    Channel.SMS: "They can subscribe again by sending START to your number.",
}
"""Nobody else can: an import does not undo a withdrawal."""
Address = Annotated[str, typer.Argument(help="E-mail address or telephone number.", metavar="ADDRESS")]


@group.command(
    "add", epilog=examples("tocsin suppression add ada@example.org --why 'asked on the telephone'")
)
def add(
    address: Address,
    why: Annotated[str, typer.Option(help="Why, for the record.", metavar="TEXT")] = "",
) -> None:
    """Write to this address no more, on any campaign, from now on."""
    channel, normal = read_address(address)

    async def save(desk: Desk) -> bool:
        from store.suppressions import suppress

        async with desk.database.write() as session:
            return await suppress(
                session,
                channel=channel,
                address_hash=address_hash(channel, normal),
                reason=SuppressionReason.MANUAL,
                evidence=traced(why),
                event_id=None,
                now=desk.clock.now(),
            )

    say(
        f"{normal} is not written to any more." if work(save) else f"{normal} was suppressed by hand already."
    )


@group.command(
    "lift", epilog=examples("tocsin suppression lift ada@example.org --why 'subscribed again on paper'")
)
def lift(
    address: Address,
    why: Annotated[
        str, typer.Option(help="Why; kept with the row as the trace of the decision.", metavar="TEXT")
    ],
) -> None:
    """Allow an address to be written to again. The suppression stays on record, as lifted.

    A consent that the person withdrew (by a complaint, STOP or unsubscribing) is theirs to give again.
    """
    if not why.strip():
        raise BadInputError("A reason is needed.", "It is kept as the trace of the decision: --why TEXT.")
    channel, normal = read_address(address)

    async def change(desk: Desk) -> tuple[int, bool]:
        from store import consents, suppressions

        async with desk.database.write() as session:
            count = await suppressions.lift(
                session,
                channel=channel,
                address_hash=address_hash(channel, normal),
                why=traced(why),
                now=desk.clock.now(),
            )
            return count, await consents.has_withdrawn(session, channel, normal)

    lifted, is_withdrawn = work(change)
    if not lifted:
        raise NotFoundError(f"{normal} is not suppressed.", "Nothing was changed.")
    if not is_withdrawn:
        say(f"{normal} may be written to again ({plural(lifted, 'suppression')} lifted).")
        return
    say(f"{plural(lifted, 'suppression')} of {normal} lifted.")
    warn(f"The consent stays withdrawn: campaigns leave this person out. {GIVE_AGAIN[channel]}")


@group.command("list", epilog=examples("tocsin suppression list", "tocsin suppression list --limit 20"))
def list_(limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 50) -> None:
    """Show how many addresses are suppressed for what, and the newest of them."""

    async def read(desk: Desk) -> tuple[list[tuple[str, str, str]], list[Suppression], str]:
        from store.suppressions import count_by_reason, list_active

        now = desk.clock.now()
        async with desk.database.read() as session:
            counts = await count_by_reason(session, now)
            newest = await list_active(session, now, limit=limit)
        totals = [(channel.value, words(reason), f"{count:,}") for (channel, reason), count in counts.items()]
        return sorted(totals), newest, desk.settings.zone

    totals, newest, zone = work(read)
    if not totals:
        say("No address is suppressed.")
        return
    print_table(["Channel", "Reason", "#Addresses"], totals, empty="")
    print_table(
        ["Since", "Channel", "Reason", "Fingerprint", "Evidence"],
        [
            (
                moment(row.created_at, zone),
                row.channel.value,
                words(row.reason),
                row.address_hash[:12],
                row.evidence,
            )
            for row in newest
        ],
        empty="",
    )


@group.command(
    "undo",
    epilog=examples(
        "tocsin suppression undo words-no-such-user --since 2026-11-01",
        "tocsin suppression undo words-no-such-user --since 2026-11-01 --why 'read blocks as deaths' --apply",
    ),
)
def undo(
    rule: Annotated[str, typer.Argument(help="Name of the rule, as the evidence tells it.", metavar="RULE")],
    since: Annotated[datetime, typer.Option(help="From which day on, in UTC.", formats=["%Y-%m-%d"])],
    why: Annotated[
        str, typer.Option(help="Why; kept with each row. Required with --apply.", metavar="TEXT")
    ] = "",
    act: Annotated[bool, typer.Option("--apply", help="Carry it out.")] = False,
) -> None:
    """Undo what a rule suppressed, as a whole, unless other evidence is enough.

    Shows how many; nothing is changed without --apply. The suppressions stay on record, as lifted.
    """
    from deliverability.undoing import Undone, demand_rule, undo_rule
    from service.pacing import follow_rules

    async def change(desk: Desk) -> Undone:
        follow_rules(desk.settings)
        await demand_rule(desk.database, rule)
        reason = traced(why) if why.strip() or not act else ""
        start, now = since.replace(tzinfo=UTC), desk.clock.now()
        return await undo_rule(desk.database, rule, since=start, why=reason, now=now, apply=act)

    seen = work(change)
    lifted = "lifted" if act else "would be lifted (--apply does it)"
    say(f"{plural(seen.found, 'suppression')} by rule {rule}: {seen.lifted:,} {lifted}.")
    if seen.kept:
        say(f"{plural(seen.kept, 'stays', 'stay')}: there is other evidence.")
    if seen.elsewhere:
        say(f"Still suppressed by something else: {seen.elsewhere:,} of those lifted.")


@group.command("export", epilog=examples("tocsin suppression export > suppressions.csv"))
def export() -> None:
    """Print every suppression as CSV: fingerprints of addresses, never addresses."""

    async def write(desk: Desk) -> None:
        from store.suppressions import list_active

        now = desk.clock.now()
        before_id = None
        rows: list[Suppression] = []
        async with desk.database.read() as session:
            while page := await list_active(session, now, limit=PAGE, before_id=before_id):
                rows += page
                before_id = page[-1].id
        write_suppressions(sys.stdout, reversed(rows))

    work(write)


@group.command(
    "import",
    epilog=examples("tocsin suppression import suppressions.csv", "tocsin suppression import stop-list.txt"),
)
def import_(
    file: Annotated[Path, typer.Argument(help="Our own export, or a list of addresses.", metavar="FILE")],
    channel: Annotated[
        Channel | None, typer.Option(help="email or sms: of fingerprints that stand alone.")
    ] = None,
) -> None:
    """Take over a list of addresses not to write to: do this before the first import of people.

    The file is one that `tocsin suppression export` wrote, or a CSV with a column named email, phone or
    address, or one address a line. Instead of an address, each may be a fingerprint. Encoding and
    separator are found out, as by `tocsin import`.
    """
    listed = read_suppressions(file, channel)

    async def save(desk: Desk) -> int:
        return await take_over(desk.database, listed.rows, evidence=f"list {file.name}", now=desk.clock.now())

    new = work(save)
    say(f"{plural(len(listed.rows), 'row')} read, {new:,} new, {len(listed.rows) - new:,} known already.")
    _tell_rejected(listed)
    if listed.rejected and not listed.rows:
        raise BadInputError(f"{file.name} holds no address that can be read.", "Nothing was taken over.")


def traced(why: str) -> str:
    """The reason as it is kept: with who gave it, and how."""
    return f"{getpass.getuser()}, command line: {why}".rstrip(": ")


def _tell_rejected(listed: Listed) -> None:
    if not listed.rejected:
        return
    warn(f"{plural(len(listed.rejected), 'row')} could not be read:")
    for line in listed.rejected[:REJECTED_SHOWN]:
        warn(f"  {line}")
    if len(listed.rejected) > REJECTED_SHOWN:
        warn(f"  and {len(listed.rejected) - REJECTED_SHOWN:,} more")


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="suppression", rich_help_panel="Prepare")
