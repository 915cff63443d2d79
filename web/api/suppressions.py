"""Addresses that are not written to any more: why, since when; add one, look one up, lift one.

The list is kept by fingerprint, so it never tells an address. Whoever may only add to it learns nothing from
it: their answers are the same whether an address was on it or not.
"""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field, model_validator
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.addresses import read_email, read_phone
from models.api import Scope
from models.errors import BadInputError, NotFoundError
from models.states import Channel, SuppressionReason
from models.suppression import Suppression, address_hash
from store import consents, suppression_pages, suppressions
from store.suppression_pages import Line as Known
from web.api.auth import Caller, may, require_live
from web.api.calls import IdempotencyKey, once
from web.api.ids import Ids, Kind
from web.api.paging import USUAL, Cursor, Fields, Limit, PageOut, Paging, Pickable
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import Given, Line, Moment, Told, problems

router = APIRouter(tags=["suppressions"])
ReadsSuppressions = Annotated[Caller, may(Scope.SUPPRESSIONS_READ)]
WritesSuppressions = Annotated[Caller, may(Scope.SUPPRESSIONS_WRITE)]
SuppressionPath = Annotated[str, Path(max_length=40, examples=["sup_abc"])]
Why = Annotated[Line, Field(min_length=1, max_length=400, examples=["asked for it by telephone"])]


class AddressIn(Given):
    """One address; the channel is its own. In a body, since addresses do not belong in logs."""

    email: Line | None = Field(default=None, max_length=320, examples=["camille@gmail.com"])
    phone: Line | None = Field(default=None, max_length=40)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.email is None) == (self.phone is None):
            raise ValueError("name exactly one of email, phone")
        return self

    def read(self) -> tuple[Channel, str]:
        """The channel and the address in its one form; ApiProblemError when it is none."""
        try:
            if self.email is not None:
                return Channel.EMAIL, read_email(self.email)
            return Channel.SMS, read_phone(self.phone or "")
        except BadInputError as error:
            part = "phone" if self.email is None else "email"
            raise ApiProblemError("invalid", str(error), [Fault(part, "invalid", str(error))]) from error


class DecisionIn(AddressIn):
    """One address, and why it is decided so: kept as the trace of the decision."""

    why: Why


class WhyIn(Given):
    """Why it is decided so."""

    why: Why


class SuppressionOut(Pickable):
    """One suppression. `contact`: whom it is about, where that is on record and the key may read people."""

    id: str = Field(examples=["sup_aeaaaaaaaaaaaaaaaaaaaaaa"])
    channel: Channel
    reason: SuppressionReason
    evidence: str
    contact: str | None
    created_at: datetime
    until: datetime | None = Field(description="null: for good.")
    lifted_at: datetime | None
    lifted_why: str | None

    @classmethod
    def of(cls, ids: Ids, row: Suppression, contact_id: int | None = None) -> "SuppressionOut":
        """As it stands."""
        return cls(
            id=ids.write(Kind.SUPPRESSION, row.id),
            channel=row.channel,
            reason=row.reason,
            evidence=row.evidence,
            contact=None if contact_id is None else ids.write(Kind.CONTACT, contact_id),
            created_at=row.created_at,
            until=row.until,
            lifted_at=row.lifted_at,
            lifted_why=row.lifted_why or None,
        )


class LookedUpOut(Told):
    """Whether an address is written to, and everything on record of it, the oldest first."""

    suppressed: bool
    history: list[SuppressionOut]


class DecidedOut(Told):
    """What was decided. `changed`, for keys that may read: whether it was not so before.

    `consent_withdrawn`, too: they withdrew their consent, which a lifted suppression does not give back.
    """

    suppressed: bool
    changed: bool | None = None
    consent_withdrawn: bool | None = None


@router.get("/suppressions", response_model=PageOut[SuppressionOut], responses=problems("invalid"))
async def list_suppressions(
    caller: ReadsSuppressions,
    *,
    limit: Limit = USUAL,
    cursor: Cursor = None,
    fields: Fields = None,
    channel: Annotated[Channel | None, Query()] = None,
    reason: Annotated[SuppressionReason | None, Query()] = None,
    since: Annotated[Moment | None, Query(description="Made since then.")] = None,
) -> Response:
    """What is in force, the last first."""
    paging = Paging(caller, limit, cursor)
    before = None if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await suppression_pages.in_force(
            session,
            caller.context.clock.now(),
            channel=channel,
            reason=reason,
            since=since,
            before_id=before,
            limit=paging.wanted,
        )
    names = Scope.CONTACTS_READ in caller.key.scopes

    def tell(line: Known) -> SuppressionOut:
        person = line.contact.id if names and line.contact is not None else None
        return SuppressionOut.of(caller.ids, line.row, person)

    return paging.answer(found, lambda line: (line.row.id,), SuppressionOut, tell, fields)


@router.post("/suppressions:look", responses=problems("invalid"))
async def look(caller: ReadsSuppressions, body: AddressIn) -> LookedUpOut:
    """Whether an address may be written to, and the history of it."""
    channel, address = body.read()
    now = caller.context.clock.now()
    async with caller.context.database.read() as session:
        history = await suppressions.history(session, channel, address_hash(channel, address))
    return LookedUpOut(
        suppressed=any(suppressions.holds(row, now) for row in history),
        history=[SuppressionOut.of(caller.ids, row) for row in history],
    )


@router.post(
    "/suppressions",
    response_model=DecidedOut,
    responses=problems("invalid", "idempotency_key_reused", "call_in_flight", "live_key_needed"),
)
async def add(caller: WritesSuppressions, body: DecisionIn, key: IdempotencyKey = None) -> Response:
    """Write to an address no more. Safe to repeat."""
    require_live(caller)
    channel, address = body.read()

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        changed = await suppressions.suppress(
            session,
            channel=channel,
            address_hash=address_hash(channel, address),
            reason=SuppressionReason.MANUAL,
            evidence=_decided(caller, body.why),
            event_id=None,
            now=now,
        )
        return 200, _told(caller, DecidedOut(suppressed=True, changed=changed))

    return await once(caller, key, body.model_dump(mode="json"), deed)


@router.post(
    "/suppressions:lift",
    response_model=DecidedOut,
    responses=problems("invalid", "idempotency_key_reused", "call_in_flight", "live_key_needed"),
)
async def lift(caller: WritesSuppressions, body: DecisionIn, key: IdempotencyKey = None) -> Response:
    """End every suppression of an address; they stay on record, with who lifted them and why."""
    require_live(caller)
    channel, address = body.read()

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        fingerprint = address_hash(channel, address)
        lifted = await suppressions.lift(
            session, channel=channel, address_hash=fingerprint, why=_decided(caller, body.why), now=now
        )
        withdrawn = await consents.has_withdrawn(session, channel, address)
        told = DecidedOut(suppressed=False, changed=lifted > 0, consent_withdrawn=withdrawn)
        return 200, _told(caller, told)

    return await once(caller, key, body.model_dump(mode="json"), deed)


@router.post(
    "/suppressions/{suppression_id}:lift", responses=problems("invalid", "not_found", "live_key_needed")
)
async def lift_one(caller: WritesSuppressions, suppression_id: SuppressionPath, body: WhyIn) -> DecidedOut:
    """End one suppression, the others of its address stay; 404 when it has ended already."""
    require_live(caller)
    number = caller.ids.read(Kind.SUPPRESSION, suppression_id)
    now = caller.context.clock.now()
    async with caller.context.database.write() as session:
        if not await suppressions.lift_row(session, number, why=_decided(caller, body.why), now=now):
            raise NotFoundError("That suppression has ended already.")
    return DecidedOut(suppressed=False, changed=True if _reads(caller) else None)


def _decided(caller: Caller, why: str) -> str:
    return f"{caller.name}: {why}"


def _reads(caller: Caller) -> bool:
    return Scope.SUPPRESSIONS_READ in caller.key.scopes


def _told(caller: Caller, decided: DecidedOut) -> str:
    shown = None if _reads(caller) else {"suppressed"}
    return decided.model_dump_json(include=shown, exclude_none=True)
