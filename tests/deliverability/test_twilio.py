"""Twilio's calls."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from deliverability.signals.twilio import read_inbound, read_status, verify_signature
from models.states import BounceClass, Channel, EventKind
from tests.clocks import START

URL = "https://campagne.example/hooks/twilio/status?d=abc"
TOKEN = "a token for tests"


def sign(url: str, form: dict[str, str], token: str = TOKEN) -> str:
    """As Twilio does, by its own library, which carries no types."""
    validator: Any = RequestValidator
    return str(validator(token).compute_signature(url, form))


fields = st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=20), max_size=6)


@given(form=fields)
def test_what_twilios_own_library_signs_is_accepted(form: dict[str, str]) -> None:
    signature = sign(URL, form)
    assert verify_signature(URL, form, signature, TOKEN)


@given(form=fields, extra=st.text(min_size=1, max_size=5))
def test_a_changed_call_is_refused(form: dict[str, str], extra: str) -> None:
    signature = sign(URL, form)
    changed = {**form, "Zz": form.get("Zz", "") + extra}
    assert not verify_signature(URL, changed, signature, TOKEN)
    assert not verify_signature(URL, form, signature, TOKEN + "x")
    assert not verify_signature(URL.replace("https", "http"), form, signature, TOKEN)


def test_the_standard_port_may_be_named_or_not() -> None:
    form = {"MessageSid": "SM1"}
    with_port = URL.replace(".example/", ".example:443/")
    signature = sign(with_port, form)
    assert verify_signature(URL, form, signature, TOKEN)


def test_an_address_with_a_port_that_is_no_number_is_checked_as_it_stands() -> None:
    odd = URL.replace(".example/", ".example:port/")
    assert verify_signature(odd, {}, sign(odd, {}), TOKEN)
    assert not verify_signature(odd, {}, sign(URL, {}), TOKEN)


def test_nothing_is_accepted_without_a_token() -> None:
    assert not verify_signature(URL, {}, sign(URL, {}, token=""), "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", EventKind.RELAYED),
        ("sent", EventKind.RELAYED),
        ("delivered", EventKind.DELIVERED),
        ("undelivered", EventKind.BOUNCED),
        ("failed", EventKind.BOUNCED),
        ("teleported", EventKind.UNKNOWN),
    ],
)
def test_statuses_are_read_by_table_and_unknown_ones_are_kept(status: str, kind: EventKind) -> None:
    signal = read_status({"MessageSid": "SM1", "MessageStatus": status, "To": "+33612345678"}, START)
    assert (signal.kind, signal.channel, signal.provider_message_id) == (kind, Channel.SMS, "SM1")
    assert signal.source_id == f"SM1:{status}"
    assert signal.details["status"] == status


def test_an_undelivered_message_says_why() -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005"}
    verdict = read_status(form, START).verdict
    assert verdict is not None
    assert verdict.bounce_class is BounceClass.NO_SUCH_ADDRESS


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"Body": "Stop"}, EventKind.UNSUBSCRIBED),
        ({"Body": "je ne veux plus recevoir de sms"}, EventKind.UNSUBSCRIBED),
        ({"Body": "START"}, EventKind.RESUBSCRIBED),
        ({"Body": "Bravo"}, EventKind.REPLIED),
        ({"Body": "Bravo", "OptOutType": "STOP"}, EventKind.UNSUBSCRIBED),
    ],
)
def test_what_people_text_back_becomes_their_word(form: dict[str, str], kind: EventKind) -> None:
    signal = read_inbound({"From": "+33612345678", "MessageSid": "SM2", **form}, START)
    assert (signal.kind, signal.recipient, signal.source_id) == (kind, "+33612345678", "SM2")


@given(form=fields)
def test_any_form_is_read_without_raising(form: dict[str, str]) -> None:
    read_status(form, START)
    read_inbound(form, START)
