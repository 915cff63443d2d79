"""A campaign's message, compiled once, and what one person reads of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.fields import contact_values
from models.contact import Contact
from models.identity import Identity
from models.states import Channel, Purpose
from models.template import TemplateVersion
from models.tokens import TokenPurpose, Tokens
from scheduler.calendar import AT_ANY_TIME, SendingWindows, UsualWindows
from store import campaigns, contacts
from store import templates as template_rows
from store.people import Person, read_people
from templates import CompiledEmail, CompiledSms, compile_email, compile_sms

ANY_TIME = UsualWindows(email=AT_ANY_TIME, sms=AT_ANY_TIME)
NOBODY = "—"
"""Stands in a seed's message where a person's first name would be."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a campaign says, ready to be personalised, and at which hours it may arrive."""

    campaign_name: str
    compiled: CompiledEmail | CompiledSms
    windows: SendingWindows = AT_ANY_TIME

    @property
    def tagged(self) -> bool:
        """Whether it names people's tags."""
        return "tags" in self.compiled.fields

    @property
    def links(self) -> tuple[str, ...]:
        """Where its numbered links lead; none in a text message."""
        return self.compiled.links if isinstance(self.compiled, CompiledEmail) else ()


def compile_version(
    version: TemplateVersion, channel: Channel, *, language: str
) -> CompiledEmail | CompiledSms:
    """The template version in its compiled form; TemplateError when it cannot be."""
    match channel:
        case Channel.EMAIL:
            return compile_email(
                subject=version.subject,
                preheader=version.preheader,
                mjml=version.body,
                fallbacks=version.fallbacks,
                language=language,
            )
        case Channel.SMS:
            return compile_sms(body=version.body, fallbacks=version.fallbacks)
        case _:
            assert_never(channel)


async def content_of(
    session: AsyncSession, campaign_id: int, *, language: str, windows: UsualWindows | None = None
) -> Content:
    """The compiled content of a campaign; TemplateError when it cannot be compiled.

    `windows`: the hours of campaigns that have none of their own; None: any time.
    """
    campaign = await campaigns.get_campaign(session, campaign_id)
    version = await template_rows.get_version(session, campaign.template_version_id)
    # Tens of milliseconds of pure arithmetic: not on the loop that others send from.
    compiled = await asyncio.to_thread(compile_version, version, campaign.channel, language=language)
    usual = windows or ANY_TIME
    # A receipt or a password is awaited: only hours that were set for it hold it back.
    own = usual if campaign.purpose is Purpose.CAMPAIGN else ANY_TIME
    return Content(campaign.name, compiled, own.windows_of(campaign.windows, campaign.channel))


def values_for(
    contact: Contact | Person | None, tags: Sequence[str], identity: Identity, content: Content
) -> dict[str, str]:
    """The merge fields of one person, the sender's and the campaign's.

    Without a contact, for a seed or a preview, what has no fallback shows a dash: seeds must receive what
    people receive, and they have no first name.
    """
    person = {} if contact is None else contact_values(contact, tags)
    values = {**person, **sender_values(identity), "campaign_name": content.campaign_name}
    if contact is None:
        values.update(dict.fromkeys(content.compiled.missing(values), NOBODY))
    return values


def sender_values(identity: Identity) -> Mapping[str, str]:
    """The merge fields that say who writes."""
    return {
        "sender_name": identity.name,
        "organisation": identity.organisation or identity.name,
        "postal_address": identity.postal_address,
    }


class EmailAddresses(NamedTuple):
    """The tokens of one e-mail, each where it stands.

    `click_base`: the number of a link is appended to it. `unsubscribe`: the page, and the target of the
    one-click POST (RFC 8058). `return_path`: bounces come back to it, and none can be forged. `token` names
    the delivery in Message-ID and in our own headers.
    """

    click_base: str
    unsubscribe: str
    return_path: str
    token: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """The signed web addresses and mail headers' tokens of deliveries."""

    tokens: Tokens
    public_url: str

    def of_email(self, delivery_id: int, domain: str) -> "EmailAddresses":
        """Everything of one e-mail that holds a token; bounces come back to `domain`."""
        tokens = self.tokens.make_all(delivery_id)
        return EmailAddresses(
            click_base=f"{self.public_url}/c/{tokens.visit}",
            unsubscribe=f"{self.public_url}/u/{tokens.leave}",
            return_path=f"b+{tokens.bounce}@{domain}",
            token=tokens.message,
        )

    def sms_status(self, delivery_id: int) -> str:
        """Where the provider reports what became of a text message."""
        return f"{self.public_url}/hooks/twilio/status?d={self.message_token(delivery_id)}"

    def message_token(self, delivery_id: int) -> str:
        """What names the delivery in Message-ID and in our own headers."""
        return self.tokens.make(TokenPurpose.MESSAGE, delivery_id)


async def people(
    session: AsyncSession, contact_ids: Sequence[int], *, tagged: bool = True
) -> dict[int, tuple[Person, list[str]]]:
    """Contacts by number, each with the labels of its tags if they are wanted; who is gone is missing."""
    tags = await contacts.tags_of(session, contact_ids) if tagged else {}
    found = await read_people(session, contact_ids)
    return {number: (person, tags.get(number, [])) for number, person in found.items()}
