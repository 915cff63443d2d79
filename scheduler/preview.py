"""What a campaign would do, before it does it: how many people, and what one of them would read."""

import quopri
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.segments import parse_segment
from models.contact import Contact
from models.identity import Identity
from models.segment_tree import Node
from models.states import Channel, LeftOutReason, LegalBasis
from models.values import EmailMessage
from scheduler.content import NOBODY, Content, compile_version, people, values_for
from store import audiences, identities, segments, templates
from store.audiences import Selection
from templates import CompiledEmail, CompiledSms

__all__ = ["AudiencePreview", "EmailPreview", "SmsPreview", "preview_audience", "preview_message"]


STAND_IN = Identity(key="preview", name=NOBODY, organisation=NOBODY, postal_address=NOBODY)
"""Who writes while nobody has been chosen."""


@dataclass(frozen=True, slots=True)
class AudiencePreview:
    """How many a choice of segments targets, how many are left out and why, how many get a message."""

    targeted: int
    left_out: Mapping[LeftOutReason, int]
    deliveries: int


@dataclass(frozen=True, slots=True)
class EmailPreview:
    """One person's e-mail, decoded for the eye."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class SmsPreview:
    """One person's text message and its segments."""

    text: str
    segments: int


async def selection_of(
    session: AsyncSession,
    *,
    include: Sequence[int],
    exclude: Sequence[int],
    channel: Channel,
    basis: LegalBasis,
    now: datetime,
) -> Selection:
    """The audience of a choice of segment numbers, as conditions."""

    async def trees(numbers: Sequence[int]) -> list[Node]:
        return [parse_segment((await segments.get_segment(session, number)).text) for number in numbers]

    return audiences.select_people(
        include=await trees(include), exclude=await trees(exclude), channel=channel, basis=basis, now=now
    )


async def preview_audience(
    session: AsyncSession,
    *,
    include: Sequence[int],
    exclude: Sequence[int],
    channel: Channel,
    basis: LegalBasis,
    now: datetime,
) -> AudiencePreview:
    """What a launch at this moment would do, but for the choice of identities."""
    selection = await selection_of(
        session, include=include, exclude=exclude, channel=channel, basis=basis, now=now
    )
    counts = await audiences.count_by_reason(session, selection, now)
    left_out = {reason: count for reason, count in counts.items() if reason is not None}
    return AudiencePreview(sum(counts.values()), left_out, counts.get(None, 0))


async def preview_message(
    session: AsyncSession,
    *,
    version_id: int,
    identity_id: int | None,
    contact_id: int | None,
    public_url: str,
    language: str = "fr",
    campaign_name: str = "",
) -> EmailPreview | SmsPreview:
    """The message as one contact would read it; without a contact, fields lacking a fallback show a dash.

    Its links lead nowhere that counts: they carry no token. TemplateError when it cannot be rendered.
    """
    version = await templates.get_version(session, version_id)
    channel = (await templates.template_of(session, version)).channel
    content = Content(campaign_name, compile_version(version, channel, language=language))
    identity = await identities.get_identity(session, identity_id) if identity_id is not None else STAND_IN
    contact, tags = await _person(session, contact_id)
    values = values_for(contact, tags, identity, content)
    values.update(dict.fromkeys(content.compiled.missing(values), NOBODY))
    match content.compiled:
        case CompiledEmail() as email:
            message = email.render(
                values, click_base=f"{public_url}/c/preview", unsubscribe_url=f"{public_url}/u/preview"
            )
            return _readable(message)
        case CompiledSms() as sms:
            text = sms.render(values)
            return SmsPreview(text.text, text.segments)
        case _:
            assert_never(content.compiled)


async def _person(session: AsyncSession, contact_id: int | None) -> tuple[Contact | None, list[str]]:
    if contact_id is None:
        return None, []
    return (await people(session, [contact_id])).get(contact_id, (None, []))


def _readable(message: EmailMessage) -> EmailPreview:
    return EmailPreview(
        subject=message.subject,
        html=message.html.decode("ascii"),
        text=quopri.decodestring(message.text).decode(),
    )
