"""Contacts: how many, who fits a rule, one person's record and what happened between them and us."""

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.addresses import read_email, read_phone
from audience.fields import FIELDS
from audience.segments import count, parse_segment
from audience.targeting import record_targeting
from audience.territory import DEPARTEMENTS, REGIONS
from models.contact import Contact
from models.errors import BadInputError, SegmentError
from models.states import Channel, ConsentStatus
from models.suppression import Suppression
from store import consents, contacts, events, interactions, suppressions, targeting
from store.segment_sql import matching
from web.access import Editor, Reader, Visit
from web.borrowed import say_error
from web.bounce_words import read_evidence
from web.i18n import N_, Tongue
from web.pages.deliveries import Happening, histories
from web.stream_names import titles_of
from web.view import go, page
from web.words import word_for

router = APIRouter()
A_PAGE = 50
EVERYONE = "everyone"
NAMES_OF_PLACES = {"departement": DEPARTEMENTS, "region": REGIONS}
NOBODY_FOUND = N_("Nobody has this address, number or identifier.")
TARGETING = N_("Being chosen by their data")


class Stated(NamedTuple):
    """One statement of consent: about what, in words, what was said, where and when."""

    about: str
    status: ConsentStatus
    source: str
    given_at: datetime


async def count_contacts(session: AsyncSession, now: datetime) -> int:
    """How many people there are."""
    return await count(session, parse_segment(EVERYONE), now)


@router.get("/contacts")
async def list_page(visit: Reader) -> Response:
    """The newest contacts, of all or of those that fit the rule in the address."""
    return await _list(visit)


async def _list(visit: Visit, problem: str = "", status: int = 200) -> Response:
    rule = visit.query.text("rule", 2000)
    now = visit.context.clock.now()
    condition, fitting = None, None
    async with visit.context.database.read() as session:
        everybody = await count_contacts(session, now)
        try:
            if rule:
                tree = parse_segment(rule)
                condition, fitting = matching(tree, now=now), await count(session, tree, now)
        except SegmentError as error:
            problem = say_error(visit.tongue, error)
        found = await contacts.page_contacts(
            session, condition=condition, before_id=visit.query.number("before"), limit=A_PAGE + 1
        )
        tags = await contacts.tags_of(session, [contact.id for contact in found])
    return page(
        visit,
        "contacts.html",
        status,
        contacts=found[:A_PAGE],
        more=len(found) > A_PAGE,
        tags=tags,
        everybody=everybody,
        fitting=fitting,
        rule=rule,
        problem=problem,
    )


@router.post("/contacts/find")
async def find(visit: Reader) -> Response:
    """To the record of one address, number or identifier. A form: addresses do not belong in logs."""
    wanted = visit.form.text("wanted", 254)
    async with visit.context.database.read() as session:
        found = await contacts.find_contact(session, external_id=wanted) if wanted else None
        for column, reader in (("email", read_email), ("phone", read_phone)):
            try:
                found = found or await contacts.find_contact(session, **{column: reader(wanted)})
            except BadInputError:
                continue
    if found is None:
        return await _list(visit, NOBODY_FOUND, 404)
    return go(f"/contacts/{found.id}")


@router.get("/contacts/{contact_id}")
async def one_page(visit: Reader, contact_id: int) -> Response:
    """One person's record: what is known, what they agreed to, what happened."""
    return await _record(visit, contact_id)


@router.post("/contacts/{contact_id}/targeting")
async def targeting_said(visit: Editor, contact_id: int) -> Response:
    """Write down what a person said of being chosen by their data, where, and who writes it."""
    now = visit.context.clock.now()
    source = visit.form.text("source", 200)
    try:
        async with visit.context.database.write() as session:
            holds = await record_targeting(
                session,
                contact_id,
                visit.form.choice("status", ConsentStatus, ConsentStatus.UNKNOWN),
                source=f"{source} ({visit.user.email})" if source and visit.user else source,
                given_at=_day_of(visit, now),
                now=now,
            )
    except BadInputError as error:
        return await _record(visit, contact_id, say_error(visit.tongue, error), 400)
    return go(f"/contacts/{contact_id}", f"targeting-{holds.value}")


def _day_of(visit: Visit, now: datetime) -> datetime | None:
    """The day of the form at noon of the installation; None for today, or for none. BadInputError."""
    text = visit.form.text("day", 10)
    if not text:
        return None
    zone = ZoneInfo(visit.context.zone)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"“{text}” is no day.", "Write it as 2026-12-31.") from error
    return (
        None if day == now.astimezone(zone).date() else datetime.combine(day, time(12), zone).astimezone(UTC)
    )


async def _record(visit: Visit, contact_id: int, problem: str = "", status: int = 200) -> Response:
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        contact = await contacts.get_contact(session, contact_id)
        tags = (await contacts.tags_of(session, [contact_id]))[contact_id]
        happened = await events.events_of_contact(session, contact_id)
        timeline = await histories(session, happened, contact_id)
        names = await _names_of(session, timeline)
        statements = await _statements_of(session, contact_id)
        deeds = await interactions.of_contact(session, contact_id, limit=A_PAGE)
        history = await _suppressions_of(session, contact)
    suppressed = [
        channel
        for channel in Channel
        if any(row.channel is channel and suppressions.holds(row, now) for row in history)
    ]
    french = visit.tongue.language == "fr"
    known = [
        (field.label_fr if french else field.label, _readable(field.name, value, visit.tongue))
        for field in FIELDS
        if (value := getattr(contact, field.name, None)) and not isinstance(value, StrEnum | dict)
    ]
    return page(
        visit,
        "contact.html",
        status,
        contact=contact,
        problem=problem,
        name=" ".join(part for part in (contact.first_name, contact.last_name) if part),
        known=known,
        tags=tags,
        timeline=timeline,
        names=names,
        statements=statements,
        deeds=deeds,
        suppressed=suppressed,
        history=[(row, read_evidence(row.evidence)) for row in history],
        suppressed_words=[visit.tongue.say(word_for(channel)) for channel in suppressed],
    )


async def _statements_of(session: AsyncSession, contact_id: int) -> list[Stated]:
    """Everything a person said of consent, the newest first."""
    channels = await consents.statements_of(session, contact_id, limit=A_PAGE)
    chosen = await targeting.statements_of(session, contact_id, limit=A_PAGE)
    told = [Stated(word_for(one.channel), one.status, one.source, one.given_at) for one in channels]
    told += [Stated(TARGETING, one.status, one.source, one.given_at) for one in chosen]
    return sorted(told, key=lambda one: one.given_at, reverse=True)


async def _suppressions_of(session: AsyncSession, contact: Contact) -> list[Suppression]:
    """Every suppression of a person's addresses, lifted ones too."""
    prints = ((Channel.EMAIL, contact.email_hash), (Channel.SMS, contact.phone_hash))
    return [
        row
        for channel, fingerprint in prints
        if fingerprint
        for row in await suppressions.history(session, channel, fingerprint)
    ]


def _readable(field: str, value: object, tongue: Tongue) -> str:
    """A value as people read it: a day in their language, a territory's name beside its number."""
    match value:
        case date():
            return tongue.day(value)
        case str() if field in NAMES_OF_PLACES and value in NAMES_OF_PLACES[field]:
            return f"{NAMES_OF_PLACES[field][value]} ({value})"
        case _:
            return str(value)


async def _names_of(session: AsyncSession, timeline: list[Happening]) -> dict[int, str]:
    """The campaigns of a timeline by number."""
    numbers = {one.campaign_id for one in timeline if one.campaign_id is not None}
    return await titles_of(session, numbers)
