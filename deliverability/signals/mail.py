"""One mail from outside becomes signals: which reader it is for, and how its news is named for good."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.message import Message

from deliverability.reasons import Reason, cause_of
from deliverability.signals.arf import Complaint, read_complaint
from deliverability.signals.dsn import RecipientStatus, read_delivery_status
from deliverability.signals.mime import enclosed_headers, header, open_mail
from deliverability.signals.news import MailKind, Reading, read_opened
from deliverability.signals.origin import bounced_delivery, delivery_behind, left_delivery
from deliverability.signals.plain_bounce import PlainBounce, read_plain_bounce
from models.states import Channel, EventKind
from models.tokens import Tokens
from models.values import Reply, Signal

NAMED_BY = 500_000
"""So much of a mail, in octets, gives it its name."""
ADDED_ON_THE_WAY = (
    b"received:",
    b"return-path:",
    b"delivered-to:",
    b"x-original-to:",
    b"envelope-to:",
    b"x-envelope-to:",
    b"x-delivered-to:",
)


def read_inbound(
    raw: bytes, envelope_recipients: Sequence[str], tokens: Tokens, now: datetime
) -> list[Signal]:
    """The news in one mail that arrived for `envelope_recipients`; empty when it is no mail of ours.

    A return path `b+<token>@` names the delivery by itself. Elsewhere only our own tokens in the returned
    message do: an address somebody wrote into a report proves nothing. Never raises.
    """
    signals: list[Signal] = []
    returned: list[int | None] = []
    for address in envelope_recipients:
        left = left_delivery(address, tokens)
        if left is not None:
            signals.append(_departure(raw, left, now))
        else:
            returned.append(bounced_delivery(address, tokens))
    mail = open_mail(raw) if returned else None
    if mail is None:
        return signals
    enclosed = enclosed_headers(mail)
    named = {number for number in returned if number is not None}
    about: list[int | None] = [*sorted(named)] or [delivery_behind(enclosed, tokens)]
    for delivery_id in about:
        signals.extend(_news_of(mail, raw, delivery_id, has_content=bool(enclosed), now=now))
    return signals


def _news_of(
    mail: Message, raw: bytes, delivery_id: int | None, *, has_content: bool, now: datetime
) -> list[Signal]:
    complaint = read_complaint(mail, now)
    if complaint is not None:
        return [_complaint(complaint, raw, delivery_id)]
    reading = read_opened(mail, raw, now)
    statuses = read_delivery_status(mail, now)
    if statuses:
        causes = {news.address: news.reason for news in reading.recipients}
        return [_status(status, raw, delivery_id, causes.get(status.address)) for status in statuses]
    if reading.kind is MailKind.AUTOREPLY:
        return [_plain(EventKind.AUTORESPONDED, mail, raw, delivery_id, now=now)]
    bounce = read_plain_bounce(mail, is_letter=reading.kind in {MailKind.BOUNCE, MailKind.DELAY})
    if bounce is None or bounce.kind is EventKind.UNKNOWN:
        bounce = _letter_of_another_kind(reading) or bounce
    if bounce is not None:
        cause = reading.recipients[0].reason if reading.recipients else None
        return [_plain(bounce.kind, mail, raw, delivery_id, now=now, reply=bounce.reply, cause=cause)]
    if has_content and delivery_id is not None:
        # Some providers forward the message alone, without the report around it.
        complaint = Complaint(EventKind.COMPLAINED, "unstated", now, {})
        return [_complaint(complaint, raw, delivery_id)]
    return [_plain(EventKind.REPLIED, mail, raw, delivery_id, now=now)]


def _letter_of_another_kind(reading: Reading) -> PlainBounce | None:
    """A bounce that only a reader of all dialects understands; None when it gives no reply and no reason."""
    quoted = (news for news in reading.recipients if news.reply.code or news.reply.enhanced)
    explained = (news for news in reading.recipients if news.reason is not Reason.UNDEFINED)
    told = next(quoted, None) or next(explained, None)
    if told is None or reading.kind not in {MailKind.BOUNCE, MailKind.DELAY}:
        return None
    kind = EventKind.DEFERRED if reading.kind is MailKind.DELAY else EventKind.BOUNCED
    return PlainBounce(kind, told.reply)


def _status(status: RecipientStatus, raw: bytes, delivery_id: int | None, cause: Reason | None) -> Signal:
    """The same status sent again, by whichever path, has the same name."""
    details = {
        "action": status.action,
        "final_recipient": status.recipient,
        "remote_mta": status.remote_mta,
        "will_retry_until": status.will_retry_until,
        **cause_of(cause),
    }
    news = (status.recipient.lower(), status.action, status.reply.enhanced or str(status.reply.code))
    return Signal(
        kind=status.kind,
        channel=Channel.EMAIL,
        source="dsn",
        source_id=_name(raw, delivery_id, *news),
        at=status.attempted_at,
        delivery_id=delivery_id,
        reply=status.reply,
        details={name: value for name, value in details.items() if value},
        raw=raw,
    )


def _complaint(complaint: Complaint, raw: bytes, delivery_id: int | None) -> Signal:
    return Signal(
        kind=complaint.kind,
        channel=Channel.EMAIL,
        source="arf",
        source_id=_name(raw, delivery_id, complaint.feedback_type),
        at=complaint.arrived_at,
        delivery_id=delivery_id,
        details={"feedback_type": complaint.feedback_type, "via": "complaint", **complaint.details},
        raw=raw,
    )


def _plain(
    kind: EventKind,
    mail: Message,
    raw: bytes,
    delivery_id: int | None,
    *,
    now: datetime,
    reply: Reply | None = None,
    cause: Reason | None = None,
) -> Signal:
    return Signal(
        kind=kind,
        channel=Channel.EMAIL,
        source="mail",
        source_id=hashlib.sha256(str(delivery_id or "").encode() + _without_trace(raw)).hexdigest(),
        at=now,
        delivery_id=delivery_id,
        reply=reply,
        details={"subject": header(mail, "Subject")[:200], **cause_of(cause)},
        raw=raw,
    )


def _departure(raw: bytes, delivery_id: int, now: datetime) -> Signal:
    name = hashlib.sha256(str(delivery_id).encode() + _without_trace(raw)).hexdigest()
    return Signal(
        kind=EventKind.UNSUBSCRIBED,
        channel=Channel.EMAIL,
        source="unsubscribe mail",
        source_id=name,
        at=now,
        delivery_id=delivery_id,
        details={"via": "mailto"},
        raw=raw,
    )


def _name(raw: bytes, delivery_id: int | None, *news: str) -> str:
    """A name for news: of the delivery and what is said of it, else of the mail itself."""
    about = str(delivery_id) if delivery_id is not None else hashlib.sha256(_without_trace(raw)).hexdigest()
    return hashlib.sha256("\n".join((about, *news)).encode("utf-8", "replace")).hexdigest()


def _without_trace(raw: bytes) -> bytes:
    """The beginning of a mail without the lines each server on its way added (RFC 5321 section 4.4).

    The same by every way: each takes in more of it than this.
    """
    head, gap, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    kept: list[bytes] = []
    dropping = False
    for line in head.split(b"\n"):
        if line[:1] not in (b" ", b"\t"):
            dropping = line.lower().startswith(ADDED_ON_THE_WAY)
        if not dropping:
            kept.append(line)
    return (b"\n".join(kept) + gap + body)[:NAMED_BY]
