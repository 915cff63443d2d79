"""News as its sources put it: webhooks signed by each provider's scheme, mails of mail servers.

Written and signed before the clock starts: what a provider does is not what is measured.
"""

import base64
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from benchmarks.event_plan import (
    EVENTS_A_POST,
    FORGED,
    REPEATED_EVERY,
    STRANGER_EVERY,
    Message,
    Piece,
    Way,
)
from benchmarks.ledger import SIGNING_DOMAIN
from models.states import BounceClass, EventKind

K = EventKind
TOPIC = "arn:aws:sns:eu-west-3:123456789012:tocsin"
CERTIFICATE_HOST = "sns.eu-west-3.amazonaws.com"
CERTIFICATE_PATH = "/SimpleNotificationService-0123abcd.pem"
REPEATED_AFTER = 300
"""Pieces of news between one and its repetition."""
NOBODY = "nobody{}@elsewhere.example"
_SENDGRID = {
    K.RELAYED: "processed",
    K.DELIVERED: "delivered",
    K.DEFERRED: "deferred",
    K.BOUNCED: "bounce",
    K.OPENED: "open",
    K.CLICKED: "click",
    K.COMPLAINED: "spamreport",
    K.UNSUBSCRIBED: "unsubscribe",
}
_SES = {
    K.RELAYED: "Send",
    K.DELIVERED: "Delivery",
    K.DEFERRED: "DeliveryDelay",
    K.BOUNCED: "Bounce",
    K.OPENED: "Open",
    K.CLICKED: "Click",
    K.COMPLAINED: "Complaint",
}
_GONE = "550 5.1.1 The email account that you tried to reach does not exist"
_LATER = "451 4.7.1 Greylisted, please try again in 5 minutes"
_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"


@dataclass(frozen=True, slots=True)
class Call:
    """One post or mail: `target` is the path of a webhook or the return path, `news` how much it tells.

    `sample`: the name of a piece of news in it whose effect is waited for; "" none. `stranger`: how many
    pieces are about messages nobody here has sent.
    """

    way: Way
    target: str
    headers: dict[str, str]
    body: bytes
    news: int
    status: int = 200
    sample: str = ""
    stranger: int = 0


class Signer:
    """The keys of the providers, made for one measurement."""

    def __init__(self) -> None:
        """A key each, and SNS's certificate."""
        self._elliptic = ec.generate_private_key(ec.SECP256R1())
        self._rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        built = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        built = built.not_valid_before(begin).not_valid_after(begin + timedelta(days=9999))
        signed = built.public_key(self._rsa.public_key()).sign(self._rsa, hashes.SHA256())
        self.certificate = signed.public_bytes(Encoding.PEM)
        der = self._elliptic.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.sendgrid_key = base64.b64encode(der).decode()

    def sendgrid(self, body: bytes, now: datetime) -> dict[str, str]:
        """The headers that prove a call of SendGrid's."""
        stamp = str(int(now.timestamp()))
        signature = self._elliptic.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        }

    def sns(self, message: str, name: str, now: datetime) -> bytes:
        """What SNS makes of a message of SES's."""
        call = {
            "Type": "Notification",
            "MessageId": name,
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": "2",
            "SigningCertURL": f"https://{CERTIFICATE_HOST}{CERTIFICATE_PATH}",
            "UnsubscribeURL": f"https://{CERTIFICATE_HOST}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:0",
        }
        names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
        content = "".join(f"{field}\n{call[field]}\n" for field in names).encode()
        signature = self._rsa.sign(content, padding.PKCS1v15(), hashes.SHA256())
        return json.dumps(call | {"Signature": base64.b64encode(signature).decode()}).encode()


def calls_of(way: Way, pieces: Sequence[Piece], signer: Signer, now: datetime, *, samples: int) -> list[Call]:
    """The calls that tell `pieces`, one in ten of them twice; some hold a sample whose effect is timed."""
    order = _with_repeats(pieces)
    if way is Way.SENDGRID:
        return [*_forged(made := list(_batches(order, signer, now))), *made]
    every = max(1, len(order) // samples)
    if way is Way.SES:
        made = list(_notifications(order, signer, now, every))
        return [*_forged(made), *made]
    return [replace(_mail(way, piece, now), status=250) for piece in order]


def _with_repeats(pieces: Sequence[Piece]) -> list[Piece]:
    told = [(place, piece) for place, piece in enumerate(pieces)]
    told += [(place + REPEATED_AFTER, piece) for place, piece in told[::REPEATED_EVERY]]
    return [piece for _, piece in sorted(told, key=lambda one: one[0])]


def _forged(calls: Sequence[Call]) -> list[Call]:
    """Some of the calls with another address in them."""
    step = max(1, len(calls) // FORGED)
    return [
        Call(one.way, one.target, one.headers, one.body.replace(b"@", b"x@", 1), 0, status=403)
        for one in calls[::step][:FORGED]
    ]


def _batches(order: Sequence[Piece], signer: Signer, now: datetime) -> Iterator[Call]:
    """A hundred events a post, the last of them of a message that is not ours."""
    size = EVENTS_A_POST - 1
    for number, start in enumerate(range(0, len(order), size)):
        told = order[start : start + size]
        events = [_sendgrid_event(piece, now) for piece in told]
        events.append(_sendgrid_stranger(number, told[0].message.delivery_id, now))
        body = json.dumps(events).encode()
        yield Call(
            Way.SENDGRID,
            "/hooks/sendgrid",
            signer.sendgrid(body, now),
            body,
            len(events),
            sample=told[len(told) // 2].name,
            stranger=1,
        )


def _sendgrid_event(piece: Piece, now: datetime) -> dict[str, object]:
    message = piece.message
    event: dict[str, object] = {
        "email": message.address,
        "timestamp": int(now.timestamp()),
        "smtp-id": f"<{message.token}@{SIGNING_DOMAIN}>",
        "event": _SENDGRID[piece.kind],
        "category": ["lettre"],
        "sg_event_id": piece.name,
        "sg_message_id": f"{message.number}.filter0001.16648.5515E0B88.0",
    }
    match piece.kind:
        case K.BOUNCED:
            event |= {"reason": _GONE, "status": "5.1.1", "type": "bounce"}
        case K.DEFERRED:
            event |= {"response": _LATER, "attempt": "1"}
        case K.OPENED | K.CLICKED:
            event |= {"useragent": _AGENT, "ip": "192.0.2.7", "sg_machine_open": False}
        case _:
            pass
    return event


def _sendgrid_stranger(number: int, about: int, now: datetime) -> dict[str, object]:
    return {
        "email": NOBODY.format(f"{about}-{number}"),
        "timestamp": int(now.timestamp()),
        "event": "delivered",
        "sg_event_id": f"stranger-{about}-{number}",
        "sg_message_id": f"foreign-{about}-{number}.filter0001",
    }


def _notifications(order: Sequence[Piece], signer: Signer, now: datetime, every: int) -> Iterator[Call]:
    for place, piece in enumerate(order):
        if place % STRANGER_EVERY == 0:
            number = f"{piece.message.delivery_id}-{place}"
            unknown = Message(0, 0, NOBODY.format(number), "", "")
            body = signer.sns(_ses_event(unknown, K.DELIVERED, now), f"stranger-{number}", now)
            yield Call(Way.SES, "/hooks/amazon_ses", _SNS_HEADERS, body, 1, stranger=1)
        body = signer.sns(_ses_event(piece.message, piece.kind, now), piece.name, now)
        sample = piece.name if place % every == 0 else ""
        yield Call(Way.SES, "/hooks/amazon_ses", _SNS_HEADERS, body, 1, sample=sample)


_SNS_HEADERS = {"Content-Type": "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type": "Notification"}


def _ses_event(message: Message, kind: EventKind, now: datetime) -> str:
    """Two messages in three are known by our header, the third by Amazon's number alone."""
    stamp = now.isoformat(timespec="milliseconds")
    headers = [{"name": "From", "value": f"L’Association <lettre@{SIGNING_DOMAIN}>"}]
    if message.delivery_id % 3:
        headers.append({"name": "X-Tocsin-Delivery", "value": message.token})
    mail = {
        "timestamp": stamp,
        "source": f"lettre@{SIGNING_DOMAIN}",
        "messageId": message.number,
        "destination": [message.address],
        "headersTruncated": False,
        "headers": headers,
        "tags": {"ses:configuration-set": ["tocsin"]},
    }
    to = [{"emailAddress": message.address}]
    part: dict[str, object] = {"timestamp": stamp}
    match kind:
        case K.DELIVERED:
            part |= {"recipients": [message.address], "smtpResponse": "250 2.6.0 Message received"}
        case K.BOUNCED:
            told = {"status": "5.1.1", "action": "failed", "diagnosticCode": f"smtp; {_GONE}"}
            part |= {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [to[0] | told],
            }
        case K.DEFERRED:
            told = {"status": "4.7.1", "diagnosticCode": f"smtp; {_LATER}"}
            part |= {"delayType": "TransientCommunicationFailure", "delayedRecipients": [to[0] | told]}
        case K.COMPLAINED:
            part |= {"complainedRecipients": to, "complaintFeedbackType": "abuse"}
        case K.OPENED | K.CLICKED:
            part |= {"ipAddress": "192.0.2.7", "userAgent": _AGENT}
        case _:
            pass
    word = _SES[kind]
    return json.dumps({"eventType": word, "mail": mail, word[0].lower() + word[1:]: part})


# Mails

_ANSWERS = {
    BounceClass.NO_SUCH_ADDRESS: (
        "failed",
        "5.1.1",
        "550 5.1.1 <{}>: Recipient address rejected: User unknown",
    ),
    BounceClass.MAILBOX_FULL: (
        "failed",
        "5.2.2",
        "552 5.2.2 <{}>: Quota exceeded (mailbox for user is full)",
    ),
    BounceClass.BLOCK: (
        "failed",
        "5.7.1",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
    ),
    None: ("delayed", "4.4.1", "connect to mx.boites.example[192.0.2.25]:25: Connection timed out"),
}
_DRAW = random.Random(2027)
_NEWSLETTER = "\r\n".join(
    " ".join(_DRAW.choice(("réunion", "samedi", "place", "ensemble", "programme", "voix")) for _ in range(9))
    for _ in range(220)
)


def _mail(way: Way, piece: Piece, now: datetime) -> Call:
    match piece.kind:
        case K.COMPLAINED:
            body = _complaint(piece.message, now)
        case K.AUTORESPONDED:
            body = _absence(piece.message, now)
        case _:
            body = _bounce(piece, now)
    return Call(way, piece.message.return_path, {}, body.encode(), 1)


def _head(message: Message, now: datetime, sender: str, subject: str) -> str:
    date = f"{now:%a, %d %b %Y %H:%M:%S} +0000"
    return (
        f"Received: from mx.boites.example (192.0.2.25) by retours.{SIGNING_DOMAIN}; {date}\r\n"
        f"From: {sender}\r\nTo: <{message.return_path}>\r\nSubject: {subject}\r\n"
        f"Date: {date}\r\nMessage-ID: <{message.delivery_id}.back@mx.boites.example>\r\n"
        "MIME-Version: 1.0\r\n"
    )


def _returned(message: Message) -> str:
    return (
        f"Return-Path: <{message.return_path}>\r\n"
        f"From: =?utf-8?q?L=E2=80=99Association?= <lettre@{SIGNING_DOMAIN}>\r\nTo: <{message.address}>\r\n"
        f"Subject: Samedi\r\nMessage-ID: <{message.token}@{SIGNING_DOMAIN}>\r\n"
        f"X-Tocsin-Delivery: {message.token}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    )


def _bounce(piece: Piece, now: datetime) -> str:
    """As RFC 3464 has it; every other mail server returns the whole letter, the others its head."""
    message = piece.message
    action, status, answer = _ANSWERS[piece.bounce_class]
    answer = answer.format(message.address)
    whole = piece.place % 2 == 0
    return (
        _head(message, now, "MAILER-DAEMON@mx.boites.example (Mail Delivery System)", "Undelivered Mail")
        + "Auto-Submitted: auto-replied\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n'
        "\r\n--B\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This is the mail system at host mx.boites.example.\r\n\r\n"
        f"<{message.address}>: host store.boites.example said: {answer}\r\n"
        "\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.boites.example\r\n\r\n"
        f"Final-Recipient: rfc822; {message.address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Remote-MTA: dns; store.boites.example\r\nDiagnostic-Code: smtp; {answer}\r\n"
        f"\r\n--B\r\nContent-Type: {'message/rfc822' if whole else 'text/rfc822-headers'}\r\n\r\n"
        f"{_returned(message)}{_NEWSLETTER if whole else ''}\r\n--B--\r\n"
    )


def _complaint(message: Message, now: datetime) -> str:
    return (
        _head(message, now, "feedback@boites.example", "Abuse report")
        + 'Content-Type: multipart/report; report-type=feedback-report; boundary="B"\r\n'
        "\r\n--B\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        "\r\n--B\r\nContent-Type: message/feedback-report\r\n\r\n"
        "Feedback-Type: abuse\r\nUser-Agent: boites/1.0\r\nVersion: 1\r\n"
        f"Original-Rcpt-To: <{message.address}>\r\n"
        f"\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n{_returned(message)}{_NEWSLETTER}\r\n--B--\r\n"
    )


def _absence(message: Message, now: datetime) -> str:
    return (
        _head(message, now, f"<{message.address}>", "Absence du bureau : Samedi")
        + "Auto-Submitted: auto-replied\r\nX-Autoreply: yes\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        "Bonjour, je suis absente jusqu’au 30. Bien à vous\r\n"
    )
