"""The very message a campaign would send, written by the same pen, and read back as a receiver reads it.

It is written to one real person of the audience, with tokens of delivery number nought, which there never
is: whoever came by them could do nothing with them.
"""

import email
import email.policy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage

from audience.fields import contact_values
from models.contact import Contact
from models.identity import Identity
from models.states import Channel
from models.values import EmailEnvelope
from scheduler.content import Content, values_for
from scheduler.letters import GIVEN, NOBODY, Addresses, Letter, Work
from scheduler.post import Desk
from scheduler.preflight.examined import Link, Mail, Text
from templates import CompiledEmail, CompiledSms, render_target
from templates.label import NOTICE_FIELD
from templates.page import read_page
from templates.sms import measure, offending, to_gsm

NO_DELIVERY = 0
EXAMPLE_ADDRESS = "someone@example.org"
EXAMPLE = "Maximilienne"
"""What stands for a value while there is no audience: as long as names get."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One person of the audience; without a contact an example."""

    contact: Contact | None = None
    tags: Sequence[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the person is called."""
        if self.contact is None:
            return ()
        return tuple(name for name in (self.contact.first_name, self.contact.last_name) if name)


@dataclass(frozen=True, slots=True)
class Page:
    """What is written, by whom, to whom. `readers`: the people looked at, the first of whom reads it."""

    content: Content
    fallbacks: Mapping[str, str]
    identity: Identity
    readers: Sequence[Reader]
    addresses: Addresses
    now: datetime
    campaign_id: int = 0
    language: str = field(default="fr")


def write_mail(page: Page, compiled: CompiledEmail, desk: Desk) -> Mail | str:
    """The e-mail as it would leave; or why it cannot be written."""
    reader = page.readers[0]
    values = _whole(page, compiled, _values(page, compiled, reader))
    address = (reader.contact.email if reader.contact else None) or EXAMPLE_ADDRESS
    letter = Letter(NO_DELIVERY, page.campaign_id, Channel.EMAIL, address, None, values)
    work = Work(
        desk.pen, {page.campaign_id: (page.content.campaign_name, compiled)}, page.addresses, page.now
    )
    written = work.write_all([letter])
    envelope = written.envelopes.get(NO_DELIVERY)
    if not isinstance(envelope, EmailEnvelope):
        return written.unwritten.get(NO_DELIVERY, "")
    return _read(page, compiled, bytes(envelope.data), values, reader)


def write_text(page: Page, compiled: CompiledSms) -> Text:
    """The text message of the person with the longest values."""
    text = compiled.render(_worst(page, compiled)).text
    return Text(text, measure(text), offending(text), measure(to_gsm(text)))


def _read(page: Page, compiled: CompiledEmail, raw: bytes, values: Mapping[str, str], reader: Reader) -> Mail:
    parsed = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
    html = _part(parsed, "html")
    shown = read_page(html)
    its = page.addresses.of_email(NO_DELIVERY, "")
    worst = compiled.render(
        _worst(page, compiled), click_base=its.click_base, unsubscribe_url=its.unsubscribe
    )

    def resolve(href: str, text: str) -> Link:
        base, _, number = href.rpartition("/")
        if base == its.click_base and number.isdecimal() and int(number) < len(compiled.links):
            return Link(render_target(compiled.links[int(number)], values, page.fallbacks), text)
        return Link(href, text, tracked=False)

    return Mail(
        raw=raw,
        parsed=parsed,
        html=html,
        text=_part(parsed, "plain"),
        links=[resolve(href, text) for href, text in shown.links],
        words="".join(shown.text),
        images=shown.images,
        without_alt=shown.without_alt,
        largest=len(worst.html),
        unsubscribe_url=its.unsubscribe,
        reader=reader.names,
    )


def _part(parsed: EmailMessage, kind: str) -> str:
    body = parsed.get_body((kind,))
    return "" if body is None else str(body.get_content())


def _values(page: Page, compiled: CompiledEmail | CompiledSms, reader: Reader) -> dict[str, str]:
    """What one person's message says of that person."""
    if reader.contact is not None:
        return contact_values(reader.contact, reader.tags)
    own = compiled.fields - GIVEN
    return {name: page.fallbacks.get(name) or EXAMPLE for name in own} | (
        {"email": EXAMPLE_ADDRESS} if "email" in own else {}
    )


def _whole(page: Page, compiled: CompiledEmail | CompiledSms, values: Mapping[str, str]) -> dict[str, str]:
    """The values with the sender's, and a dash for what would be blank: another check tells that."""
    whole = {**values_for(None, (), page.identity, page.content), **values}
    given = values_for(None, (), page.identity, Content(page.content.campaign_name, compiled))
    whole |= {name: given[name] for name in GIVEN if name in given}
    whole[NOTICE_FIELD] = page.addresses.notice(page.campaign_id)
    whole |= dict.fromkeys(compiled.missing(whole), NOBODY)
    return whole


def _worst(page: Page, compiled: CompiledEmail | CompiledSms) -> dict[str, str]:
    """Of each field the longest value among the people looked at."""
    longest: dict[str, str] = {}
    for reader in page.readers:
        for name, value in _values(page, compiled, reader).items():
            if name in compiled.fields and len(value.encode()) > len(longest.get(name, "").encode()):
                longest[name] = value
    return _whole(page, compiled, longest)
