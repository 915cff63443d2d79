"""From a delivery to an envelope: render, address, build, sign. No database, so it runs in a thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from models.contact import Contact
from models.errors import BadInputError
from models.identity import DkimKey, EmailSender, Identity, SigningKey
from models.keyring import Keyring
from models.states import Channel
from models.values import Envelope, SmsEnvelope
from scheduler.content import Addresses, Content, values_for
from sender import EmailBuilder
from store.claims import ClaimedDelivery
from store.people import Person
from templates import CompiledEmail, CompiledSms

LONGEST_VALIDITY = timedelta(seconds=36_000)  # Twilio's ValidityPeriod
SENDER_ID = "tocsin"  # Feedback-ID wants 5 to 15 characters that never change


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything one identity needs to write: itself and, for e-mail, the builder that signs."""

    identity: Identity
    builder: EmailBuilder | None

    @property
    def signs(self) -> bool:
        """Whether writing a message is mostly signing it."""
        return self.builder is not None and self.builder.signs


def open_desk(identity: Identity, keys: list[DkimKey], keyring: Keyring, channel: Channel) -> Desk:
    """The desk of an identity; its keys are opened and parsed here, once."""
    if channel is Channel.SMS or identity.from_email is None:
        return Desk(identity, None)
    domain = identity.dkim_domain or identity.from_email.rpartition("@")[2]
    signing = tuple(
        SigningKey(domain, key.selector, key.algorithm, keyring.decrypt(key.sealed_private_pem))
        for key in keys
    )
    sender = EmailSender(
        key=identity.key,
        name=identity.name,
        from_email=identity.from_email,
        reply_to=identity.reply_to,
        return_path_domain=identity.return_path_domain or domain,
        signing_keys=signing,
    )
    return Desk(identity, EmailBuilder(sender))


def write_envelope(
    desk: Desk,
    delivery: ClaimedDelivery,
    *,
    content: Content,
    person: tuple[Contact | Person, list[str]] | None,
    addresses: Addresses,
    now: datetime,
) -> Envelope:
    """The delivery's message, ready for the wire; TemplateError when it cannot be made for this person."""
    contact, tags = person if person is not None else (None, [])
    values = values_for(contact, tags, desk.identity, content)
    match content.compiled:
        case CompiledEmail() as compiled:
            return _email(desk, delivery, compiled, values, addresses=addresses, now=now)
        case CompiledSms() as compiled:
            message = compiled.render(values)
            return SmsEnvelope(
                sender=desk.identity.sms_sender or "",
                recipient=delivery.address,
                text=message.text,
                status_callback=addresses.sms_status(delivery.id),
                validity=_validity(delivery, now),
            )
        case _:
            assert_never(content.compiled)


def _email(
    desk: Desk,
    delivery: ClaimedDelivery,
    compiled: CompiledEmail,
    values: Mapping[str, str],
    *,
    addresses: Addresses,
    now: datetime,
) -> Envelope:
    if desk.builder is None or desk.identity.from_email is None:
        raise BadInputError(
            f"The identity {desk.identity.key!r} has no e-mail address.",
            "It had one once: complete it.",
        )
    domain = desk.identity.dkim_domain or desk.identity.from_email.rpartition("@")[2]
    its = addresses.of_email(delivery.id, desk.identity.return_path_domain or domain)
    message = compiled.render(values, click_base=its.click_base, unsubscribe_url=its.unsubscribe)
    headers = [
        ("List-Unsubscribe", f"<{its.unsubscribe}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Feedback-ID", f"{delivery.campaign_id}:{desk.identity.key}:email:{SENDER_ID}"),
        ("X-Tocsin-Delivery", its.token),
    ]
    if delivery.seed_id is not None:
        headers.append(("X-Tocsin-Seed", its.token))
    return desk.builder.build(
        message,
        recipient=delivery.address,
        return_path=its.return_path,
        message_id=f"{its.token}@{domain}",
        date=now,
        headers=headers,
    )


def _validity(delivery: ClaimedDelivery, now: datetime) -> timedelta | None:
    if delivery.not_after is None:
        return None
    return min(LONGEST_VALIDITY, max(timedelta(seconds=1), delivery.not_after - now))
