"""What each provider's webhook tells of one message, word for word in its own vocabulary.

Beside `tests.hook_callers`, which know how calls are signed: here are the events of a message's whole life.
Every event has a number of its own where the provider gives one, and a moment of its own.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

FULL = "452 4.2.2 The mailbox is full"
GONE = "550 5.1.1 The mailbox does not exist"
WORDS = ("taken", "delivered", "later", "full", "gone", "complaint", "leave", "open", "click", "strange")
"""What happens to a message; not every provider has a word for each."""
Event = dict[str, object]


@dataclass(frozen=True)
class Teller:
    """How a provider tells of an event: `words` its own, `say` one event, `wrap` a call of one or more."""

    words: Mapping[str, Event]
    say: Callable[[Event, str, str, str, datetime], object]
    wrap: Callable[[list[object]], bytes]
    many: bool = True

    def event(self, word: str, token: str, to: str, number: str, at: datetime) -> object:
        """One event of the message `token`."""
        return self.say(self.words[word], token, to, number, at)


def _array(events: list[object]) -> bytes:
    return json.dumps(events).encode()


def _alone(events: list[object]) -> bytes:
    (event,) = events
    return json.dumps(event).encode()


def _form(events: list[object]) -> bytes:
    return urlencode({"mandrill_events": json.dumps(events)}).encode()


def _ses(event: Event, token: str, to: str, _number: str, at: datetime) -> object:
    recipient = {
        "emailAddress": to,
        "status": event.get("status", ""),
        "diagnosticCode": event.get("said", ""),
    }
    part: Event = {
        "bouncedRecipients": [recipient],
        "complainedRecipients": [recipient],
        "delayedRecipients": [recipient],
        "recipients": [to],
        **{name: event[name] for name in ("bounceType", "bounceSubType") if name in event},
    }
    kind = str(event["eventType"])
    mail = {"messageId": f"ses-{token}", "destination": [to], "tags": {"tocsin": [token]}}
    return {"eventType": kind, "mail": mail, kind[0].lower() + kind[1:]: part | {"timestamp": at.isoformat()}}


def _sendgrid(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    return event | {"email": to, "timestamp": int(at.timestamp()), "sg_event_id": number, "tocsin": token}


def _mailgun(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    told = event | {
        "id": number,
        "timestamp": at.timestamp(),
        "recipient": to,
        "user-variables": {"tocsin": token},
    }
    return {"event-data": told}


def _mailjet(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    return event | {"email": to, "time": int(at.timestamp()), "CustomID": token, "MessageID": number}


def _brevo(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    told = event | {"email": to, "ts_epoch": int(at.timestamp() * 1000), "id": number}
    return told | {"X-Mailin-custom": f"tocsin:{token}", "message-id": f"<{token}@brevo.example>"}


def _postmark(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    moment = {name: at.isoformat() for name in ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt")}
    told = event | moment | {"Email": to, "Recipient": to, "Metadata": {"tocsin": token}}
    return told | ({"ID": number} if event["RecordType"] == "Bounce" else {"MessageID": number})


def _sparkpost(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    told = event | {"event_id": number, "rcpt_to": to, "timestamp": str(int(at.timestamp()))}
    return {"msys": {"message_event": told | {"rcpt_meta": {"tocsin": token}}}}


def _mandrill(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    message = {"email": to, "_id": number, "metadata": {"tocsin": token}, "diag": event.get("diag", "")}
    return {"event": event["event"], "ts": int(at.timestamp()), "_id": number, "msg": message}


def _resend(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    data: Event = {"email_id": number, "to": [to], "tags": {"tocsin": token}}
    if "bounce" in event:
        data["bounce"] = event["bounce"]
    return {"type": event["type"], "created_at": at.isoformat(), "data": data}


def _postal(event: Event, token: str, to: str, number: str, at: datetime) -> object:
    message = {"id": 7, "to": to, "tag": token, "direction": "outgoing", "message_id": "x@rp.example"}
    payload = {"message": message, "output": event.get("output", ""), "details": "told"}
    return {"event": event["event"], "uuid": number, "timestamp": at.timestamp(), "payload": payload}


def _named(name: str, **words: str) -> dict[str, Event]:
    return {word: {name: said} for word, said in words.items()}


TELLERS: Mapping[str, Teller] = {
    "amazon_ses": Teller(
        _named(
            "eventType", taken="Send", delivered="Delivery", complaint="Complaint", open="Open", click="Click"
        )
        | {
            "later": {"eventType": "DeliveryDelay", "said": FULL, "status": "4.2.2"},
            "full": {
                "eventType": "Bounce",
                "bounceType": "Transient",
                "bounceSubType": "MailboxFull",
                "said": FULL,
            },
            "gone": {
                "eventType": "Bounce",
                "bounceType": "Permanent",
                "bounceSubType": "NoEmail",
                "said": GONE,
            },
            "strange": {"eventType": "Transmogrified"},
        },
        _ses,
        _alone,
        many=False,
    ),
    "sendgrid": Teller(
        _named(
            "event",
            taken="processed",
            delivered="delivered",
            complaint="spamreport",
            leave="unsubscribe",
            open="open",
            click="click",
            strange="transmogrified",
        )
        | {
            "later": {"event": "deferred", "response": FULL},
            "full": {"event": "bounce", "reason": FULL, "status": "4.2.2"},
            "gone": {"event": "bounce", "reason": GONE, "status": "5.1.1"},
        },
        _sendgrid,
        _array,
    ),
    "mailgun": Teller(
        _named(
            "event",
            taken="accepted",
            delivered="delivered",
            complaint="complained",
            leave="unsubscribed",
            open="opened",
            click="clicked",
            strange="transmogrified",
        )
        | {
            "later": {
                "event": "failed",
                "severity": "temporary",
                "delivery-status": {"code": 452, "message": FULL},
            },
            "full": {
                "event": "failed",
                "severity": "permanent",
                "delivery-status": {"code": 452, "message": FULL},
            },
            "gone": {
                "event": "failed",
                "severity": "permanent",
                "delivery-status": {"code": 550, "message": GONE},
            },
        },
        _mailgun,
        _alone,
        many=False,
    ),
    "mailjet": Teller(
        _named(
            "event",
            delivered="sent",
            complaint="spam",
            leave="unsub",
            open="open",
            click="click",
            strange="other",
        )
        | {
            "full": {"event": "bounce", "hard_bounce": False, "error": "quota exceeded", "comment": FULL},
            "gone": {"event": "bounce", "hard_bounce": True, "error": "user unknown", "comment": GONE},
        },
        _mailjet,
        _array,
    ),
    "brevo": Teller(
        _named(
            "event",
            taken="request",
            delivered="delivered",
            complaint="spam",
            leave="unsubscribed",
            open="unique_opened",
            click="click",
            strange="transmogrified",
        )
        | {
            "later": {"event": "deferred", "reason": FULL},
            "full": {"event": "soft_bounce", "reason": FULL},
            "gone": {"event": "hard_bounce", "reason": GONE},
        },
        _brevo,
        _alone,
        many=False,
    ),
    "postmark": Teller(
        _named("RecordType", delivered="Delivery", open="Open", click="Click", strange="Transmogrified")
        | {
            "complaint": {"RecordType": "SpamComplaint"},
            "leave": {
                "RecordType": "SubscriptionChange",
                "Origin": "Recipient",
                "SuppressSending": True,
                "SuppressionReason": "ManualSuppression",
            },
            "later": {"RecordType": "Bounce", "Type": "Transient", "Details": FULL},
            "full": {"RecordType": "Bounce", "Type": "SoftBounce", "Details": FULL},
            "gone": {"RecordType": "Bounce", "Type": "HardBounce", "Details": GONE},
        },
        _postmark,
        _alone,
        many=False,
    ),
    "sparkpost": Teller(
        _named(
            "type",
            taken="injection",
            delivered="delivery",
            complaint="spam_complaint",
            leave="list_unsubscribe",
            open="open",
            click="click",
            strange="transmogrified",
        )
        | {
            "later": {"type": "delay", "bounce_class": "22", "raw_reason": FULL, "error_code": "452"},
            "full": {"type": "bounce", "bounce_class": "22", "raw_reason": FULL, "error_code": "452"},
            "gone": {"type": "out_of_band", "bounce_class": "10", "raw_reason": GONE, "error_code": "550"},
        },
        _sparkpost,
        _array,
    ),
    "mandrill": Teller(
        _named(
            "event",
            taken="send",
            delivered="delivered",
            complaint="spam",
            leave="unsub",
            open="open",
            click="click",
            strange="transmogrified",
        )
        | {
            "later": {"event": "deferral", "diag": FULL},
            "full": {"event": "soft_bounce", "diag": FULL},
            "gone": {"event": "hard_bounce", "diag": GONE},
        },
        _mandrill,
        _form,
    ),
    "resend": Teller(
        _named(
            "type",
            taken="email.sent",
            delivered="email.delivered",
            later="email.delivery_delayed",
            complaint="email.complained",
            open="email.opened",
            click="email.clicked",
            strange="email.transmogrified",
        )
        | {
            "full": {
                "type": "email.bounced",
                "bounce": {"type": "Transient", "subType": "MailboxFull", "message": FULL},
            },
            "gone": {
                "type": "email.bounced",
                "bounce": {"type": "Permanent", "subType": "NoEmail", "message": GONE},
            },
        },
        _resend,
        _alone,
        many=False,
    ),
    "postal": Teller(
        _named(
            "event",
            open="MessageLoaded",
            click="MessageLinkClicked",
            delivered="MessageSent",
            strange="MessageHeld",
        )
        | {
            "later": {"event": "MessageDelayed", "output": FULL},
            "full": {"event": "MessageDeliveryFailed", "output": FULL},
            "gone": {"event": "MessageDeliveryFailed", "output": GONE},
        },
        _postal,
        _alone,
        many=False,
    ),
}
