"""From what is known of one delivery to its envelope: render, address, build, sign.

No database, no mapped rows, nothing that belongs to one process: what a `Letter` says can be carried to a
scribe (`scheduler.scribes`), and is written there exactly as it would be here.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from models.errors import BadInputError, TocsinError
from models.signing import EmailSender
from models.states import Channel
from models.tokens import TokenPurpose, Tokens
from models.values import Envelope, SmsEnvelope
from sender import EmailBuilder
from sender.relays import ProviderRelay
from templates import CompiledEmail, CompiledSms, compile_email, compile_sms
from templates.label import NOTICE_FIELD, Label

if TYPE_CHECKING:
    from models.identity import Identity

log = logging.getLogger(__name__)

LONGEST_VALIDITY = timedelta(seconds=36_000)  # Twilio's ValidityPeriod
SENDER_ID = "tocsin"  # Feedback-ID wants 5 to 15 characters that never change
NOBODY = "—"
"""Stands in a seed's message where a person's first name would be."""
NOTICE_PATH: Final = "/notice/"
GIVEN: Final = frozenset(
    {"campaign_name", "unsubscribe_url", NOTICE_FIELD, "sender_name", "organisation", "postal_address"}
)
"""Merge fields that do not come from the person."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a campaign says, before it is compiled; `label`: of what is political advertising.

    `text`: the text part, where it is not made from the HTML.
    """

    campaign_name: str
    channel: Channel
    subject: str
    preheader: str
    body: str
    fallbacks: Mapping[str, str]
    language: str
    label: Label | None = None
    text: str = ""

    def compile(self) -> CompiledEmail | CompiledSms:
        """Ready to be rendered; TemplateError when it cannot be."""
        match self.channel:
            case Channel.EMAIL:
                return compile_email(
                    subject=self.subject,
                    preheader=self.preheader,
                    mjml=self.body,
                    fallbacks=self.fallbacks,
                    language=self.language,
                    label=self.label,
                    text=self.text,
                )
            case Channel.SMS:
                return compile_sms(body=self.body, fallbacks=self.fallbacks)
            case _:
                assert_never(self.channel)


class Letter(NamedTuple):
    """What one delivery asks for.

    `values`: what the message says of its person, by merge field; None for a seed, who is nobody.
    """

    id: int
    campaign_id: int
    channel: Channel
    address: str
    not_after: datetime | None
    values: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What an identity puts on everything it writes; `values`: the merge fields that say who writes.

    `domain` is that of its signature, None when it has no e-mail address; bounces come back to
    `bounce_domain`.
    """

    key: str
    domain: str | None
    bounce_domain: str
    sms_sender: str
    values: Mapping[str, str]


def letterhead_of(identity: "Identity") -> Letterhead:
    """The letterhead of an identity."""
    domain = identity.dkim_domain or (identity.from_email or "").rpartition("@")[2]
    return Letterhead(
        key=identity.key,
        domain=domain if identity.from_email is not None else None,
        bounce_domain=identity.return_path_domain or domain,
        sms_sender=identity.sms_sender or "",
        values=sender_values(identity),
    )


def sender_values(identity: "Identity") -> Mapping[str, str]:
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
    """The signed web addresses and mail headers' tokens of deliveries.

    `relay`: the provider that is told the token in its own way, too; None when the relay is nobody's.
    """

    tokens: Tokens
    public_url: str
    relay: ProviderRelay | None = None

    def of_email(self, delivery_id: int, domain: str) -> EmailAddresses:
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

    def notice(self, campaign_id: int) -> str:
        """Where it stands who paid for a campaign, and whom it was meant for."""
        return notice_address(self.tokens, self.public_url, campaign_id)

    def message_token(self, delivery_id: int) -> str:
        """What names the delivery in Message-ID and in our own headers."""
        return self.tokens.make(TokenPurpose.MESSAGE, delivery_id)


def notice_address(tokens: Tokens, public_url: str, campaign_id: int) -> str:
    """The address of a campaign's transparency notice: the same for ever, and for everybody."""
    return f"{public_url}{NOTICE_PATH}{tokens.make(TokenPurpose.NOTICE, campaign_id)}"


@dataclass(frozen=True, slots=True)
class Pen:
    """What one identity writes with; `sender` and `builder` are for e-mail."""

    letterhead: Letterhead
    sender: EmailSender | None
    builder: EmailBuilder | None

    @classmethod
    def of(cls, letterhead: Letterhead, sender: EmailSender | None) -> "Pen":
        """SigningKeyError or MessageError when the sender cannot sign, or be written at all."""
        return cls(letterhead, sender, None if sender is None else EmailBuilder(sender))


class Written(NamedTuple):
    """What has become of letters, by number: envelopes, and why others could not be written."""

    envelopes: dict[int, Envelope]
    unwritten: dict[int, str]


@dataclass(frozen=True, slots=True)
class Work:
    """Letters of one identity to be written at once; `contents`: name and message of each campaign."""

    pen: Pen
    contents: Mapping[int, tuple[str, CompiledEmail | CompiledSms]]
    addresses: Addresses
    now: datetime

    def write_all(self, letters: Sequence[Letter]) -> Written:
        """Write each; one that cannot be must not keep the others."""
        written = Written({}, {})
        given: dict[int, dict[str, str]] = {}
        for letter in letters:
            name, compiled = self.contents[letter.campaign_id]
            own = given.get(letter.campaign_id)
            if own is None:
                own = given[letter.campaign_id] = {
                    **self.pen.letterhead.values,
                    "campaign_name": name,
                    NOTICE_FIELD: self.addresses.notice(letter.campaign_id),
                }
            try:
                written.envelopes[letter.id] = self._write(letter, compiled, own)
            except TocsinError as error:
                written.unwritten[letter.id] = str(error)
            except Exception as error:  # one message must not hold up its lane for ever
                log.exception("message not written", extra={"delivery_id": letter.id})
                reason = f"the message cannot be written: {type(error).__name__}"
                written.unwritten[letter.id] = reason
        return written

    def _write(
        self, letter: Letter, compiled: CompiledEmail | CompiledSms, given: Mapping[str, str]
    ) -> Envelope:
        if letter.values is None:
            values = {**given}
            values.update(dict.fromkeys(compiled.missing(values), NOBODY))
        else:
            values = {**letter.values, **given}
        match compiled:
            case CompiledEmail():
                return self._write_email(letter, compiled, values)
            case CompiledSms():
                return SmsEnvelope(
                    sender=self.pen.letterhead.sms_sender,
                    recipient=letter.address,
                    text=compiled.render(values).text,
                    status_callback=self.addresses.sms_status(letter.id),
                    validity=_validity(letter, self.now),
                )
            case _:
                assert_never(compiled)

    def _write_email(self, letter: Letter, compiled: CompiledEmail, values: Mapping[str, str]) -> Envelope:
        head, builder = self.pen.letterhead, self.pen.builder
        if builder is None or head.domain is None:
            raise BadInputError(
                f"The identity {head.key!r} has no e-mail address.", "It had one once: complete it."
            )
        its = self.addresses.of_email(letter.id, head.bounce_domain)
        message = compiled.render(values, click_base=its.click_base, unsubscribe_url=its.unsubscribe)
        headers = [
            ("List-Unsubscribe", f"<{its.unsubscribe}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("Feedback-ID", f"{letter.campaign_id}:{head.key}:email:{SENDER_ID}"),
            ("X-Tocsin-Delivery", its.token),
        ]
        relay = self.addresses.relay
        return builder.build(
            message,
            recipient=letter.address,
            return_path=its.return_path,
            message_id=f"{its.token}@{head.domain}",
            date=self.now,
            headers=headers,
            for_relay=None if relay is None else relay.headers(its.token),
        )


def _validity(letter: Letter, now: datetime) -> timedelta | None:
    if letter.not_after is None:
        return None
    return min(LONGEST_VALIDITY, max(timedelta(seconds=1), letter.not_after - now))
