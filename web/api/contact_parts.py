"""What belongs to one person: the tags they wear, what they said of consent."""

from datetime import datetime

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.consent import TARGETING, Statement
from audience.statements import record_statement
from models.contact import Contact
from models.text import fold
from store import consents, contacts, targeting
from web.api.auth import require_live
from web.api.calls import IdempotencyKey, once
from web.api.contact_schemas import ConsentsOut, StatementIn, StatementOut, StatementsOut, TagsIn, TagsOut
from web.api.contacts import ContactPath, ReadsContacts, WritesContacts, reads
from web.api.ids import Kind
from web.api.schemas import problems

router = APIRouter(tags=["contacts"])
MOST_STATEMENTS = 500


@router.get("/contacts/{contact_id}/tags", responses=problems("not_found"))
async def tags(caller: ReadsContacts, contact_id: ContactPath) -> TagsOut:
    """The tags a person wears."""
    number = caller.ids.read(Kind.CONTACT, contact_id)
    async with caller.context.database.read() as session:
        await contacts.get_contact(session, number)
        return TagsOut(tags=(await contacts.tags_of(session, [number]))[number])


@router.post("/contacts/{contact_id}/tags", responses=problems("invalid", "not_found", "live_key_needed"))
async def change_tags(caller: WritesContacts, contact_id: ContactPath, body: TagsIn) -> TagsOut:
    """Put tags on and take tags off, in that order. Safe to repeat."""
    require_live(caller)
    number = caller.ids.read(Kind.CONTACT, contact_id)
    async with caller.context.database.write() as session:
        stored = await contacts.find_numbered(session, number)
        labels = {fold(label): label for label in body.add}
        new = labels.keys() - stored.tags
        await contacts.add_tags(session, labels, [(key, number) for key in new])
        off = await contacts.remove_tags(session, number, {fold(label) for label in body.remove})
        if new or off:
            await contacts.update_contacts(session, [(number, {})], now=caller.context.clock.now())
        worn = (await contacts.tags_of(session, [number]))[number]
        return TagsOut(tags=[label for label in worn if reads(caller) or fold(label) in labels])


@router.get("/contacts/{contact_id}/consents", responses=problems("not_found"))
async def statements(caller: ReadsContacts, contact_id: ContactPath) -> StatementsOut:
    """Everything a person said of consent, the newest first, and what holds."""
    number = caller.ids.read(Kind.CONTACT, contact_id)
    async with caller.context.database.read() as session:
        return await _statements(session, number)


@router.post(
    "/contacts/{contact_id}/consents",
    status_code=201,
    response_model=StatementsOut,
    responses=problems("invalid", "not_found", "idempotency_key_reused", "call_in_flight", "live_key_needed"),
)
async def say(
    caller: WritesContacts, contact_id: ContactPath, body: StatementIn, key: IdempotencyKey = None
) -> Response:
    """Keep one statement as proof. Nothing is ever taken back: a change of mind is another statement.

    The latest word holds, and at the same moment the refusal does. Safe to repeat when `given_at` is said.
    """
    require_live(caller)
    number = caller.ids.read(Kind.CONTACT, contact_id)
    said = Statement(body.status, body.given_at, body.source or caller.name)

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        await record_statement(session, number, body.topic(), said, now)
        session.expire_all()
        told = await _statements(session, number)
        return 201, (told if reads(caller) else StatementsOut(data=[], holds=told.holds)).model_dump_json()

    return await once(caller, key, body.model_dump(mode="json"), deed)


async def _statements(session: AsyncSession, number: int) -> StatementsOut:
    contact: Contact = await contacts.get_contact(session, number)
    channels = await consents.statements_of(session, number, limit=MOST_STATEMENTS)
    chosen = await targeting.statements_of(session, number, limit=MOST_STATEMENTS)
    told = [
        StatementOut(
            about=one.channel.value,
            status=one.status,
            source=one.source,
            given_at=one.given_at,
            recorded_at=one.recorded_at,
        )
        for one in channels
    ]
    told += [
        StatementOut(
            about=TARGETING,
            status=one.status,
            source=one.source,
            given_at=one.given_at,
            recorded_at=one.recorded_at,
        )
        for one in chosen
    ]
    return StatementsOut(
        data=sorted(told, key=lambda one: one.given_at, reverse=True),
        holds=ConsentsOut(
            email=contact.email_consent, sms=contact.sms_consent, targeting=contact.targeting_consent
        ),
    )
