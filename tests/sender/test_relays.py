"""Providers as relays: what they are told of a message, what they answer, signatures that survive them."""

import re
from email import message_from_bytes, policy

import pytest

from models.tokens import TOKEN_LENGTH
from models.values import Accepted, Reply
from sender import EmailBuilder, SmtpOptions, SmtpServer, SmtpTransport
from sender.dkim import verify
from sender.relays import MANNERS, ProviderRelay, read_relay
from sender.smtp import Tls
from tests.sender.conftest import HEADERS, Keys, StartPeer, a_letter, a_sender, build

EVERY = pytest.mark.parametrize("key", MANNERS)
TOKEN = "abcdefghijklmnopqrstuvwx"
NUMBERS = {
    "amazon_ses": ("0102018e6a1b2c3d-4e5f6a7b-8c9d-0e1f-2a3b-4c5d6e7f8a9b-000000", "250 Ok {}"),
    "sendgrid": ("Lli-03HcQ5-JLybO9fXsJg", "250 Ok: queued as {}"),
    "mailjet": ("a08b7f37-ed61-423a-ba75-38ed2fd4b54c", "250 OK queued as {}"),
    "brevo": ("202603101158.9876543210@smtp-relay.mailin.fr", "250 2.0.0 OK: queued as <{}>"),
}
"""What each calls a message, and how it says so when it takes one."""


def rewritten(data: bytes, taken_off: str) -> bytes:
    """What a provider makes of a message: its own header gone, Message-ID and Date its own."""
    head, blank, body = data.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", head)
    named = {
        "message-id": b"Message-ID: <its-own@relay.test>",
        "date": b"Date: Sun, 29 Mar 2026 09:31:00 +0000",
    }
    kept = [
        named.get(name, line)
        for line in lines
        if (name := line.partition(b":")[0].decode().lower()) != taken_off.lower()
    ]
    return b"Received: by relay.test\r\n" + b"\r\n".join(kept) + blank + body


def a_signed(keys: Keys, relay: ProviderRelay | None) -> bytes:
    builder = EmailBuilder(a_sender(signing_keys=keys.signing(*keys.algorithms)))
    return bytes(build(builder, for_relay=None if relay is None else relay.headers(TOKEN)).data)


def opinions(data: bytes, keys: Keys) -> list[bool]:
    return [opinion.valid for opinion in verify(data, keys.zone.get) if opinion.selector == "s1"]


@EVERY
def test_a_signature_survives_what_the_provider_does_to_a_message(keys: Keys, key: str) -> None:
    data = a_signed(keys, ProviderRelay(key))
    assert opinions(data, keys) == [True]
    assert opinions(rewritten(data, MANNERS[key].header), keys) == [True]
    # For nobody in particular they are signed, and would not survive.
    assert opinions(rewritten(a_signed(keys, None), ""), keys) == [False]


def test_what_stays_as_it_is_remains_signed_and_nothing_can_be_put_beside_it(keys: Keys) -> None:
    data = a_signed(keys, ProviderRelay("amazon_ses"))
    parsed = message_from_bytes(data, policy=policy.default)
    signed = "".join(str(parsed["DKIM-Signature"]).lower().split())
    listed = re.search(r"h=([^;]*);", signed)
    assert listed is not None
    names = listed[1].split(":")
    for name in ("from", "to", "subject", "reply-to", "content-type"):
        assert names.count(name) == 2, name
    for name, _ in HEADERS:
        assert name.lower() in names
    assert not {"message-id", "date", "x-ses-message-tags"} & set(names)
    assert parsed["Message-ID"] == f"<{TOKEN}@news.test>"
    assert parsed["Date"]
    assert opinions(data.replace(b"\r\nSubject:", b"\r\nSubject: other\r\nSubject:", 1), keys) == [False]


@EVERY
def test_a_provider_is_told_the_token_and_nothing_else(keys: Keys, key: str) -> None:
    before = message_from_bytes(a_signed(keys, None), policy=policy.default)
    after = message_from_bytes(a_signed(keys, ProviderRelay(key)), policy=policy.default)
    added = {name: after[name] for name in set(after.keys()) - set(before.keys())}
    assert list(added) == ([MANNERS[key].header] if MANNERS[key].header else [])
    for value in added.values():
        assert set(re.findall(r"[A-Za-z0-9_]+", value)) - {TOKEN} <= {"tocsin", "unique_args", "metadata"}
        assert TOKEN in value
        assert len(value) < 100


@pytest.mark.parametrize(
    ("text", "header", "value"),
    [
        ("amazon_ses:lettres", "X-SES-CONFIGURATION-SET", "lettres"),
        ("postmark:broadcast", "X-PM-Message-Stream", "broadcast"),
        ("mandrill:parti", "X-MC-Subaccount", "parti"),
    ],
)
def test_a_part_of_the_account_is_named_in_a_header_of_its_own(text: str, header: str, value: str) -> None:
    assert (header, value) in read_relay(text).headers(TOKEN)
    assert len(read_relay(text).headers(TOKEN)) == 2


@pytest.mark.parametrize(
    "text", ["", "gmail", "sendgrid:part", "amazon_ses:", "amazon_ses:a b", "postmark:a\r\nX: y"]
)
def test_what_names_no_provider_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names|knows|provider"):
        read_relay(text)


@pytest.mark.parametrize("key", NUMBERS)
async def test_the_number_in_the_reply_to_a_message_is_kept(peer: StartPeer, key: str) -> None:
    number, said = NUMBERS[key]
    server = await peer(replies={"DOT": said.format(number)})
    relay = SmtpServer("127.0.0.1", server.port, Tls.NONE)
    transport = SmtpTransport(SmtpOptions(relay=relay, number_in=ProviderRelay(key).number_in))
    plain = SmtpTransport(SmtpOptions(relay=relay))
    routed = SmtpTransport(
        SmtpOptions(
            relay=SmtpServer("127.0.0.2", server.port, Tls.NONE),
            routes={"orange": relay},
            number_in=ProviderRelay(key).number_in,
        )
    )
    outcomes = [await one.send(a_letter(), provider="orange") for one in (transport, plain, routed)]
    for one in (transport, plain, routed):
        await one.close()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert [getattr(outcome, "provider_message_id", "") for outcome in outcomes] == [number, None, None]


@EVERY
@pytest.mark.parametrize(
    "text", ["Ok", "2.0.0 Kept", "Great success", "Ok: queued as", "queued as <>", "x" * 5000, "Ok é"]
)
def test_a_reply_that_names_no_number_gives_none(key: str, text: str) -> None:
    assert ProviderRelay(key).number_in(Reply(250, None, text)) is None


def test_a_token_fits_wherever_it_is_put() -> None:
    assert len(TOKEN) == TOKEN_LENGTH
