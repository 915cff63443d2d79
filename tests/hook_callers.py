"""Providers as they call: each signs what it tells with its own scheme, by a key made here."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-3:123456789012:tocsin"
CERTIFICATE_URL = "https://sns.eu-west-3.amazonaws.com/SimpleNotificationService-0123abcd.pem"
PASSWORD = "cloche:une phrase assez longue".replace(" ", "-")
HMAC_KEY = "a-signing-key-for-tests"
SVIX_SECRET = "whsec_" + base64.b64encode(b"a secret of 24 octets...").decode()
ANSWER = "550 5.1.1 The mailbox does not exist"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(RSA_KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin + timedelta(days=3650))
    return builder.sign(RSA_KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


CERTIFICATE = _certificate()


@dataclass(frozen=True)
class Call:
    """One request: where to, what with."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Caller:
    """One provider: its secret as the settings hold it, what it says of a bounce, and how it signs.

    `dated`: the moment of signing is signed, so an old call can be told from a new one.
    """

    key: str
    secret: str
    bounce: Callable[[str, str, str, datetime], bytes]
    sign: Callable[[bytes, str, datetime], Mapping[str, str]]
    dated: bool = True
    content_type: str = "application/json"
    seals: Callable[[bytes, str, datetime], bytes] = field(default=lambda body, _number, _now: body)

    def call(self, token: str, recipient: str, now: datetime, number: str = "event-1") -> Call:
        """A bounce of the message `token`, signed at `now`."""
        body = self.seals(self.bounce(token, recipient, number, now), number, now)
        headers = {"content-type": self.content_type, **self.sign(body, number, now)}
        return Call(f"/hooks/{self.key}", headers, body)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _basic(_body: bytes, _number: str, _now: datetime) -> Mapping[str, str]:
    return {"authorization": "Basic " + base64.b64encode(PASSWORD.encode()).decode()}


def _nothing(_body: bytes, _number: str, _now: datetime) -> Mapping[str, str]:
    return {}


def _sendgrid(token: str, to: str, number: str, now: datetime) -> bytes:
    event = {"event": "bounce", "email": to, "timestamp": int(now.timestamp()), "sg_event_id": number}
    return _json([event | {"smtp-id": f"<{token}@parti.example>", "reason": ANSWER, "status": "5.1.1"}])


def _sign_sendgrid(body: bytes, _number: str, now: datetime) -> Mapping[str, str]:
    stamp = str(int(now.timestamp()))
    signature = EC_KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    head = "x-twilio-email-event-webhook-"
    return {f"{head}timestamp": stamp, f"{head}signature": base64.b64encode(signature).decode()}


def mailgun_body(token: str, to: str, number: str, now: datetime) -> bytes:
    """A bounce as Mailgun tells it, its signature in the body."""
    stamp, nonce = str(int(now.timestamp())), hashlib.sha256(number.encode()).hexdigest()[:50]
    mac = hmac.new(HMAC_KEY.encode(), f"{stamp}{nonce}".encode(), hashlib.sha256).hexdigest()
    event = {
        "event": "failed",
        "severity": "permanent",
        "id": number,
        "timestamp": now.timestamp(),
        "recipient": to,
        "message": {"headers": {"message-id": f"{token}@parti.example"}},
        "delivery-status": {"code": 550, "message": ANSWER},
    }
    return _json({"signature": {"timestamp": stamp, "token": nonce, "signature": mac}, "event-data": event})


def _mailjet(token: str, to: str, number: str, now: datetime) -> bytes:
    event: dict[str, Any] = {"event": "bounce", "time": int(now.timestamp()), "email": to, "CustomID": token}
    return _json([event | {"MessageID": number, "hard_bounce": True, "error": "user unknown", "comment": ""}])


def _brevo(token: str, to: str, number: str, now: datetime) -> bytes:
    event = {"event": "hard_bounce", "email": to, "ts_epoch": int(now.timestamp() * 1000), "reason": ANSWER}
    return _json(event | {"message-id": f"<{number}@brevo.example>", "X-Mailin-custom": f"tocsin:{token}"})


def _postmark(token: str, to: str, number: str, now: datetime) -> bytes:
    event = {"RecordType": "Bounce", "Type": "HardBounce", "ID": number, "Email": to, "Details": ANSWER}
    return _json(event | {"BouncedAt": now.isoformat(), "Metadata": {"tocsin": token}})


def _sparkpost(token: str, to: str, number: str, now: datetime) -> bytes:
    event = {"type": "bounce", "event_id": number, "rcpt_to": to, "bounce_class": "10", "raw_reason": ANSWER}
    event |= {"timestamp": str(int(now.timestamp())), "error_code": "550"}
    return _json([{"msys": {"message_event": event | {"rcpt_meta": {"tocsin": token}}}}])


def _mandrill(token: str, to: str, number: str, now: datetime) -> bytes:
    message = {"email": to, "_id": number, "diag": f"smtp;{ANSWER}", "metadata": {"tocsin": token}}
    events = [{"event": "hard_bounce", "ts": int(now.timestamp()), "msg": message, "_id": number}]
    return urlencode({"mandrill_events": json.dumps(events)}).encode()


def _sign_mandrill(body: bytes, _number: str, _now: datetime) -> Mapping[str, str]:
    from urllib.parse import parse_qsl

    fields = "".join(f"{name}{value}" for name, value in sorted(parse_qsl(body.decode())))
    signed = f"http://tocsin.test/hooks/mandrill{fields}".encode()
    mac = hmac.new(HMAC_KEY.encode(), signed, hashlib.sha1).digest()
    return {"x-mandrill-signature": base64.b64encode(mac).decode()}


def _resend(token: str, to: str, number: str, now: datetime) -> bytes:
    bounce = {"type": "Permanent", "subType": "NoEmail", "message": ANSWER}
    data = {"email_id": number, "to": [to], "bounce": bounce, "tags": {"tocsin": token}}
    return _json({"type": "email.bounced", "created_at": now.isoformat(), "data": data})


def _sign_resend(body: bytes, number: str, now: datetime) -> Mapping[str, str]:
    stamp, secret = str(int(now.timestamp())), base64.b64decode(SVIX_SECRET.removeprefix("whsec_"))
    mac = hmac.new(secret, f"msg_{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,AAAA v1,{base64.b64encode(mac).decode()}"
    return {"svix-id": f"msg_{number}", "svix-timestamp": stamp, "svix-signature": signature}


def _postal(token: str, to: str, number: str, now: datetime) -> bytes:
    message = {"id": 7, "message_id": f"{token}@parti.example", "to": to, "direction": "outgoing"}
    payload = {"message": message, "status": "HardFail", "output": ANSWER, "details": "failed"}
    event = {"event": "MessageDeliveryFailed", "timestamp": now.timestamp(), "uuid": number}
    return _json(event | {"payload": payload})


def _sign_postal(body: bytes, _number: str, _now: datetime) -> Mapping[str, str]:
    signature = RSA_KEY.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - what Postal signs with
    return {"x-postal-signature": base64.b64encode(signature).decode()}


def _ses(token: str, to: str, _number: str, now: datetime) -> bytes:
    recipient = {"emailAddress": to, "status": "5.1.1", "diagnosticCode": f"smtp; {ANSWER}"}
    bounce = {"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": [recipient]}
    headers = [{"name": "X-Tocsin-Delivery", "value": token}]
    mail = {"messageId": "0102", "destination": [to], "headers": headers}
    bounce |= {"timestamp": now.isoformat()}
    return _json({"eventType": "Bounce", "bounce": bounce, "mail": mail})


def seal_sns(message: bytes, number: str, now: datetime, *, version: str = "2", **given: str) -> bytes:
    """What SNS makes of a message: signed fields; `given` wins over the usual ones."""
    call = {
        "Type": "Notification",
        "MessageId": number,
        "TopicArn": TOPIC,
        "Message": message.decode(),
        "Timestamp": now.isoformat().replace("+00:00", "Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **given,
    }
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if call["Type"] == "Notification":
        names = [name for name in names if name not in {"SubscribeURL", "Token"}]
    content = "".join(f"{name}\n{call[name]}\n" for name in names if name in call)
    hashed = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - what SNS signs with
    signature = RSA_KEY.sign(content.encode(), padding.PKCS1v15(), hashed)
    return _json(call | {"Signature": base64.b64encode(signature).decode()})


CALLERS = {
    caller.key: caller
    for caller in (
        Caller("amazon_ses", TOPIC, _ses, _nothing, content_type="text/plain", seals=seal_sns),
        Caller("sendgrid", _public(EC_KEY), _sendgrid, _sign_sendgrid),
        Caller("mailgun", HMAC_KEY, mailgun_body, _nothing),
        Caller("mailjet", PASSWORD, _mailjet, _basic, dated=False),
        Caller("brevo", PASSWORD, _brevo, _basic, dated=False),
        Caller("postmark", PASSWORD, _postmark, _basic, dated=False),
        Caller("sparkpost", PASSWORD, _sparkpost, _basic, dated=False),
        Caller(
            "mandrill",
            HMAC_KEY,
            _mandrill,
            _sign_mandrill,
            dated=False,
            content_type="application/x-www-form-urlencoded",
        ),
        Caller("resend", SVIX_SECRET, _resend, _sign_resend),
        Caller("postal", _public(RSA_KEY), _postal, _sign_postal),
    )
}
OTHERS = {
    "amazon_ses": f"{TOPIC}-before",
    "sendgrid": _public(ec.generate_private_key(ec.SECP256R1())),
    "postal": _public(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "resend": "whsec_YW5vdGhlcg==",
}
SECRETS = {
    key: (caller.secret, OTHERS.get(key, "another-key"))
    if ":" not in caller.secret or key in OTHERS
    else (caller.secret,)
    for key, caller in CALLERS.items()
}
"""As the settings give them, each with one that is being replaced where that cannot stand in its way."""
