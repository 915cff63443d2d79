"""Messages as JSON: what is asked for, and what is told of it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, WrapValidator, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.message import Message, MessageResult
from models.states import Channel, Nature, Purpose
from scheduler.asked import Receipt
from scheduler.pricing import say_cost
from scheduler.senders import can_send
from store import campaigns, identities, templates
from store.message_status import MessageStatus, statuses_of
from web.api.faults import Unread, apart
from web.api.ids import Ids, Kind
from web.api.paging import Pickable
from web.api.schemas import Given, Line, Moment, ProblemOut, Told

NOT_LIVE: Final = "a live key would be refused."


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half a character") from error
    return text


Words = Annotated[str, AfterValidator(_storable)]
"""Text of any shape that a database can hold."""


def _read_value(given: Any, read: Callable[[Any], Any]) -> Any:
    # A union would tell what is wrong once for each of its types.
    if isinstance(given, str):
        return _storable(given)
    # NaN and Infinity, which Python reads, are no JSON; and nobody is thanked for nan euros.
    endless = isinstance(given, float) and not isfinite(given)
    if given is None or (isinstance(given, int | float) and not endless):
        return read(given)
    raise PydanticCustomError("value_type", "is no text, number, true, false or null")


Value = Annotated[Words | int | float | bool | None, WrapValidator(_read_value)]
MOST_VARIABLES, MOST_METADATA = 100, 20


class RecipientIn(Given):
    """Whom to write to: one of these. The channel is that of the address."""

    email: str | None = Field(default=None, max_length=320, examples=["camille@gmail.com"])
    phone: str | None = Field(default=None, max_length=40, examples=["+33612345678"])
    contact: str | None = Field(default=None, max_length=40, description="A contact's id.")
    external_id: Line | None = Field(default=None, max_length=200, description="A contact's id in your CRM.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.email, self.phone, self.contact, self.external_id)) != 1:
            raise ValueError("name exactly one of email, phone, contact, external_id")
        return self


class TemplateIn(Given):
    """Which template: its id, or its name, and the version; without one its newest."""

    id: Line = Field(max_length=200, examples=["Reçu de don"])
    version: int | None = Field(default=None, ge=1, le=1_000_000)


class ContentIn(Given):
    """What is said, in place of a template: an e-mail by `subject` and `html` or `mjml`, an SMS by `text`.

    Variables stand in it as in a template (`{{ first_name }}`), and its links are counted. The same content
    is kept once: hand over what differs from person to person as variables.
    """

    subject: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    html: Annotated[str, Field(min_length=1, max_length=400_000)] | None = Field(
        default=None, description="A piece of HTML, or a whole document, which keeps its head and its styles."
    )
    mjml: Annotated[str, Field(min_length=1, max_length=400_000)] | None = None
    text: Annotated[str, Field(min_length=1, max_length=400_000)] | None = Field(
        default=None, description="Of an e-mail: its text part, made from the HTML unless it is given."
    )
    nature: Nature | None = Field(
        default=None,
        description="With `purpose: campaign`: `political` (labelled, and silent before a vote), `civic` "
        "(neither), `unsaid` (silent before a vote). Unless said, what this installation says.",
    )

    @property
    def channel(self) -> Channel:
        """Of an e-mail a subject is given."""
        return Channel.SMS if self.subject is None else Channel.EMAIL

    @model_validator(mode="after")
    def _of_one_channel(self) -> Self:
        bodies = sum(body is not None for body in (self.html, self.mjml))
        if self.subject is None and (bodies or self.text is None):
            raise ValueError("an e-mail has a subject, an SMS a text alone")
        if self.subject is not None and bodies != 1:
            raise ValueError("name exactly one of html and mjml")
        return self


class MessageIn(Given):
    """One message to one person, said by a `template` or as `content`."""

    to: RecipientIn
    template: TemplateIn | None = None
    content: ContentIn | None = None
    identity: Line = Field(
        default="auto",
        max_length=60,
        description="The id or the key of the identity that writes; `auto`: whoever speaks for where the "
        "person lives.",
    )
    variables: dict[Annotated[Words, Field(max_length=100)], Value] = Field(
        default_factory=dict,
        max_length=MOST_VARIABLES,
        examples=[{"first_name": "Camille", "amount": "20 €"}],
    )
    purpose: Purpose = Field(
        default=Purpose.TRANSACTIONAL,
        description="`transactional`: something the person awaits, such as a receipt; `campaign`: everything "
        "else, for which they must have agreed.",
    )
    send_at: Moment | None = None
    expires_at: Moment | None = Field(default=None, description="Past it nothing leaves, retries included.")
    respect_quiet_hours: bool | None = Field(
        default=None,
        description="Wait for the hours in which messages may arrive. Unless said otherwise: for campaigns.",
    )
    metadata: dict[Annotated[Words, Field(max_length=40)], Annotated[Words, Field(max_length=500)]] = Field(
        default_factory=dict, max_length=MOST_METADATA
    )
    reference: Line = Field(
        default="", max_length=200, description="Your own name for it, not necessarily unique."
    )

    @model_validator(mode="after")
    def _says_something_once(self) -> Self:
        if (self.template is None) == (self.content is None):
            raise ValueError("name exactly one of template and content")
        return self


class BatchIn(Given):
    """Up to 500 messages."""

    messages: list[Annotated[MessageIn | SkipJsonSchema[Unread], apart(MessageIn)]] = Field(
        min_length=1, max_length=500
    )


class IdentityRef(Told):
    """Who writes."""

    id: str
    key: str


class TemplateRef(Told):
    """What is said."""

    id: str
    name: str
    version: int


class LinksOut(Told):
    """Where to go on."""

    self: str
    events: str


class MessageOut(Told):
    """A message that is on record. `reason`: why it is suppressed, or what its last refusal said."""

    id: str = Field(examples=["msg_aeaaaaaaaaaaaaaaaaaaaaaa"])
    status: MessageStatus
    reason: str | None = None
    channel: Channel
    to: str = Field(
        description="The address. Of a contact named by `contact` or `external_id` a key without "
        "`contacts:read` is told its first letter and its domain, or its last two digits.",
    )
    test: bool
    purpose: Purpose
    identity: IdentityRef
    template: TemplateRef
    segments: int | None = None
    estimated_cost: str | None = Field(
        default=None,
        description="In the currency of this installation, where it knows a price.",
        examples=["0.0491"],
    )
    reference: str | None = None
    metadata: dict[str, str] | None = None
    send_at: datetime
    created_at: datetime | None = None
    notes: list[str] | None = Field(
        default=None,
        description="In answers to tests alone: what a live key would not have been granted.",
        examples=[[f"The identity “national” cannot send at present: {NOT_LIVE}"]],
    )
    links: LinksOut

    @classmethod
    async def all_of(
        cls,
        session: AsyncSession,
        ids: Ids,
        rows: Sequence[tuple[Message, Delivery | None]],
        base: str,
        *,
        knows_people: bool,
    ) -> "list[Self]":
        """Messages as they stand, in their order; `knows_people`: the caller may read people's data."""
        standing = await statuses_of(session, rows)
        found = [
            await cls._of(session, ids, message, told, base)
            for (message, _), told in zip(rows, standing, strict=True)
        ]
        for one, (message, _) in zip(found, rows, strict=True):
            one.to = shown(one.to, message.channel, whole=knows_people or message.address_given)
        return found

    @classmethod
    async def _of(
        cls, session: AsyncSession, ids: Ids, message: Message, told: tuple[MessageStatus, str], base: str
    ) -> Self:
        # What many messages have in common is read once: the session knows it by its number.
        stream = await campaigns.get_campaign(session, message.campaign_id)
        version = await templates.get_version(session, stream.template_version_id)
        template = await templates.template_of(session, version)
        identity = await identities.get_identity(session, message.identity_id)
        status, reason = told
        return cls(
            id=ids.write(Kind.MESSAGE, message.id),
            status=status,
            reason=reason or None,
            channel=message.channel,
            to=message.address,
            test=stream.test,
            purpose=message.purpose,
            identity=IdentityRef(id=ids.write(Kind.IDENTITY, identity.id), key=identity.key),
            template=TemplateRef(
                id=ids.write(Kind.TEMPLATE, template.id), name=template.name, version=version.number
            ),
            segments=message.segments,
            estimated_cost=say_cost(message.cost),
            reference=message.reference or None,
            metadata=message.details or None,
            send_at=message.send_at,
            created_at=message.created_at,
            links=_links(ids, message.id, base),
        )


class MessageRow(MessageOut, Pickable):
    """A message in a list, of which some parts may be asked for."""


class ResultOut(Told):
    """What came of one message of a batch: `message` where it is on record, else the `problem`."""

    status: Literal[202, 403, 404, 409, 422]
    message: MessageOut | None = None
    problem: ProblemOut | None = None


class BatchOut(Told):
    """One result a message, in the order in which they were sent."""

    accepted: int
    refused: int
    results: list[ResultOut]


def shown(address: str, channel: Channel, *, whole: bool) -> str:
    """An address as it is told; of somebody's whom the caller only named, what tells it apart."""
    if whole or not address:
        return address
    if channel is Channel.SMS:
        return f"{address[:3]}…{address[-2:]}"
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def told_of(ids: Ids, receipt: Receipt, base: str, *, knows_people: bool) -> MessageOut:
    """A message right after it was taken on."""
    wish, form = receipt.wish, receipt.form
    suppressed = receipt.result is MessageResult.SUPPRESSED
    status = MessageStatus.SCHEDULED if receipt.later else MessageStatus.ACCEPTED
    return MessageOut(
        id=ids.write(Kind.MESSAGE, receipt.number),
        status=MessageStatus.SUPPRESSED if suppressed else status,
        reason=receipt.reason or None,
        channel=wish.channel,
        to=shown(wish.address, wish.channel, whole=knows_people or wish.contact_id is None),
        test=receipt.test,
        purpose=wish.purpose,
        identity=IdentityRef(id=ids.write(Kind.IDENTITY, receipt.identity.id), key=receipt.identity.key),
        template=TemplateRef(
            id=ids.write(Kind.TEMPLATE, form.template_id), name=form.name, version=form.number
        ),
        segments=receipt.segments,
        estimated_cost=say_cost(receipt.cost),
        reference=wish.reference or None,
        metadata=dict(wish.details) or None,
        send_at=receipt.send_at,
        notes=_notes(receipt),
        links=_links(ids, receipt.number, base),
    )


def _notes(receipt: Receipt) -> list[str] | None:
    identity = receipt.identity
    if not receipt.test or can_send(identity, receipt.wish.channel):
        return None
    return [f"The identity “{identity.key}” cannot send at present: {NOT_LIVE}"]


def _links(ids: Ids, number: int, base: str) -> LinksOut:
    own = f"{base}/messages/{ids.write(Kind.MESSAGE, number)}"
    return LinksOut(self=own, events=f"{own}/events")
