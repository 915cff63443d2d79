"""From the JSON of a message to a wish: names become numbers, addresses get their normal form."""

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.addresses import AddressError, read_email, read_phone
from models.errors import NotFoundError
from models.magic import NUMBERS
from models.states import Channel, Purpose
from models.template import Template, TemplateVersion
from scheduler.asked import Wish
from store import contacts, identities, templates
from web.api.auth import Caller
from web.api.contents import tells_stop, version_of_content
from web.api.faults import Unread
from web.api.ids import Kind
from web.api.message_schemas import MessageIn, RecipientIn, TemplateIn, Value
from web.api.names import names_of
from web.api.problems import ApiProblemError, Fault

AUTO = "auto"


async def read_wish(caller: Caller, body: MessageIn | Unread, place: str) -> Wish:
    """The wish; ApiProblemError that names the part, whose path begins with `place`."""
    if isinstance(body, Unread):
        raise body.problem(place)
    version_id, channel = await _said(caller, body, place)
    contact_id, address = await _recipient_of(caller, body.to, channel, f"{place}to")
    campaign = body.purpose is Purpose.CAMPAIGN
    heed = campaign if body.respect_quiet_hours is None else body.respect_quiet_hours
    return Wish(
        version_id=version_id,
        channel=channel,
        address=address,
        contact_id=contact_id,
        identity_id=await _identity_of(caller, body.identity, f"{place}identity"),
        variables={name: _text(value) for name, value in body.variables.items() if value is not None},
        purpose=body.purpose,
        send_at=body.send_at,
        expires_at=body.expires_at,
        heed_hours=heed,
        reference=body.reference,
        details=body.metadata,
    )


def _text(value: Value) -> str:
    if isinstance(value, bool):
        # As conditions of templates read it: blank is false.
        return "1" if value else ""
    return str(value)


async def _said(caller: Caller, body: MessageIn, place: str) -> tuple[int, Channel]:
    """The number of the version that says it, and its channel."""
    if body.content is not None:
        nature = (body.content.nature or caller.context.nature) if body.purpose is Purpose.CAMPAIGN else None
        version_id = await version_of_content(caller, body.content, f"{place}content", nature)
        channel, text = body.content.channel, body.content.text or ""
    elif body.template is not None:
        template, version = await _version_of(caller, body.template, f"{place}template")
        version_id, channel, text = version.id, template.channel, version.body
        if version.nature is None and body.purpose is Purpose.CAMPAIGN:
            await _say_nature(caller, version)
    else:
        raise AssertionError("a message says something")
    if body.purpose is Purpose.CAMPAIGN and channel is Channel.SMS and not tells_stop(text):
        problem = "An SMS of a campaign says how to stop them: “STOP au …”."
        raise _fault("no_way_to_leave", problem, f"{place}{'content.text' if body.content else 'template'}")
    return version_id, channel


async def _say_nature(caller: Caller, version: TemplateVersion) -> None:
    """What nobody said of a version the installation says, from its first message of a campaign on."""
    async with caller.context.database.write() as session:
        await templates.say_nature(session, version.id, caller.context.nature)
    version.nature = caller.context.nature


async def _version_of(caller: Caller, wanted: TemplateIn, field: str) -> tuple[Template, TemplateVersion]:
    """`version_named`, remembered for a moment."""

    async def ask() -> tuple[Template, TemplateVersion]:
        async with caller.context.database.read() as session:
            return await version_named(caller, session, wanted, field)

    found = await names_of(caller.request).get(("template", wanted.id, wanted.version), ask)
    if found is None:
        raise AssertionError("a template that is not there is a problem")
    return found


async def version_named(
    caller: Caller, session: AsyncSession, wanted: TemplateIn, field: str
) -> tuple[Template, TemplateVersion]:
    """The version of the template of that id or name; ApiProblemError when there is none."""
    if wanted.id.startswith(f"{Kind.TEMPLATE}_"):
        number = _number(caller, Kind.TEMPLATE, wanted.id, field)
        found = await templates.find(session, number, wanted.version)
    else:
        found = await templates.find_named(session, wanted.id, wanted.version)
    if found is None:
        what = f"“{wanted.id}”" if wanted.version is None else f"“{wanted.id}” in version {wanted.version}"
        raise _fault("not_found", f"There is no template {what}.", field)
    return found


async def template_named(caller: Caller, session: AsyncSession, wanted: str, field: str) -> Template:
    """The template of that id or name; ApiProblemError when there is none."""
    return (await version_named(caller, session, TemplateIn(id=wanted), field))[0]


async def _recipient_of(
    caller: Caller, to: RecipientIn, channel: Channel, field: str
) -> tuple[int | None, str]:
    """The contact's number, or the address."""
    if to.contact is not None:
        return _number(caller, Kind.CONTACT, to.contact, f"{field}.contact"), ""
    if to.external_id is not None:
        async with caller.context.database.read() as session:
            contact = await contacts.find_contact(session, external_id=to.external_id)
        if contact is None:
            problem = f"No contact has the external id “{to.external_id}”."
            raise _fault("not_found", problem, f"{field}.external_id")
        return contact.id, ""
    given = Channel.EMAIL if to.email is not None else Channel.SMS
    if given is not channel:
        problem = f"The template is for {channel.value}, the address is not."
        raise _fault("channel_mismatch", problem, field)
    try:
        if to.email is not None:
            return None, read_email(to.email)
        phone = (to.phone or "").replace(" ", "")
        return None, phone if phone in NUMBERS else read_phone(phone)
    except AddressError as error:
        name = "email" if to.email is not None else "phone"
        raise _fault("invalid", str(error), f"{field}.{name}") from error


async def _identity_of(caller: Caller, wanted: str, field: str) -> int | None:
    if wanted == AUTO:
        return None
    if wanted.startswith(f"{Kind.IDENTITY}_"):
        return _number(caller, Kind.IDENTITY, wanted, field)

    async def ask() -> int | None:
        async with caller.context.database.read() as session:
            identity = await identities.find_identity(session, wanted)
        return None if identity is None else identity.id

    found = await names_of(caller.request).get(("identity", wanted), ask)
    if found is None:
        raise _fault("not_found", f"There is no identity “{wanted}”.", field)
    return found


def _number(caller: Caller, kind: Kind, text: str, field: str) -> int:
    """What stands behind an id; one that is not ours is the fault of its field, and of no other message."""
    try:
        return caller.ids.read(kind, text)
    except NotFoundError as error:
        raise _fault("not_found", str(error), field) from error


def _fault(code: str, problem: str, field: str) -> ApiProblemError:
    return ApiProblemError(code, problem, [Fault(field, code, problem)])
