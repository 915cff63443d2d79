"""Readers of providers' webhooks: nothing a stranger writes makes one raise."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.policy import policy_at_once
from deliverability.signals.hooks import PROVIDERS, ForgedError, HookRequest
from deliverability.signals.hooks.base import moment_of, pieces
from models.states import BounceClass, EventKind, Fault
from models.tokens import TokenPurpose
from models.values import Signal
from tests.clocks import START
from tests.deliverability.rows import TOKENS

NAMES = [
    *("event", "type", "Type", "RecordType", "Message", "msys", "mail", "bounce", "bouncedRecipients"),
    *("destination", "headers", "name", "value", "to", "message", "payload", "original_message", "token"),
    *("timestamp", "ts", "time", "data", "email", "recipient", "event-data", "delivery-status", "msg"),
    *("track_event", "message_event", "reason", "severity", "bounce_class", "eventType", "tags", "signature"),
]
WORDS = [
    *("Notification", "Bounce", "bounce", "Bounced", "failed", "permanent", "dropped", "email.bounced"),
    *("MessageBounced", "hard_bounce", "HardBounce", "SubscriptionChange", "\x00", "550-5.1.1", "\ud800"),
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(WORDS)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "")


@settings(max_examples=300, deadline=None)
@given(value=VALUES, key=st.sampled_from(sorted(PROVIDERS)), kind=st.sampled_from(KINDS), wrap=st.booleans())
def test_any_json_is_read_and_none_raises(value: Any, key: str, kind: str, wrap: bool) -> None:
    body = json.dumps({"Type": "Notification", "Message": json.dumps(value)} if wrap else value).encode()
    request = HookRequest("http://tocsin.test/hooks/x", {"content-type": kind}, body)
    for signal in PROVIDERS[key].read(request, TOKENS, START):
        assert 0 < len(signal.source_id) <= 200
        assert signal.at <= START
        assert "@" not in signal.source_id
        assert "\x00" not in json.dumps(signal.details) + (signal.recipient or "")


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), key=st.sampled_from(sorted(PROVIDERS)), kind=st.sampled_from(KINDS))
def test_any_octets_are_refused_and_could_be_read(body: bytes, key: str, kind: str) -> None:
    request = HookRequest("http://tocsin.test/hooks/x", {"content-type": kind}, body)
    PROVIDERS[key].read(request, TOKENS, START)
    with pytest.raises(ForgedError):
        PROVIDERS[key].verify(request, ["c2VjcmV0", "name:password"], START)


def test_the_pieces_of_an_array_are_its_very_octets() -> None:
    body = b' [ {"a":1.0 , "b":"\xc3\xa9"},{"c":[{}]} ] '
    assert [raw for _, raw in pieces(body)] == [b'{"a":1.0 , "b":"\xc3\xa9"}', b'{"c":[{}]}']


@pytest.mark.parametrize(
    "written", ["1e999", "nan", "", "soon", 10**400, True, None, "9999-99-99", "2030-01-01"]
)
def test_a_moment_that_cannot_be_is_now(written: object) -> None:
    assert moment_of(written, START) == START


def read_one(key: str, event: object, kind: str = "application/json") -> Signal:
    request = HookRequest("http://tocsin.test/", {"content-type": kind}, json.dumps(event).encode())
    (signal,) = PROVIDERS[key].read(request, TOKENS, START)
    return signal


def test_a_word_nobody_knows_is_kept_as_unknown() -> None:
    events: dict[str, object] = {
        "sendgrid": [{"event": "transmogrified", "email": "ada@exemple.fr"}],
        "brevo": {"event": "transmogrified", "email": "ada@exemple.fr"},
        "mailjet": {"event": "transmogrified", "email": "ada@exemple.fr"},
        "postmark": {"RecordType": "transmogrified", "Email": "ada@exemple.fr"},
        "mailgun": {"event-data": {"event": "transmogrified", "recipient": "ada@exemple.fr", "id": "1"}},
        "resend": {"type": "email.transmogrified", "data": {"to": ["ada@exemple.fr"]}},
        "sparkpost": [{"msys": {"new_event": {"type": "transmogrified", "rcpt_to": "ada@exemple.fr"}}}],
        "postal": {"event": "transmogrified", "payload": {"message": {"to": "ada@exemple.fr"}}, "uuid": "1"},
    }
    for key, event in events.items():
        signal = read_one(key, event)
        assert (signal.kind, signal.recipient) == (EventKind.UNKNOWN, "ada@exemple.fr"), key


def test_what_the_provider_did_not_send_is_nobodys_fault_outside() -> None:
    signal = read_one(
        "sendgrid", [{"event": "dropped", "reason": "Invalid SMTPAPI header", "email": "ada@exemple.fr"}]
    )
    assert signal.verdict is not None
    assert (signal.kind, signal.verdict.fault) == (EventKind.BOUNCED, Fault.RELAY)


def ses_bounce(subtype: str) -> dict[str, object]:
    bounced = [{"emailAddress": "ada@exemple.fr", "diagnosticCode": "not sent", "status": "5.1.1"}]
    bounce = {"bounceType": "Permanent", "bounceSubType": subtype, "bouncedRecipients": bounced}
    event = {"eventType": "Bounce", "bounce": bounce, "mail": {}}
    return {"Type": "Notification", "MessageId": "1", "Message": json.dumps(event)}


HELD_BACK: list[tuple[str, object]] = [
    ("sendgrid", [{"event": "dropped", "reason": "Bounced Address", "email": "ada@exemple.fr"}]),
    ("sendgrid", [{"event": "dropped", "reason": "Spam Reporting Address", "email": "ada@exemple.fr"}]),
    ("postmark", {"RecordType": "Bounce", "Type": "ManuallyDeactivated", "Details": "550 5.1.1 no"}),
    ("postmark", {"RecordType": "Bounce", "Type": "InactiveRecipient"}),
    ("postmark", {"RecordType": "Bounce", "Type": "SMTPApiError", "Details": "Recipient is inactive"}),
    ("mailgun", {"event-data": {"event": "failed", "reason": "suppress-bounce", "severity": "permanent"}}),
    ("mailgun", {"event-data": {"event": "failed", "delivery-status": {"code": 605}}}),
    ("amazon_ses", ses_bounce("Suppressed")),
    ("amazon_ses", ses_bounce("OnAccountSuppressionList")),
    ("brevo", {"event": "blocked", "reason": "blocked : due to blacklist user", "email": "ada@exemple.fr"}),
    ("mailjet", {"event": "blocked", "error": "preblocked", "email": "ada@exemple.fr"}),
    ("resend", {"type": "email.suppressed", "data": {"to": ["ada@exemple.fr"]}}),
    ("resend", {"type": "email.bounced", "data": {"to": ["a@b.fr"], "bounce": {"subType": "Suppressed"}}}),
    (
        "sparkpost",
        [{"msys": {"message_event": {"type": "bounce", "bounce_class": "26", "raw_reason": "no"}}}],
    ),
    (
        "postal",
        {
            "event": "MessageDeliveryFailed",
            "payload": {
                "message": {"to": "ada@exemple.fr"},
                "status": "HardFail",
                "details": "Recipient is on the suppression list",
            },
        },
    ),
]


@pytest.mark.parametrize(("key", "event"), HELD_BACK)
def test_what_a_providers_own_list_held_back_is_named_so_and_proves_nothing(key: str, event: object) -> None:
    signal = read_one(key, event)
    assert signal.verdict is not None
    told = (signal.kind, signal.verdict.bounce_class, signal.verdict.fault, signal.details["cause"])
    assert told == (EventKind.BOUNCED, BounceClass.HELD_BACK, Fault.PROVIDER, "suppressed")
    assert policy_at_once(signal.verdict) is None


def test_what_mandrills_own_list_held_back_is_named_so() -> None:
    event = {"event": "reject", "msg": {"email": "ada@exemple.fr"}, "reject": {"reason": "hard-bounce"}}
    call = PROVIDERS["mandrill"].recall(json.dumps(event).encode())
    (signal,) = PROVIDERS["mandrill"].read(call, TOKENS, START)
    assert signal.verdict is not None
    assert signal.verdict.bounce_class is BounceClass.HELD_BACK


def test_an_answer_is_told_without_its_type() -> None:
    signal = read_one(
        "postmark", {"RecordType": "Bounce", "Type": "HardBounce", "Details": "smtp;550 5.1.1 No such user"}
    )
    assert signal.reply is not None
    assert (signal.reply.code, signal.reply.text) == (550, "550 5.1.1 No such user")


def test_a_filters_word_is_no_persons_complaint() -> None:
    signal = read_one(
        "postmark", {"RecordType": "Bounce", "Type": "SpamNotification", "Email": "ada@exemple.fr"}
    )
    assert signal.verdict is not None
    assert (signal.kind, signal.verdict.bounce_class) == (EventKind.BOUNCED, BounceClass.SPAM)


def test_a_list_mended_by_hand_at_the_provider_gives_no_consent_back() -> None:
    change = {"RecordType": "SubscriptionChange", "SuppressSending": False, "Recipient": "ada@exemple.fr"}
    assert read_one("postmark", change | {"Origin": "Admin"}).kind is EventKind.UNKNOWN
    assert read_one("postmark", change | {"Origin": "Recipient"}).kind is EventKind.RESUBSCRIBED


def test_our_token_is_found_wherever_it_comes_back_and_no_other_is_believed() -> None:
    token = TOKENS.make(TokenPurpose.MESSAGE, 7)
    forged = ("a" if token[0] != "a" else "b") + token[1:]
    for written, number in ((f"<{token}@parti.example>", 7), (token.upper(), 7), (f"<{forged}@x>", None)):
        event = {"event": "open", "smtp-id": written, "email": "ada@exemple.fr"}
        assert read_one("sendgrid", [event]).delivery_id == number
    leave = TOKENS.make(TokenPurpose.LEAVE, 7)
    assert read_one("sendgrid", [{"event": "open", "smtp-id": leave}]).delivery_id is None


def test_each_of_several_recipients_has_news_of_its_own_whose_name_outlives_no_address() -> None:
    people = ["ada@exemple.fr", "zoe@exemple.fr"]
    bounced = [{"emailAddress": one, "diagnosticCode": "smtp; 550 5.1.1 no"} for one in people]
    event = {"eventType": "Bounce", "bounce": {"bouncedRecipients": bounced}, "mail": {}}
    calls = {
        "amazon_ses": {"Type": "Notification", "MessageId": "n-1", "Message": json.dumps(event)},
        "resend": {"type": "email.delivered", "data": {"to": people}},
    }
    for key, call in calls.items():
        headers = {"content-type": "application/json", "svix-id": "n-1"}
        request = HookRequest("http://tocsin.test/", headers, json.dumps(call).encode())
        told = PROVIDERS[key].read(request, TOKENS, START)
        assert [signal.recipient for signal in told] == people
        assert [signal.source_id for signal in told] == ["n-1:0", "n-1:1"]


def test_what_the_far_server_said_gives_the_finer_reason() -> None:
    record = {
        "RecordType": "Bounce",
        "Type": "SoftBounce",
        "ID": 7,
        "Email": "lucie@ville.example",
        "Details": "smtp;552 5.2.2 boite pleine",
    }
    request = HookRequest("http://tocsin.test/hooks/postmark", {}, json.dumps(record).encode())
    (signal,) = PROVIDERS["postmark"].read(request, TOKENS, START)
    assert signal.details["cause"] == "mailboxfull"
