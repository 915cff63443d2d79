"""A program believes webhooks that are signed, and no others."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from tocsin_client import NotGenuineError, verify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
BODY = '{"type":"message.delivered","data":{"é":"ü"}}'


def headers(*secrets: str, body: str = BODY, at: datetime = NOW) -> dict[str, str]:
    """As the reference library signs it."""
    signed = " ".join(Webhook(secret).sign("evt_1", at, body) for secret in secrets)
    moment = str(int(at.timestamp()))
    return {"Webhook-Id": "evt_1", "webhook-timestamp": moment, "Webhook-Signature": signed}


def test_what_the_reference_library_signs_is_genuine() -> None:
    assert verify_webhook(SECRET, headers(SECRET), BODY, now=NOW.timestamp()) == json.loads(BODY)
    assert verify_webhook(SECRET, headers(SECRET), BODY.encode(), now=NOW.timestamp())


def test_while_secrets_change_either_signature_will_do() -> None:
    for secret in (SECRET, OTHER):
        assert verify_webhook(secret, headers(OTHER, SECRET), BODY, now=NOW.timestamp())


@pytest.mark.parametrize("seconds", [-299, 299])
def test_clocks_may_differ_a_little(seconds: int) -> None:
    assert verify_webhook(SECRET, headers(SECRET), BODY, now=NOW.timestamp() + seconds)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_one_is_not_believed_again(seconds: int) -> None:
    with pytest.raises(NotGenuineError, match="five minutes"):
        verify_webhook(SECRET, headers(SECRET), BODY, now=NOW.timestamp() + seconds)


def test_this_moment_is_the_machines_own_unless_given() -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)  # noqa: TID251 - the client has no other clock
    assert verify_webhook(SECRET, headers(SECRET, at=at), BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Id": "evt_2"},
        {"Webhook-Id": ""},
        {"webhook-timestamp": "1772359201"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "²"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,AAAA v1 v1, v1,é"},
        {"Webhook-Signature": "v1a," + headers(SECRET)["Webhook-Signature"][3:]},
    ],
)
def test_a_forged_one_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(NotGenuineError):
        verify_webhook(SECRET, headers(SECRET) | change, BODY, now=NOW.timestamp())


def test_another_body_or_another_secret_is_refused() -> None:
    with pytest.raises(NotGenuineError):
        verify_webhook(SECRET, headers(SECRET), BODY + " ", now=NOW.timestamp())
    with pytest.raises(NotGenuineError):
        verify_webhook(OTHER, headers(SECRET), BODY, now=NOW.timestamp())


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_a"])
def test_what_is_no_secret_is_told_at_once(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify_webhook(secret, headers(SECRET), BODY, now=NOW.timestamp())


@given(st.text(max_size=80))
def test_no_signature_makes_it_fail_otherwise(signature: str) -> None:
    with pytest.raises(NotGenuineError):
        verify_webhook(SECRET, headers(OTHER) | {"Webhook-Signature": signature}, BODY, now=NOW.timestamp())
