"""An identity's desk: what it is, and the pen it writes with, its keys opened and parsed once."""

from dataclasses import dataclass

from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.signing import EmailSender, SigningKey
from models.states import Channel
from scheduler.letters import Pen, letterhead_of
from sender import EmailBuilder


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything one identity needs to write."""

    identity: Identity
    pen: Pen

    @property
    def builder(self) -> EmailBuilder | None:
        """What builds and signs its e-mails; None when it writes text messages, or has no address."""
        return self.pen.builder

    @property
    def signs(self) -> bool:
        """Whether writing a message is mostly signing it."""
        return self.pen.builder is not None and self.pen.builder.signs


def open_desk(identity: Identity, keys: list[DkimKey], keyring: Keyring, channel: Channel) -> Desk:
    """The desk of an identity; its keys are opened and parsed here, once."""
    letterhead = letterhead_of(identity)
    if channel is Channel.SMS or identity.from_email is None or letterhead.domain is None:
        return Desk(identity, Pen.of(letterhead, None))
    signing = tuple(
        SigningKey(letterhead.domain, key.selector, key.algorithm, keyring.decrypt(key.sealed_private_pem))
        for key in keys
    )
    sender = EmailSender(
        key=identity.key,
        name=identity.name,
        from_email=identity.from_email,
        reply_to=identity.reply_to,
        return_path_domain=letterhead.bounce_domain,
        signing_keys=signing,
    )
    return Desk(identity, Pen.of(letterhead, sender))
