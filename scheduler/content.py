"""A campaign's message, compiled once, and what one person reads of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.fields import contact_values
from models.campaign import Campaign
from models.contact import Contact
from models.identity import Identity
from models.states import Channel, Nature, Purpose
from models.template import TemplateVersion
from scheduler.advertising import Advertising
from scheduler.calendar import AT_ANY_TIME, SendingWindows, UsualWindows
from scheduler.choosing import choose_for
from scheduler.letters import NOBODY, Wording, sender_values
from store import campaigns, contacts
from store import templates as template_rows
from store.people import Person, read_people
from templates import CompiledEmail, CompiledSms
from templates.label import NOTICE_FIELD, Label

ANY_TIME = UsualWindows(email=AT_ANY_TIME, sms=AT_ANY_TIME)


@dataclass(frozen=True, slots=True)
class Content:
    """What a campaign says, ready to be personalised, and at which hours it may arrive.

    `wording`: what it was compiled from, for who has to compile it elsewhere. `notice_url`: the address of
    its transparency notice, where somebody looks at it before it is sent. `by_data`: it is chosen for people
    by what is known of them, which they must agree to. `alone`: another sender's is another.
    """

    campaign_name: str
    compiled: CompiledEmail | CompiledSms
    windows: SendingWindows = AT_ANY_TIME
    wording: Wording | None = None
    notice_url: str = NOBODY
    by_data: bool = False
    alone: bool = False

    @property
    def tagged(self) -> bool:
        """Whether it names people's tags."""
        return "tags" in self.compiled.fields

    @property
    def links(self) -> tuple[str, ...]:
        """Where its numbered links lead; none in a text message."""
        return self.compiled.links if isinstance(self.compiled, CompiledEmail) else ()


def wording_of(
    version: TemplateVersion,
    channel: Channel,
    *,
    language: str,
    name: str = "",
    label: Label | None = None,
) -> Wording:
    """What a template version says, in the campaign called `name`; `label`: of political advertising."""
    return Wording(
        campaign_name=name,
        channel=channel,
        subject=version.subject,
        preheader=version.preheader,
        body=version.body,
        fallbacks=dict(version.fallbacks),
        language=language,
        label=label,
        text=version.text,
    )


def compile_version(
    version: TemplateVersion, channel: Channel, *, language: str, label: Label | None = None
) -> CompiledEmail | CompiledSms:
    """The template version in its compiled form; TemplateError when it cannot be."""
    return wording_of(version, channel, language=language, label=label).compile()


def label_with(advertising: Advertising, *, sponsor: str, vote: str) -> Label | None:
    """The label of what is `advertising`; None of what the rules do not bind."""
    return Label(sponsor, vote, advertising.targeted) if advertising.bound else None


async def label_of(session: AsyncSession, campaign: Campaign, *, sender: int | None = None) -> Label | None:
    """The label of a campaign, or of what this identity sends of it; None unless it is political advertising.

    One that chooses by place says so, too, where that needs nobody's consent: it is a choice all the same.
    """
    if campaign.nature is not Nature.POLITICAL:
        return None
    chosen = await choose_for(session, campaign, campaign.updated_at, sender=sender)
    return label_with(chosen.advertising, sponsor=campaign.sponsor, vote=campaign.vote)


async def content_of(
    session: AsyncSession,
    campaign_id: int,
    *,
    language: str,
    windows: UsualWindows | None = None,
    place_is_free: bool = False,
    sender: int | None = None,
) -> Content:
    """The compiled content of a campaign; TemplateError when it cannot be compiled.

    `windows`: the hours of campaigns that have none of their own; None: any time. `place_is_free`: as in
    `scheduler.rhythm.Rhythm`. `sender`: the identity that writes. Of what programs ask for, which anybody may
    send at any time, each is labelled by itself.
    """
    campaign = await campaigns.get_campaign(session, campaign_id)
    version = await template_rows.get_version(session, campaign.template_version_id)
    single = sender if campaign.stream_key is not None else None
    label = await label_of(session, campaign, sender=single)
    wording = wording_of(version, campaign.channel, language=language, name=campaign.name, label=label)
    # Tens of milliseconds of pure arithmetic: not on the loop that others send from.
    compiled = await asyncio.to_thread(wording.compile)
    usual = windows or ANY_TIME
    # A receipt or a password is awaited: only hours that were set for it hold it back.
    own = usual if campaign.purpose is Purpose.CAMPAIGN else ANY_TIME
    by_data = label is not None and label.targeted
    if by_data and place_is_free:
        chosen = await choose_for(session, campaign, campaign.updated_at, place_is_free=True, sender=single)
        by_data = chosen.advertising.targeted
    hours = own.windows_of(campaign.windows, campaign.channel)
    alone = single is not None and label is not None
    return Content(campaign.name, compiled, hours, wording, by_data=by_data, alone=alone)


def values_for(
    contact: Contact | Person | None, tags: Sequence[str], identity: Identity, content: Content
) -> dict[str, str]:
    """The merge fields of one person, the sender's and the campaign's.

    Without a contact, for a seed or a preview, what has no fallback shows a dash: seeds must receive what
    people receive, and they have no first name.
    """
    person = {} if contact is None else contact_values(contact, tags)
    values = {**person, **sender_values(identity), "campaign_name": content.campaign_name}
    values[NOTICE_FIELD] = content.notice_url
    if contact is None:
        values.update(dict.fromkeys(content.compiled.missing(values), NOBODY))
    return values


async def people(
    session: AsyncSession, contact_ids: Sequence[int], *, tagged: bool = True
) -> dict[int, tuple[Person, list[str]]]:
    """Contacts by number, each with the labels of its tags if they are wanted; who is gone is missing."""
    tags = await contacts.tags_of(session, contact_ids) if tagged else {}
    found = await read_people(session, contact_ids)
    return {number: (person, tags.get(number, [])) for number, person in found.items()}
