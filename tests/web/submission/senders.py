"""A listener for programs' mail on a site of a test, and what speaks to it, byte by byte."""

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import trustme

from models.public_ids import Ids
from models.states import Nature
from models.tokens import Tokens
from scheduler.accepting import Acceptor
from scheduler.forms import Forms
from tests.factories import KEYRING
from tests.web.programs import Program
from web.submission import SubmissionDesk, SubmissionServer
from web.submission.entrance import Entrance

FROM = "national@parti.fr"


@dataclass
class Post:
    """The listener of one program, which may hand over mail on it."""

    program: Program
    authority: trustme.CA = field(default_factory=lambda: trustme.CA(key_type=trustme.KeyType.ECDSA))
    plain: bool = True
    implicit: bool = False
    per_minute: int = 20_000
    patience_s: tuple[float, float] = (60.0, 300.0)
    nature: Nature = Nature.UNSAID
    server: SubmissionServer = field(init=False)
    entrance: Entrance = field(init=False)
    lines: "list[Line]" = field(default_factory=list)

    async def open(self) -> "Post":
        """Start it."""
        site = self.program.site
        context = site.context
        forms = Forms(context.database, context.language)
        acceptor = Acceptor(
            context.database, context.clock, forms, context.outlook.rhythm.windows, context.zone
        )
        desk = SubmissionDesk(acceptor, Ids(Tokens(KEYRING)), context.wake, nature=self.nature)
        self.entrance = Entrance(context.database, context.clock, self.per_minute)
        self.server = SubmissionServer(
            desk,
            self.entrance,
            "127.0.0.1",
            0,
            tls=None if self.plain else self.encryption,
            implicit=self.implicit,
            patience_s=self.patience_s,
        )
        await self.server.start()
        return self

    async def stop(self) -> None:
        """Hang up on both sides."""
        for line in self.lines:
            line.close()
            with contextlib.suppress(OSError):
                await line.writer.wait_closed()
        await self.server.stop()

    def encryption(self) -> ssl.SSLContext:
        """The server's half."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf = self.authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
        leaf.configure_cert(context)
        return context

    def trust(self) -> ssl.SSLContext:
        """The client's half."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def line(self) -> "Line":
        """A connection of which nothing was said yet but the greeting."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        line = Line(reader, writer)
        self.lines.append(line)
        assert (await line.hear()).startswith("220 ")
        return line

    async def signed_in(self) -> "Line":
        """A connection that may hand over mail."""
        line = await self.line()
        await line.say("EHLO crm.example")
        assert (await line.say(f"AUTH PLAIN {as_plain(self.program.secret)}")).startswith("235 ")
        return line


@dataclass
class Line:
    """One connection, spoken by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, words: str | bytes) -> str:
        """A command, and the whole answer, its lines parted by |."""
        raw = words if isinstance(words, bytes) else words.encode()
        self.writer.write(raw + b"\r\n")
        return await self.hear()

    async def hear(self) -> str:
        """One answer; "" when the other side hung up."""
        lines = []
        async with asyncio.timeout(60):
            while True:
                line = (await self.reader.readline()).decode().rstrip("\r\n")
                lines.append(line)
                if line[3:4] != "-":
                    return "|".join(lines)

    async def hand_over(
        self, mail: bytes | EmailMessage, *recipients: str, sender: str = "crm@crm.example"
    ) -> str:
        """A whole mail; the answer to its end, or to the first thing that was refused."""
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        named = recipients or ("camille@gmail.com",)
        for words in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in named), "DATA"):
            answer = await self.say(words)
            if answer[0] not in "23":
                return answer
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
        return await self.say(raw.rstrip(b"\r\n") + b"\r\n.")

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def as_plain(secret: str, name: str = "tocsin") -> str:
    """The one word of AUTH PLAIN."""
    return base64.b64encode(f"\0{name}\0{secret}".encode()).decode()


def a_mail(
    text: str = "Merci de vos {{ amount }}, à bientôt.", html: str = "", **headers: Any
) -> EmailMessage:
    """A receipt; `headers` with underscores for hyphens, None leaves one out."""
    mail = EmailMessage()
    known = {"From": f"CRM <{FROM}>", "To": "camille@gmail.com", "Subject": "Votre reçu {{ x }}"}
    for name, value in {
        **known,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }.items():
        if value is not None:
            mail[name] = value
    if text:
        mail.set_content(text)
    if html and text:
        mail.add_alternative(html, subtype="html")
    elif html:
        mail.set_content(html, subtype="html")
    return mail
