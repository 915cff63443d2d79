"""Webhooks are signed, patient, and never led to where they must not go."""

import base64
import gzip
import hashlib
import hmac
from datetime import timedelta
from ipaddress import ip_address

import pytest

from models.values import Accepted, Deferred, Refused
from sender.webhook import WebhookOptions, is_public, post, signature
from tests.clocks import START
from tests.servers.hook_taker import HookTaker
from tests.servers.web_peer import StartWebPeer, answer

SECRET = "whsec_" + base64.b64encode(b"sixteen octets!!").decode()
HERE = WebhookOptions(SECRET, private=True, timeout=timedelta(seconds=1))


async def test_the_signature_is_that_of_standard_webhooks(hook_taker: HookTaker) -> None:
    outcome = await post(hook_taker.url, b'{"a": 1}', message_id="msg-7", now=START, options=HERE)
    assert isinstance(outcome, Accepted)
    ((headers, body),) = hook_taker.calls
    assert headers["webhook-id"] == "msg-7"
    assert headers["webhook-timestamp"] == str(int(START.timestamp()))
    signed = f"msg-7.{int(START.timestamp())}.".encode() + body
    expected = base64.b64encode(hmac.new(b"sixteen octets!!", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers[""] == "POST /hook?key=1 HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{hook_taker.port}"


def test_the_example_of_the_standard_comes_out() -> None:
    found = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                      START.fromtimestamp(1614265330, START.tzinfo), b'{"test": 2432232314}')  # fmt: skip
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", Deferred),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", Deferred),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", Refused),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Deferred),
        (b"not http at all\r\n\r\n", Deferred),
        (b"", Deferred),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5000, Accepted),
        (None, Deferred),
    ],
)
async def test_whatever_the_other_side_does_is_an_outcome(
    hook_taker: HookTaker, said: bytes | None, kind: type
) -> None:
    hook_taker.answers = [said]
    outcome = await post(hook_taker.url, b"{}", message_id="m", now=START, options=HERE)
    assert isinstance(outcome, kind), outcome
    assert len(hook_taker.calls) == 1, "a redirect is not followed"


async def test_nobody_there_is_an_outcome() -> None:
    outcome = await post("http://127.0.0.1:9/", b"{}", message_id="m", now=START, options=HERE)
    assert isinstance(outcome, Deferred)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://[::1]:{port}/"]
)
async def test_the_own_network_is_not_reached_unless_allowed(hook_taker: HookTaker, url: str) -> None:
    options = WebhookOptions(SECRET, timeout=timedelta(seconds=1))
    there = url.format(port=hook_taker.port)
    outcome = await post(there, b"{}", message_id="m", now=START, options=options)
    assert isinstance(outcome, Refused)
    assert "public internet" in outcome.reply.text
    assert hook_taker.calls == []


@pytest.mark.parametrize("url", ["http://example.org/", "ftp://example.org/", "nonsense", "https:///x"])
async def test_what_is_not_https_is_refused(url: str) -> None:
    outcome = await post(url, b"{}", message_id="m", now=START, options=WebhookOptions(SECRET))
    assert isinstance(outcome, Refused)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address that must be refused
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::7f00:1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("fec0::1", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("192.0.0.8", False),
        ("240.0.0.1", False),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_which_addresses_are_public(address: str, *, public: bool) -> None:
    assert is_public(ip_address(address)) is public


async def test_the_certificate_must_be_that_of_the_name_though_an_address_is_called(
    web_peer: StartWebPeer,
) -> None:
    right, wrong = await web_peer("localhost"), await web_peer("elsewhere.example")
    for peer, kind in ((right, Accepted), (wrong, Deferred)):
        peer.answers["/x"] = answer(b"ok")
        options = WebhookOptions(SECRET, private=True, timeout=timedelta(seconds=2), trusted=peer.trusted)
        url = f"https://localhost:{peer.port}/x"
        outcome = await post(url, b"{}", message_id="m", now=START, options=options)
        assert isinstance(outcome, kind), outcome


async def test_what_an_answer_packs_is_not_unpacked(hook_taker: HookTaker) -> None:
    packed = gzip.compress(b"x" * 1_000_000)
    head = b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    hook_taker.answers = [head + packed]
    outcome = await post(hook_taker.url, b"{}", message_id="m", now=START, options=HERE)
    assert isinstance(outcome, Deferred)
    assert "xxx" not in outcome.reply.text
    assert hook_taker.calls[0][0]["accept-encoding"] == "identity"
