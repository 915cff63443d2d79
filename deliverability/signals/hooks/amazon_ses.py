"""Amazon SES, whose events come through SNS: RSA signatures, certificates, topics to be subscribed to.

What may speak is a topic named in the settings: anybody with an Amazon account can have SNS sign a call of
theirs. The certificate's address is believed only in Amazon's own domain and in the topic's region, and is
looked at before anything is fetched.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from deliverability.signals.hooks.base import (
    JSON,
    ForgedError,
    HookRequest,
    Provider,
    Told,
    check_age,
    held_back,
    inside,
    items,
    judged,
    moment_of,
    no_such_address,
    not_sent,
    of_class,
    parse,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import Tokens
from models.values import Reply, Signal, Verdict

KEY = "amazon_ses"
TOLERANCE = timedelta(days=1)
_TOPIC = re.compile(r"arn:aws(?:-[a-z-]+)?:sns:([a-z0-9-]{1,40}):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-zA-Z]{1,80}\.pem")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "Notification": _NOTIFICATION,
        "SubscriptionConfirmation": _SUBSCRIPTION,
        "UnsubscribeConfirmation": _SUBSCRIPTION,
    }
)
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "send": EventKind.RELAYED,
        "delivery": EventKind.DELIVERED,
        "deliverydelay": EventKind.DEFERRED,
        "bounce": EventKind.BOUNCED,
        "reject": EventKind.BOUNCED,
        "rendering failure": EventKind.BOUNCED,
        "renderingfailure": EventKind.BOUNCED,
        "complaint": EventKind.COMPLAINED,
        "open": EventKind.OPENED,
        "click": EventKind.CLICKED,
        "subscription": EventKind.UNKNOWN,
    }
)
_ADDRESS_GONE = frozenset({"NoEmail"})
_ON_A_LIST = frozenset({"Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"})


def needs(request: HookRequest, secrets: Sequence[str]) -> str | None:
    """The address of the signing certificate; ForgedError unless topic and address are expected."""
    call = parse(request.body)
    topic = said(call, "TopicArn")
    found = _TOPIC.fullmatch(topic)
    if found is None or topic not in secrets:
        raise ForgedError("Not a topic of the settings.")
    for name, field in (("x-amz-sns-message-type", "Type"), ("x-amz-sns-topic-arn", "TopicArn")):
        if name in request.headers and request.headers[name] != said(call, field):
            raise ForgedError("Header and body disagree.")
    address = said(call, "SigningCertURL") or said(call, "SigningCertUrl")
    if not _is_amazons(address, found[1]) or not _CERTIFICATE.fullmatch(urlsplit(address).path):
        raise ForgedError("Not a certificate of Amazon's.")
    return address


def _is_amazons(address: str, region: str) -> bool:
    """Whether it is an https address of SNS in that region, and nothing else is in it."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    hosts = {f"sns.{region}.amazonaws.com", f"sns.{region}.amazonaws.com.cn"}
    return parts.scheme == "https" and parts.netloc in hosts and port is None and not parts.fragment


def is_certificate(octets: bytes) -> bool:
    """Whether it holds an RSA key to check signatures with."""
    try:
        return isinstance(x509.load_pem_x509_certificate(octets).public_key(), rsa.RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        return False


def check(request: HookRequest, _keys: Sequence[str], now: datetime) -> None:
    """The signature by the certificate in `request.fetched`, versions 1 (SHA-1) and 2 (SHA-256)."""
    call = inside({"call": parse(request.body)}, "call")
    names = _SIGNED.get(said(call, "Type"), ())
    content = "".join(f"{name}\n{call[name]}\n" for name in names if isinstance(call.get(name), str))
    version = said(call, "SignatureVersion")
    try:
        signature = base64.b64decode(said(call, "Signature"), validate=True)
        public = x509.load_pem_x509_certificate(request.fetched).public_key()
        if not names or version not in {"1", "2"} or not isinstance(public, rsa.RSAPublicKey):
            raise ForgedError("Not signed in a way that is known.")
        hashed = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - what SNS signs with
        public.verify(signature, content.encode("utf-8", "replace"), padding.PKCS1v15(), hashed)
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError) as error:
        raise ForgedError("Wrong signature.") from error
    signed_at = moment_of(call.get("Timestamp"), now + timedelta(days=3650))
    check_age(signed_at.timestamp(), now, TOLERANCE)


def confirms(request: HookRequest) -> str | None:
    """The address that confirms a subscription, of a call that was verified."""
    call = parse(request.body)
    if said(call, "Type") != "SubscriptionConfirmation":
        return None
    address, topic = said(call, "SubscribeURL"), said(call, "TopicArn")
    found = _TOPIC.fullmatch(topic)
    if found is None or not _is_amazons(address, found[1]):
        return None
    query = parse_qs(urlsplit(address).query)
    fits = query.get("Action") == ["ConfirmSubscription"] and query.get("TopicArn") == [topic]
    return address if fits else None


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """What one notification says, a signal for each recipient it is about."""
    call = parse(request.body)
    if said(call, "Type") != "Notification":
        return []
    message = inside(call).get("Message")
    event = inside({"event": parse(message)}, "event") if isinstance(message, str) else {}
    word = said(event, "eventType") or said(event, "notificationType")
    if not word or "AmazonSnsSubscriptionSucceeded" in said(event, "notificationType"):
        return []  # Amazon's greeting, in words
    told = _told(event, word, request.body, moment_of(inside(call).get("Timestamp"), now))
    named = said(call, "MessageId")
    signals = []
    for place, (recipient, reply, verdict) in enumerate(_each(event, word)):
        one = replace(told, recipient=recipient, reply=reply, verdict=verdict)
        # By its place: a name with the address in it would outlive the person's data.
        signals.append(signal_of(KEY, replace(one, event_id=f"{named}:{place}"), tokens))
    return signals


def _told(event: Mapping[str, object], word: str, raw: bytes, at: datetime) -> Told:
    mail, part = inside(event, "mail"), inside(event, _part(word))
    headers = [
        said(header, "value")
        for header in items(mail.get("headers"))
        if said(header, "name").lower() in {"x-tocsin-delivery", "message-id"}
    ]
    tags = [said({"tag": one}, "tag") for one in items(inside(mail, "tags").get("tocsin"))]
    kind = KINDS.get(word.lower(), EventKind.UNKNOWN)
    if kind is EventKind.COMPLAINED and said(part, "complaintFeedbackType") == "not-spam":
        kind = EventKind.UNKNOWN
    details = {
        name: said(part, field)
        for name, field in (
            ("bounce_type", "bounceType"),
            ("bounce_subtype", "bounceSubType"),
            ("feedback_type", "complaintFeedbackType"),
            ("reason", "errorMessage"),
        )
    }
    return Told(
        kind,
        word,
        raw,
        at,
        message_id=said(mail, "messageId"),
        marks=(*headers, *tags, said(mail, "commonHeaders", "messageId")),
        details=details,
    )


def _part(word: str) -> str:
    lowered = word.lower().replace(" ", "")
    return {"deliverydelay": "deliveryDelay", "renderingfailure": "failure"}.get(lowered, lowered)


def _each(event: Mapping[str, object], word: str) -> list[tuple[str, Reply | None, Verdict | None]]:
    """Recipient, answer and verdict, for each the event names."""
    part, lowered = inside(event, _part(word)), word.lower()
    everyone = [said({"to": one}, "to") for one in items(inside(event, "mail").get("destination"))] or [""]
    match lowered:
        case "bounce":
            return [_bounced(part, one) for one in items(part.get("bouncedRecipients"))]
        case "complaint":
            named = items(part.get("complainedRecipients"))
            return [(said(one, "emailAddress"), None, None) for one in named]
        case "deliverydelay":
            delayed = items(part.get("delayedRecipients"))
            return [
                (
                    said(one, "emailAddress"),
                    reply_of(said(one, "diagnosticCode"), "", said(one, "status")),
                    None,
                )
                for one in delayed
            ]
        case "delivery":
            reached = [said({"to": one}, "to") for one in items(part.get("recipients"))]
            return [(one, None, None) for one in reached or everyone]
        case "reject" | "rendering failure" | "renderingfailure":
            return [(one, None, not_sent(f"ses {lowered}")) for one in everyone]
        case _:
            return [(one, None, None) for one in everyone]


def _answer(recipient: object) -> Reply | None:
    return reply_of(said(recipient, "diagnosticCode"), "", said(recipient, "status"))


def _bounced(part: Mapping[str, object], one: object) -> tuple[str, Reply | None, Verdict | None]:
    kind, subtype = said(part, "bounceType"), said(part, "bounceSubType")
    reply = _answer(one)
    if subtype in _ON_A_LIST:
        return said(one, "emailAddress"), reply, held_back(f"ses {subtype}")
    if kind == "Permanent" and subtype in _ADDRESS_GONE:
        stated = no_such_address("ses NoEmail")
    elif kind == "Transient" and subtype == "MailboxFull":
        stated = of_class(BounceClass.MAILBOX_FULL, Fault.RECIPIENT, "ses MailboxFull")
    else:
        hard = kind == "Permanent"
        stated = of_class(BounceClass.UNKNOWN, Fault.UNKNOWN, f"ses {kind} {subtype}"[:100], hard=hard)
    return said(one, "emailAddress"), reply, judged(reply, stated)


def key_problem(key: str) -> str:
    """The ARN of a topic."""
    return "" if _TOPIC.fullmatch(key) else "is no topic; write arn:aws:sns:region:account:name"


PROVIDER = Provider(
    KEY, "Amazon SES", read, check, needs, confirms, JSON | {"text/plain"}, key_problem=key_problem
)
