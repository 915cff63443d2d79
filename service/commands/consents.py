"""`tocsin consent`: what a person agreed to, with the proof; what they said of targeting, written down."""

from datetime import UTC, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from models.contact import Contact
from models.errors import BadInputError, NotFoundError
from models.states import ConsentStatus
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import moment, print_table, say

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

group = noun("What a person agreed to, and the proof of it.")

MOST_STATEMENTS = 200
TARGETING = "targeting"


class Said(StrEnum):
    """What a person may say."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


Person = Annotated[str, typer.Argument(help="E-mail, telephone or identifier.", metavar="PERSON")]


@group.command("show", epilog=examples("tocsin consent show ada@example.org"))
def show(person: Person) -> None:
    """Show where somebody stands, and every statement, the newest first."""

    async def read(desk: Desk) -> tuple[Contact, list[tuple[datetime, str, str, str]], str]:
        from store import consents, targeting

        async with desk.database.read() as session:
            contact = await _contact(session, person)
            channels = await consents.statements_of(session, contact.id, limit=MOST_STATEMENTS)
            chosen = await targeting.statements_of(session, contact.id, limit=MOST_STATEMENTS)
        told = [(one.given_at, one.channel.value, one.status.value, one.source) for one in channels]
        told += [(one.given_at, TARGETING, one.status.value, one.source) for one in chosen]
        return contact, sorted(told, reverse=True), desk.settings.zone

    contact, told, zone = work(read)
    say(
        f"e-mail: {contact.email_consent.value}; sms: {contact.sms_consent.value};"
        f" targeting: {contact.targeting_consent.value}."
    )
    print_table(
        ["When", "To what", "Consent", "Where"],
        [(moment(at, zone), what, status, source) for at, what, status, source in told],
        empty="Nothing is on record.",
    )


@group.command(
    "targeting",
    epilog=examples(
        "tocsin consent targeting ada@example.org granted --source 'paper form' --on 2026-11-20",
        "tocsin consent targeting ada@example.org withdrawn --source 'her letter'",
    ),
)
def targeting_(
    person: Person,
    said: Annotated[Said, typer.Argument(help="What the person said.")],
    source: Annotated[str, typer.Option(help="Where they said it; kept as proof.", metavar="TEXT")],
    on: Annotated[str, typer.Option(help="The day, if not today, as 2026-12-31.", metavar="DAY")] = "",
) -> None:
    """Write down whether somebody agrees to political messages being chosen for them by their data.

    Apart from consent to e-mail or SMS. The latest word holds; an older one is kept as proof all the same.
    """

    async def keep(desk: Desk) -> ConsentStatus:
        from audience.targeting import record_targeting

        async with desk.database.write() as session:
            contact = await _contact(session, person)
            return await record_targeting(
                session,
                contact.id,
                ConsentStatus(said.value),
                source=source,
                given_at=_noon(on, desk.settings.zone),
                now=desk.clock.now(),
            )

    holds = work(keep)
    if holds.value != said.value:
        say("Kept as proof. What the person said later still holds.")
    say(f"{person}: consent to targeting is {holds.value}.")


def _noon(text: str, zone: str) -> datetime | None:
    """The middle of a day; None for no day. BadInputError."""
    from audience.dates import read_day

    return datetime.combine(read_day(text), time(12), ZoneInfo(zone)).astimezone(UTC) if text else None


async def _contact(session: "AsyncSession", person: str) -> Contact:
    """Whom that names; NotFoundError."""
    from audience.addresses import read_email, read_phone
    from store.contacts import find_contact

    found = await find_contact(session, external_id=person)
    for column, reader in (("email", read_email), ("phone", read_phone)):
        try:
            found = found or await find_contact(session, **{column: reader(person)})
        except BadInputError:
            continue
    if found is None:
        raise NotFoundError(f"Nobody has the address, number or identifier {person!r}.")
    return found


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="consent", rich_help_panel="Prepare")
