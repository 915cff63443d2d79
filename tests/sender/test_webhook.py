"""Webhooks are signed, patient, and never led to where they must not go."""

import base64
import gzip
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from standardwebhooks import Webhook

from models.values import Accepted, Deferred, Refused
from sender.webhook import (
    LONGEST_REST,
    ForbiddenAddressError,
    WebhookOptions,
    check_address,
    is_public,
    post,
    read_rest,
    signature,
)
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


async def test_while_a_secret_is_changed_both_sign_and_the_library_takes_either(
    hook_taker: HookTaker,
) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - the verifier knows no other clock
    other = "whsec_" + base64.b64encode(b"the next sixteen").decode()
    options = WebhookOptions(other, before=SECRET, private=True, timeout=timedelta(seconds=2))
    assert isinstance(
        await post(hook_taker.url, b'{"a": "\xc3\xa9"}', message_id="m", now=now, options=options), Accepted
    )
    ((headers, body),) = hook_taker.calls
    for secret in (SECRET, other):
        assert Webhook(secret).verify(body, headers) == {"a": "é"}


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://8.8/",
        "https://134744072/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://127.0.0.1./",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1%25eth0]/",
        "https://[::1]/",
        "https://user:word@example.org/",
        "https://user@example.org/",
        "https://example.org@127.0.0.1/",
        "https://example.org:22/",
        "https://example.org:25/",
        "https://example.org:6379/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exam ple.org/",
        "https://example.org\\@127.0.0.1/",
        "https://①②⑦.0.0.1/",
        "https://example.org/\n",
        "https://./",
        "https://a..b/",
        "http://93.184.216.34/",
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "//example.org/",
    ],
)  # fmt: skip
def test_spellings_that_lead_astray_are_refused_before_anything_is_looked_up(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        check_address(url)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://hooks.example.org/a?key=1", 443),
        ("https://hooks.example.org:8443/", 8443),
        ("https://93.184.216.34/", 443),
        ("https://[2606:2800:220:1:248:1893:25c8:1946]/", 443),
        ("https://xn--bcher-kva.example/", 443),
        ("https://my_host.example.org./", 443),
    ],
)
def test_ordinary_addresses_are_taken(url: str, port: int) -> None:
    assert check_address(url)[2] == port


async def test_for_rehearsals_this_machine_is_reached_without_https_and_nothing_else_is(
    hook_taker: HookTaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = WebhookOptions(SECRET, loopback=True, timeout=timedelta(seconds=1))
    assert isinstance(await post(hook_taker.url, b"{}", message_id="m", now=START, options=options), Accepted)
    for url in ("http://10.0.0.1/", "https://10.0.0.1/", "http://93.184.216.34/"):
        outcome = await post(url, b"{}", message_id="m", now=START, options=options)
        assert isinstance(outcome, Refused), url


async def test_a_name_that_leads_to_this_machine_is_refused_when_it_is_called(
    hook_taker: HookTaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it led to when the address was entered: what is looked up is what is called."""
    asked: list[str] = []
    answers = ["93.184.216.34", "127.0.0.1"]

    def look_up(host: str, port: int, *_rest: object) -> list[tuple[object, ...]]:
        asked.append(host)
        # One public and one private address: any of them would be called by somebody.
        return [(2, 1, 6, "", (one, port)) for one in answers]

    monkeypatch.setattr("sender.webhook.socket.getaddrinfo", look_up)
    options = WebhookOptions(SECRET, timeout=timedelta(seconds=1))
    url = f"https://rebinding.example:{hook_taker.port}/"
    outcome = await post(url, b"{}", message_id="m", now=START, options=options)
    assert isinstance(outcome, Refused)
    assert asked == ["rebinding.example"], "looked up once, and not again for the connection"
    assert hook_taker.calls == []


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("120", timedelta(minutes=2)),
        ("999999999", LONGEST_REST),
        ((START + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT"), timedelta(hours=1)),
        ((START - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT"), timedelta()),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
    ],
)
def test_how_long_the_other_side_wants_to_rest(text: str, rest: timedelta | None) -> None:
    assert read_rest(text, START) == rest


async def test_a_rest_that_is_asked_for_is_told(hook_taker: HookTaker) -> None:
    hook_taker.answers = [b"HTTP/1.1 503 Later\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"]
    outcome = await post(hook_taker.url, b"{}", message_id="m", now=START, options=HERE)
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after == timedelta(seconds=90)
