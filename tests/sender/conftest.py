"""What the tests of the sender share: servers, certificates, keys, letters."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from models.signing import DkimAlgorithm, EmailSender, SigningKey
from models.values import EmailEnvelope, EmailMessage, SmsEnvelope
from sender.dkim import NewKey, dns_record, make_key
from sender.mime import EmailBuilder
from sender.sms_twilio import TwilioOptions, TwilioTransport
from sender.smtp import SmtpOptions, SmtpServer, SmtpTransport, Tls
from tests.sender.servers import Manners, SmtpPeer, TwilioPeer

ACCOUNT = "AC" + "0" * 32
TOKEN = "a secret"


@dataclass(frozen=True)
class Authority:
    """A certificate authority.

    `tls` is a server's side for localhost and 127.0.0.1, `misnamed` the same for another name.
    """

    ca_file: Path
    tls: ssl.SSLContext
    misnamed: ssl.SSLContext


@dataclass(frozen=True)
class Keys:
    """The two keys of news.test, and its zone: name of a record → its text."""

    rsa: NewKey
    ed25519: NewKey
    zone: dict[str, str]
    algorithms = (DkimAlgorithm.RSA, DkimAlgorithm.ED25519)

    def signing(self, *algorithms: DkimAlgorithm) -> tuple[SigningKey, ...]:
        by_algorithm = {DkimAlgorithm.RSA: ("s1", self.rsa), DkimAlgorithm.ED25519: ("e1", self.ed25519)}
        return tuple(
            SigningKey("news.test", by_algorithm[kind][0], kind, by_algorithm[kind][1].private_pem)
            for kind in algorithms
        )


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Made once: an RSA key takes a while."""
    rsa, ed25519 = make_key(DkimAlgorithm.RSA), make_key(DkimAlgorithm.ED25519)
    records = (
        dns_record(
            selector="s1", domain="news.test", algorithm=DkimAlgorithm.RSA, public_base64=rsa.public_base64
        ),
        dns_record(
            selector="e1",
            domain="news.test",
            algorithm=DkimAlgorithm.ED25519,
            public_base64=ed25519.public_base64,
        ),
    )
    return Keys(rsa, ed25519, {record.name: record.value for record in records})


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority and two certificates of it."""
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    ca_file = tmp_path_factory.mktemp("authority") / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    contexts = []
    for names in (("localhost", "127.0.0.1"), ("elsewhere.test",)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(*names, key_type=trustme.KeyType.ECDSA).configure_cert(context)
        contexts.append(context)
    return Authority(ca_file, *contexts)


StartPeer = Callable[..., Awaitable[SmtpPeer]]
Connect = Callable[..., SmtpTransport]


@pytest.fixture
async def peer() -> AsyncIterator[StartPeer]:
    """Starts mail servers, each with the manners it is given."""
    async with AsyncExitStack() as stack:

        async def start(**manners: Any) -> SmtpPeer:
            server = await SmtpPeer(Manners(**manners)).start()
            stack.push_async_callback(server.stop)
            return server

        yield start


@pytest.fixture
async def transport() -> AsyncIterator[Connect]:
    """Makes SMTP transports to a peer, closed at the end: `transport(peer, tls=Tls.NONE, timeout=0.3)`."""
    async with AsyncExitStack() as stack:

        def make(
            to: SmtpPeer,
            *,
            timeout: float = 5.0,
            idle: float = 10.0,
            connections: int = 5,
            messages: int = 100,
            **server: Any,
        ) -> SmtpTransport:
            relay = SmtpServer(**{"host": "127.0.0.1", "port": to.port, "tls": Tls.NONE, **server})
            made = SmtpTransport(
                SmtpOptions(
                    relay=relay,
                    hello_name="out.test",
                    connections_per_server=connections,
                    messages_per_connection=messages,
                    timeout=timedelta(seconds=timeout),
                    verdict_timeout=timedelta(seconds=timeout),
                    idle_timeout=timedelta(seconds=idle),
                )
            )
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioPeer]:
    """Something that answers like Twilio."""
    server = await TwilioPeer(ACCOUNT, TOKEN).start()
    yield server
    await server.stop()


ConnectTwilio = Callable[..., TwilioTransport]


@pytest.fixture
async def texting(twilio: TwilioPeer) -> AsyncIterator[ConnectTwilio]:
    """Makes Twilio transports to the peer, closed at the end: `texting(seconds=0.3)`."""
    async with AsyncExitStack() as stack:

        def make(*, seconds: float = 5.0, auth_token: str = TOKEN) -> TwilioTransport:
            options = TwilioOptions(ACCOUNT, auth_token, twilio.base_url, timedelta(seconds=seconds))
            made = TwilioTransport(options)
            stack.push_async_callback(made.close)
            return made

        yield make


def a_sender(**changes: Any) -> EmailSender:
    """Somebody to send as."""
    values = {
        "key": "amis",
        "name": "Les Amis de la Forêt",
        "from_email": "amis@news.test",
        "reply_to": "contact@news.test",
        "return_path_domain": "b.news.test",
        "signing_keys": (),
    }
    return EmailSender(**{**values, **changes})


def a_letter(**changes: Any) -> EmailEnvelope:
    """Something to send."""
    values = {
        "return_path": "b+token@b.news.test",
        "recipient": "ada@inbox.test",
        "data": b"From: amis@news.test\r\nSubject: Mardi\r\n\r\nBonjour\r\n.\r\n..deux\r\nfin\r\n",
    }
    return EmailEnvelope(**{**values, **changes})


def a_text(**changes: Any) -> SmsEnvelope:
    """A text message to send."""
    values = {
        "sender": "Amis",
        "recipient": "+33612345678",
        "text": "Réunion mardi à 19 h — STOP 36123",
        "status_callback": "https://t.news.test/hooks/twilio/status",
        "validity": timedelta(hours=1),
    }
    return SmsEnvelope(**{**values, **changes})


def a_message(**changes: Any) -> EmailMessage:
    """Something to say, as templates render it."""
    values = {
        "subject": "Réunion mardi à la mairie",
        "text": b"Bonjour Z=C3=A9lie,\r\n\r\n.un point =\r\nseul\r\n",
        "html": b"<html>\r\n<body>Bonjour Z&#233;lie</body>\r\n</html>\r\n",
    }
    return EmailMessage(**{**values, **changes})


HEADERS = (
    ("List-Unsubscribe", "<https://t.news.test/u/abcdefghijklmnopqrstuvwx>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("Feedback-ID", "12:amis:email:tocsin"),
    ("X-Tocsin-Delivery", "abcdefghijklmnopqrstuvwx"),
)
DATE = datetime(2026, 3, 29, 9, 30, tzinfo=UTC)
"""In the past: verifiers refuse signatures from the future."""


def build(builder: EmailBuilder, message: EmailMessage | None = None, **changes: Any) -> EmailEnvelope:
    """One e-mail, everything that matters not chosen."""
    values: dict[str, Any] = {
        "recipient": "ada@inbox.test",
        "return_path": "b+token@b.news.test",
        "message_id": "<abcdefghijklmnopqrstuvwx@news.test>",
        "date": DATE,
        "headers": HEADERS,
    }
    return builder.build(message if message is not None else a_message(), **{**values, **changes})
