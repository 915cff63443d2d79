"""`tocsin webhooks`, as it is typed."""

import re

import pytest

from models.webhook import EndpointState, WebhookEndpoint
from service.commands.webhooks import _state
from tests.service.conftest import Tocsin, Typed

URL = "https://crm.example.org/hooks"


@pytest.fixture
def hooks(ready: Tocsin, typed: Typed) -> Typed:
    """The command, on a database that is ready."""
    assert ready.folder.exists()
    return typed


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("webhook_gone", "disabled (it answered 410)"),
        ("webhook_given_up", "disabled (nothing arrived for five days)"),
        ("Ada", "disabled (Ada)"),
        ("", "disabled"),
    ],
)
def test_why_a_webhook_is_disabled_is_told_in_words(reason: str, told: str) -> None:
    one = WebhookEndpoint(state=EndpointState.DISABLED, reason=reason)  # type: ignore[call-arg]
    assert _state(one, "UTC") == told


def test_a_webhook_is_added_tested_disabled_enabled_and_removed(hooks: Typed) -> None:
    assert "No program hears of anything" in hooks.must("webhooks", "list")
    told = hooks.must("webhooks", "add", URL, "--type", "message.bounced", "--test")
    assert re.search(r"^whsec_\S{44}$", told, re.MULTILINE)
    listed = hooks.must("webhooks", "list")
    assert re.search(rf"1 +{URL} +test +message.bounced +not called yet +0", listed), listed
    assert "whsec_" not in listed
    hooks.must("webhooks", "test", "1")
    assert re.search(r"webhook.ping +pending +0", hooks.must("webhooks", "log", "1"))
    assert "Nothing was told." in hooks.must("webhooks", "log", "1", "--state", "failed")
    hooks.must("webhooks", "disable", "1")
    assert "disabled (the terminal)" in hooks.must("webhooks", "list")
    assert "This webhook is disabled" in hooks("webhooks", "test", "1").err
    hooks.must("webhooks", "enable", "1")
    assert "not called yet" in hooks.must("webhooks", "list")
    hooks.must("webhooks", "remove", "1")
    assert "There is no webhook number 1" in hooks("webhooks", "log", "1").err


def test_a_new_secret_is_printed_alone(hooks: Typed) -> None:
    first = hooks.must("webhooks", "add", URL).splitlines()[-1]
    second = hooks.must("webhooks", "rotate", "1").strip()
    assert second.startswith("whsec_")
    assert second != first


def test_what_was_told_is_told_again(hooks: Typed) -> None:
    hooks.must("webhooks", "add", URL)
    hooks.must("webhooks", "test", "1")
    assert "1 told again" in hooks.must(
        "webhooks", "again", "1", "--since", "2020-01-01T00:00+01:00", "--failed"
    )
    assert "1 told again" in hooks.must("webhooks", "again", "1", "--notice", "1")
    assert "nothing to tell again" in hooks.must(
        "webhooks", "again", "1", "--since", "2999-01-01T00:00+01:00"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "http://crm.example.org/"), "It is not https."),
        (("add", "https://10.0.0.1/"), "not of the public internet"),
        (("add", URL, "--type", "message.exploded"), "There is no event type message.exploded"),
        (("again", "1"), "Say which"),
        (("again", "1", "--since", "yesterday"), "'yesterday' is no moment"),
        (("again", "1", "--since", "2026-03-10T09:00"), "has no offset"),
        (("enable", "7"), "There is no webhook number 7"),
    ],
)
def test_what_cannot_be_is_refused(hooks: Typed, words: tuple[str, ...], told: str) -> None:
    answer = hooks("webhooks", *words)
    assert told in answer.err
