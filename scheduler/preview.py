"""What a campaign would do, before it does it: how many people, and what one of them would read."""

import quopri
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from models.identity import Identity
from models.states import Channel, LeftOutReason, LegalBasis, Purpose
from models.values import EmailMessage
from scheduler.advertising import UNBOUND, Advertising
from scheduler.calendar import AS_INSTALLED, SendingWindows
from scheduler.choosing import NO_ADVERT, Advert, choose
from scheduler.content import Content, compile_version, people, values_for
from scheduler.letters import NOBODY, NOTICE_PATH
from scheduler.rhythm import Rhythm
from scheduler.waivers import votes_near
from store import audiences, identities, queues, templates
from store.audiences import Selection
from store.people import Person
from templates import CompiledEmail, CompiledSms
from templates.label import Label

__all__ = ["AudiencePreview", "EmailPreview", "SmsPreview", "preview_audience", "preview_message"]


STAND_IN = Identity(key="preview", name=NOBODY, organisation=NOBODY, postal_address=NOBODY)
"""Who writes while nobody has been chosen."""


@dataclass(frozen=True, slots=True)
class AudiencePreview:
    """How many a choice of segments targets, how many are left out and why, how many get a message.

    Of these, `outside_hours` have their window shut at the start and get theirs at the next opening.
    `advertising`: what the rules of political advertising say of it.
    """

    targeted: int
    left_out: Mapping[LeftOutReason, int]
    deliveries: int
    outside_hours: int = 0
    advertising: Advertising = UNBOUND

    @property
    def capped(self) -> int:
        """How many are left out because they have been written to often enough."""
        return self.left_out.get(LeftOutReason.CAPPED, 0)


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
    advert: Advert = NO_ADVERT,
) -> Selection:
    """The audience of a choice of segment numbers, as conditions."""
    chosen = await choose(
        session, include=include, exclude=exclude, channel=channel, basis=basis, now=now, advert=advert
    )
    return chosen.selection


async def preview_audience(
    session: AsyncSession,
    *,
    include: Sequence[int],
    exclude: Sequence[int],
    channel: Channel,
    basis: LegalBasis,
    now: datetime,
    rhythm: Rhythm | None = None,
    purpose: Purpose = Purpose.CAMPAIGN,
    windows: SendingWindows = AS_INSTALLED,
    campaign_id: int = 0,
    advert: Advert = NO_ADVERT,
) -> AudiencePreview:
    """What a launch at `now` would do, but for the choice of identities.

    `rhythm`: of the installation, None where nothing limits how often and when. `windows`: of the campaign.
    `campaign_id`: whose own deliveries count in nobody's limit.
    """
    chosen = await choose(
        session, include=include, exclude=exclude, channel=channel, basis=basis, now=now, advert=advert
    )
    selection = chosen.selection
    counts = await audiences.count_by_reason(session, selection, now)
    left_out = {reason: count for reason, count in counts.items() if reason is not None}
    receiving, outside = counts.get(None, 0), 0
    if rhythm is not None:
        caps = rhythm.caps(channel, purpose, now)
        hours = windows or rhythm.windows.windows_of((), channel)
        votes = await votes_near(
            session, advert.nature, purpose, campaign_id=campaign_id, at=now, rhythm=rhythm
        )
        capped = silenced = 0
        if votes or not hours.always:
            # Counts those who are left by all of it, so that the long question is asked once.
            apart = votes.apart()
            crowds = await queues.crowds(
                session, selection, now, by_place=True, campaign_id=campaign_id, caps=caps, apart=apart
            )
            capped = receiving - sum(crowd.count for crowd in crowds)
            crowds, silenced = rhythm.without_silenced(crowds, hours, votes, now)
            outside = rhythm.outside_hours(crowds, hours, now)
        elif caps:
            capped = await queues.count_capped(session, selection, now, caps=caps, campaign_id=campaign_id)
        receiving -= capped + silenced
        left_out |= {LeftOutReason.CAPPED: capped} if capped else {}
        left_out |= {LeftOutReason.ELECTION: silenced} if silenced else {}
    return AudiencePreview(sum(counts.values()), left_out, receiving, outside, chosen.advertising)


async def preview_message(
    session: AsyncSession,
    *,
    version_id: int,
    identity_id: int | None,
    contact_id: int | None,
    public_url: str,
    language: str = "fr",
    campaign_name: str = "",
    label: Label | None = None,
) -> EmailPreview | SmsPreview:
    """The message as one contact would read it; without a contact, fields lacking a fallback show a dash.

    `label`: of political advertising. Its links lead nowhere that counts: they carry no token. TemplateError
    when it cannot be rendered.
    """
    version = await templates.get_version(session, version_id)
    channel = (await templates.template_of(session, version)).channel
    compiled = compile_version(version, channel, language=language, label=label)
    content = Content(campaign_name, compiled, notice_url=f"{public_url}{NOTICE_PATH}preview")
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


async def _person(session: AsyncSession, contact_id: int | None) -> tuple[Person | None, list[str]]:
    if contact_id is None:
        return None, []
    return (await people(session, [contact_id])).get(contact_id, (None, []))


def _readable(message: EmailMessage) -> EmailPreview:
    return EmailPreview(
        subject=message.subject,
        html=message.html.decode("ascii"),
        text=quopri.decodestring(message.text).decode(),
    )
