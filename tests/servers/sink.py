"""A mailbox store for tests: takes over SMTP or LMTP what a mail server hands on, and keeps it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["ReceivedMail", "Sink", "sink"]


@dataclass(frozen=True)
class ReceivedMail:
    """One message as it came: `content` are the bytes of DATA; a bounce has the sender ""."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass
class Sink:
    """Speaks LMTP on `lmtp_port` and SMTP on `smtp_port`, and keeps every mail, but for `refusals`.

    `refusals["full@inbox.test"] = "552 5.2.2 Mailbox full"`, and the mail server in front of it has to
    write a bounce. One recipient a mail: aiosmtpd answers LMTP once, however many there are.
    """

    lmtp_port: int = 0
    smtp_port: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    mails: list[ReceivedMail] = field(default_factory=list)
    _arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        refusal = next((self.refusals[who] for who in envelope.rcpt_tos if who in self.refusals), None)
        if refusal is not None:
            return refusal
        content = envelope.content
        kept = content if isinstance(content, bytes) else (content or "").encode()
        async with self._arrival:
            self.mails.append(
                ReceivedMail((envelope.mail_from or "").strip("<>"), tuple(envelope.rcpt_tos), kept)
            )
            self._arrival.notify_all()
        return "250 2.0.0 Kept"

    async def wait_for(self, count: int, *, seconds: float = 60) -> list[ReceivedMail]:
        """The mails kept, once there are at least `count`; TimeoutError if they do not come."""
        async with asyncio.timeout(seconds), self._arrival:
            await self._arrival.wait_for(lambda: len(self.mails) >= count)
        return list(self.mails)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A place where mail ends, over LMTP and over SMTP."""
    loop = asyncio.get_running_loop()
    place = Sink()
    # aiosmtpd's own Controller cannot start on port 0.
    lmtp = await loop.create_server(lambda: LMTP(place, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
    smtp = await loop.create_server(lambda: SMTP(place, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
    place.lmtp_port = lmtp.sockets[0].getsockname()[1]
    place.smtp_port = smtp.sockets[0].getsockname()[1]
    yield place
    for server in (lmtp, smtp):
        server.close()
        await server.wait_closed()
