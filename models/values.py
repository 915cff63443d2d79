"""What flows from room to room: frozen values. What must survive a crash is a row instead."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from models.states import BounceClass, Channel, EventKind, Fault, Permanence


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """The rendered content of one e-mail, already in its transfer encoding.

    `text` is text/plain, UTF-8, quoted-printable; `html` is text/html, 7-bit US-ASCII (characters
    beyond ASCII as character references). Lines end in CRLF and none is longer than 998 octets
    (RFC 5322 section 2.1.1). `subject` is one clean line of text, not yet encoded.

    `proven`: whoever wrote the parts vouches for that, and that no line of them begins with a dot and that
    they are in DKIM's relaxed canonical form (RFC 6376 section 3.4.4), so nobody needs to look at 45 kB
    again. A copy made by `dataclasses.replace` is not proven.
    """

    subject: str
    text: bytes
    html: bytes
    proven: bool = field(default=False, init=False, compare=False)

    def vouched(self) -> Self:
        """This very message, proven from now on."""
        object.__setattr__(self, "proven", True)
        return self


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """The rendered content of one text message and what it costs in segments (3GPP TS 23.038)."""

    text: str
    segments: int


Message = EmailMessage | SmsMessage


@dataclass(frozen=True, slots=True)
class EmailEnvelope:
    """One e-mail ready for the wire: signed `data` with CRLF line ends, not yet dot-stuffed.

    `proven`: whoever built it vouches that it can be said in SMTP as it is: 7-bit, every line ended by CRLF,
    none begun by a dot, and addresses that end no command. A copy is not proven.
    """

    return_path: str
    recipient: str
    data: bytes | memoryview
    proven: bool = field(default=False, init=False, compare=False)

    def vouched(self) -> Self:
        """This very envelope, proven from now on."""
        object.__setattr__(self, "proven", True)
        return self


@dataclass(frozen=True, slots=True)
class SmsEnvelope:
    """One text message ready for the provider; numbers in E.164, or an alphanumeric sender."""

    sender: str
    recipient: str
    text: str
    status_callback: str | None = None
    validity: timedelta | None = None


Envelope = EmailEnvelope | SmsEnvelope


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side said. `enhanced` is an RFC 3463 status such as 5.1.1, when it gave one.

    `code` is the SMTP reply code or the provider's own error number; None when no answer came.
    """

    code: int | None
    enhanced: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side took responsibility for the message."""

    reply: Reply
    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: nothing was taken, trying again later may help. `retry_after` when the other side said so.

    `unreached`: our own way out is at fault (no connection, no trust, no sign-in), and every message that
    takes it would meet the same; `reply.text` says it in a sentence.
    """

    reply: Reply
    retry_after: timedelta | None = None
    unreached: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: trying this message again would not help."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The line dropped after the content was handed over and before the answer: never resent by itself."""

    reply: Reply


Outcome = Accepted | Deferred | Refused | Uncertain


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a reply or a bounce is read, with the rule that decided."""

    bounce_class: BounceClass
    fault: Fault
    permanence: Permanence
    rule: str


@dataclass(frozen=True, slots=True)
class Cover:
    """What was on the outside of a mail: by which way it came, from whom and for whom its envelope said.

    `sender` is "" for bounces, and where nobody told. `recipients` None: nobody told, the headers are asked.
    """

    way: str
    recipients: tuple[str, ...] | None
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """Parsed news from outside, not yet matched to a delivery.

    `source` and `source_id` name it once and for all: the same news arriving again has the same pair.
    One of `delivery_id` (from a verified token), `provider_message_id` or `recipient` leads to the
    delivery or the person. `raw` is the untouched original, for evidence and later re-reading; `cover` what
    was on the outside of it, if it was a mail.
    """

    kind: EventKind
    channel: Channel
    source: str
    source_id: str
    at: datetime
    delivery_id: int | None = None
    provider_message_id: str | None = None
    recipient: str | None = None
    reply: Reply | None = None
    verdict: Verdict | None = None
    link_index: int | None = None
    details: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    cover: Cover | None = None
