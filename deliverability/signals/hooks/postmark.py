"""Postmark: one record a call, proven by a name and password in the web address; it signs nothing."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from deliverability.signals.hooks.base import (
    HookRequest,
    Provider,
    Told,
    held_back,
    judged,
    moment_of,
    no_such_address,
    not_sent,
    of_class,
    pieces,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import METADATA_KEY, Tokens
from models.values import Reply, Signal, Verdict

KEY = "postmark"
RECORDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "Delivery": EventKind.DELIVERED,
        "Open": EventKind.OPENED,
        "Click": EventKind.CLICKED,
        "SpamComplaint": EventKind.COMPLAINED,
    }
)
BOUNCES: Mapping[str, EventKind] = MappingProxyType(
    {
        "HardBounce": EventKind.BOUNCED,
        "SoftBounce": EventKind.BOUNCED,
        "Blocked": EventKind.BOUNCED,
        "SpamNotification": EventKind.BOUNCED,
        "VirusNotification": EventKind.BOUNCED,
        "DMARCPolicy": EventKind.BOUNCED,
        "BadEmailAddress": EventKind.BOUNCED,
        "ManuallyDeactivated": EventKind.BOUNCED,
        "InactiveRecipient": EventKind.BOUNCED,
        "Unconfirmed": EventKind.BOUNCED,
        "SMTPApiError": EventKind.BOUNCED,
        "TemplateRenderingFailed": EventKind.BOUNCED,
        "Transient": EventKind.DEFERRED,
        "DnsError": EventKind.DEFERRED,
        "AutoResponder": EventKind.AUTORESPONDED,
        "AddressChange": EventKind.AUTORESPONDED,
        "ChallengeVerification": EventKind.AUTORESPONDED,
        "Unsubscribe": EventKind.UNSUBSCRIBED,
        "SpamComplaint": EventKind.COMPLAINED,
    }
)
_NOT_SENT = frozenset({"Unconfirmed", "SMTPApiError", "TemplateRenderingFailed"})
_ON_A_LIST = frozenset({"ManuallyDeactivated", "InactiveRecipient"})
_INACTIVE = re.compile(r"\binactive|suppress", re.IGNORECASE)
_CLASSES: Mapping[str, tuple[BounceClass, Fault]] = MappingProxyType(
    {
        "Blocked": (BounceClass.BLOCK, Fault.IDENTITY),
        # A filter's word, not a person's: no complaint.
        "SpamNotification": (BounceClass.SPAM, Fault.CONTENT),
        "VirusNotification": (BounceClass.SPAM, Fault.CONTENT),
        "DMARCPolicy": (BounceClass.AUTH, Fault.IDENTITY),
        "SoftBounce": (BounceClass.TRANSIENT, Fault.UNKNOWN),
    }
)


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """The record of the call."""
    return [signal_of(KEY, _told(event, raw, now), tokens) for event, raw in pieces(request.body)]


def _told(event: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    record, word = said(event, "RecordType"), said(event, "Type")
    kind = RECORDS.get(record, EventKind.UNKNOWN)
    reply: Reply | None = None
    verdict: Verdict | None = None
    if record == "Bounce":
        kind = BOUNCES.get(word, EventKind.UNKNOWN)
        reply = reply_of(said(event, "Details") or said(event, "Description"))
        verdict = _verdict(word, reply) if kind is EventKind.BOUNCED else None
    elif record == "SubscriptionChange":
        kind, word = _change(event), said(event, "SuppressionReason")
    number = said(event, "ID")
    when = next((event[one] for one in _MOMENTS if event.get(one)), None)
    return Told(
        kind,
        word or record,
        raw,
        moment_of(when, now),
        event_id=f"{record}:{number}" if number else "",
        recipient=said(event, "Email") or said(event, "Recipient"),
        message_id=said(event, "MessageID"),
        marks=(said(event, "Metadata", METADATA_KEY),),
        reply=reply,
        verdict=verdict,
        details={"reason": said(event, "Description")},
    )


_MOMENTS = ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt")


def _change(event: Mapping[str, object]) -> EventKind:
    """A change of Postmark's suppression list. What its owner did by hand is not the person's own word."""
    if said(event, "Origin") != "Recipient":
        return EventKind.UNKNOWN
    if event.get("SuppressSending") is False:
        return EventKind.RESUBSCRIBED
    match said(event, "SuppressionReason"):
        case "ManualSuppression":
            return EventKind.UNSUBSCRIBED
        case "SpamComplaint":
            return EventKind.COMPLAINED
        case "HardBounce":
            return EventKind.BOUNCED
        case _:
            return EventKind.UNKNOWN


def _verdict(word: str, reply: Reply | None) -> Verdict | None:
    refused = word == "SMTPApiError" and reply is not None and _INACTIVE.search(reply.text)
    if word in _ON_A_LIST or refused:
        return held_back(f"postmark {word}")
    if word in _NOT_SENT:
        return not_sent(f"postmark {word}")
    if word in _CLASSES and word != "SoftBounce":
        bounce_class, fault = _CLASSES[word]
        return of_class(bounce_class, fault, f"postmark {word}", hard=True)
    if word in {"HardBounce", "BadEmailAddress"}:
        return judged(reply, no_such_address(f"postmark {word}"))
    return judged(reply, of_class(BounceClass.TRANSIENT, Fault.UNKNOWN, f"postmark {word}"))


PROVIDER = Provider(KEY, "Postmark", read)
