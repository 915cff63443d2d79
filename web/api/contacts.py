"""People: a CRM writes them under its own ids, reads them page by page, and has them erased."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.addresses import read_email, read_phone
from audience.import_rows import tidy
from audience.one_person import Card, CardError, TakenError, Written, change, create, upsert
from models.api import Scope
from models.contact import Contact
from models.errors import BadInputError
from store import contacts
from store.contact_pages import wanted
from web.api.auth import Caller, may, require_live
from web.api.calls import IdempotencyKey, once
from web.api.contact_schemas import ContactIn, ContactOut
from web.api.ids import Kind
from web.api.paging import USUAL, Cursor, Fields, Limit, PageOut, Paging, one_of
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import Line, Moment, problems

router = APIRouter(tags=["contacts"])
REGION = "FR"
"""Whose telephone numbers may come without a country code, as in imports and on pages."""

ReadsContacts = Annotated[Caller, may(Scope.CONTACTS_READ)]
WritesContacts = Annotated[Caller, may(Scope.CONTACTS_WRITE)]
ContactPath = Annotated[str, Path(max_length=40, description="The contact's id.", examples=["ctc_abc"])]
ExternalPath = Annotated[Line, Path(min_length=1, max_length=200, description="The person's id in your CRM.")]
WRITTEN: dict[int | str, dict[str, Any]] = {
    200: {"model": ContactOut, "description": "They were there; what differed was changed."},
    201: {"model": ContactOut, "description": "Somebody new."},
}


@router.put(
    "/contacts/by-external-id/{external_id}",
    response_model=ContactOut,
    responses=problems("invalid", "conflict", "idempotency_key_reused", "call_in_flight", "live_key_needed")
    | WRITTEN,
)
async def put(
    caller: WritesContacts, external_id: ExternalPath, body: ContactIn, key: IdempotencyKey = None
) -> Response:
    """Write a person under your own id: made (201) or changed (200).

    Whoever has the e-mail address and no external id yet is taken for the same person, as in an import.
    Safe to repeat.
    """
    require_live(caller)
    if body.external_id not in {None, external_id}:
        problem = "The address names another external id; to change it, PATCH the contact."
        raise ApiProblemError("invalid", problem, [Fault("external_id", "invalid", problem)])
    card = _card(caller, body, external_id)

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        return await _told(caller, session, await upsert(session, card, region=REGION, now=now))

    return await _once(caller, key, body, deed)


@router.post(
    "/contacts",
    status_code=201,
    response_model=ContactOut,
    responses=problems("invalid", "conflict", "idempotency_key_reused", "call_in_flight", "live_key_needed"),
)
async def post(caller: WritesContacts, body: ContactIn, key: IdempotencyKey = None) -> Response:
    """Add somebody new; 409 when their address, number or external id is known already."""
    require_live(caller)
    card = _card(caller, body)

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        return await _told(caller, session, await create(session, card, region=REGION, now=now))

    return await _once(caller, key, body, deed)


@router.patch(
    "/contacts/{contact_id}",
    response_model=ContactOut,
    responses=problems(
        "invalid", "not_found", "conflict", "idempotency_key_reused", "call_in_flight", "live_key_needed"
    ),
)
async def patch(
    caller: WritesContacts, contact_id: ContactPath, body: ContactIn, key: IdempotencyKey = None
) -> Response:
    """Change what is named; null empties it."""
    require_live(caller)
    number = caller.ids.read(Kind.CONTACT, contact_id)
    card = _card(caller, body)

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        return await _told(caller, session, await change(session, number, card, region=REGION, now=now))

    return await _once(caller, key, body, deed)


@router.get(
    "/contacts/by-external-id/{external_id}", response_model=ContactOut, responses=problems("not_found")
)
async def look_by_external_id(
    caller: ReadsContacts, external_id: ExternalPath, fields: Fields = None
) -> Response:
    """One person, by your own id."""
    async with caller.context.database.read() as session:
        contact = await contacts.find_contact(session, external_id=tidy(external_id))
        if contact is None:
            raise ApiProblemError("not_found", "No contact has this external id.")
        tags = await contacts.tags_of(session, [contact.id])
    return one_of(ContactOut.of(caller.ids, contact, tags[contact.id]), fields)


@router.get("/contacts/{contact_id}", response_model=ContactOut, responses=problems("not_found"))
async def look(caller: ReadsContacts, contact_id: ContactPath, fields: Fields = None) -> Response:
    """One person."""
    number = caller.ids.read(Kind.CONTACT, contact_id)
    async with caller.context.database.read() as session:
        contact = await contacts.get_contact(session, number)
        tags = await contacts.tags_of(session, [number])
    return one_of(ContactOut.of(caller.ids, contact, tags[number]), fields)


@router.get("/contacts", response_model=PageOut[ContactOut], responses=problems("invalid"))
async def list_contacts(
    caller: ReadsContacts,
    *,
    limit: Limit = USUAL,
    cursor: Cursor = None,
    fields: Fields = None,
    email: Annotated[Line | None, Query(max_length=320)] = None,
    phone: Annotated[Line | None, Query(max_length=40)] = None,
    external_id: Annotated[Line | None, Query(max_length=200)] = None,
    tag: Annotated[Line | None, Query(max_length=100)] = None,
    updated_since: Annotated[Moment | None, Query()] = None,
) -> Response:
    """People, in the order in which they came.

    To keep a copy: note the moment, read all pages with `updated_since` the moment of the time before.
    """
    paging = Paging(caller, limit, cursor)
    condition = wanted(
        email=_read("email", email, read_email),
        phone=_read("phone", phone, read_phone),
        external_id=None if external_id is None else tidy(external_id),
        tag=tag,
        updated_since=updated_since,
    )
    after = 0 if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await contacts.audience_batch(session, condition, after_id=after, limit=paging.wanted)
        tags = await contacts.tags_of(session, [contact.id for contact in found])

    def tell(contact: Contact) -> ContactOut:
        return ContactOut.of(caller.ids, contact, tags[contact.id])

    return paging.answer(found, lambda contact: (contact.id,), ContactOut, tell, fields)


@router.delete("/contacts/{contact_id}", status_code=204, responses=problems("not_found", "live_key_needed"))
async def erase(caller: WritesContacts, contact_id: ContactPath) -> Response:
    """Erase a person, with everything that names them; what was sent still counts, for nobody.

    A suppression outlives them by its fingerprint: whoever asked not to be written to is not, even when they
    are brought in again.
    """
    require_live(caller)
    number = caller.ids.read(Kind.CONTACT, contact_id)
    async with caller.context.database.write() as session:
        await contacts.erase(session, number)
    return Response(status_code=204)


def _card(caller: Caller, body: ContactIn, external_id: str | None = None) -> Card:
    return body.card(caller.name, external_id)


def _read(field: str, text: str | None, reader: Callable[[str], str]) -> str | None:
    if text is None:
        return None
    try:
        return reader(text)
    except BadInputError as error:
        raise ApiProblemError("invalid", str(error), [Fault(field, "invalid", str(error))]) from error


async def _once(caller: Caller, key: str | None, body: ContactIn, deed: Any) -> Response:
    """Do it; what stands in the way is told with the part concerned."""
    asked = body.model_dump(mode="json", exclude_unset=True)
    try:
        return await once(caller, key, {"method": caller.request.method, "body": asked}, deed)
    except CardError as error:
        faults = [Fault(part, "invalid", problem) for part, problem in error.parts]
        raise ApiProblemError("invalid", str(error), faults) from error
    except TakenError as error:
        # Whom it belongs to is for keys that may look people up.
        named = f" {caller.ids.write(Kind.CONTACT, error.owner_id)}" if reads(caller) else ""
        problem = f"Another contact{named} has this {error.part}."
        raise ApiProblemError("conflict", problem, [Fault(error.part, "conflict", problem)]) from error


async def _told(caller: Caller, session: AsyncSession, written: Written) -> tuple[int, str]:
    """The answer to a write: the person as they are now, or their id alone for a key that may not read."""
    contact = await contacts.get_contact(session, written.number)
    tags = await contacts.tags_of(session, [written.number])
    told = ContactOut.of(caller.ids, contact, tags[written.number], written.notes)
    shown = None if reads(caller) else {"id", "notes"}
    return 201 if written.made else 200, told.model_dump_json(include=shown)


def reads(caller: Caller) -> bool:
    """Whether the key may look people up, besides what its call itself asks for."""
    return Scope.CONTACTS_READ in caller.key.scopes
