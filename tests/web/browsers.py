"""A browser of sorts: it keeps cookies, reads the forms of pages and sends them as a person would."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import html5lib
import httpx
from fastapi import FastAPI

from models.access import Role, User
from models.states import Channel
from models.tokens import Tokens
from store import Database, users
from tests.clocks import ManualClock
from tests.factories import KEYRING
from tests.scheduler.desks import ScriptedTransport
from web import WebContext, create_app, hash_password

BASE = "http://tocsin.test"
SETUP_CODE = "bell-bell"
PASSWORD = "une phrase assez longue"
PASSWORD_HASH = hash_password(PASSWORD)
TWILIO_TOKEN = "a token for tests"


@dataclass
class Site:
    """The front door on a database of its own, and how often the conductor was woken."""

    database: Database
    clock: ManualClock
    folder: Path
    public_url: str = BASE
    woken: int = 0
    postman: ScriptedTransport = field(default_factory=ScriptedTransport)
    app: FastAPI = field(init=False)
    context: WebContext = field(init=False)

    def __post_init__(self) -> None:
        """Open the door."""
        self.context = WebContext(
            database=self.database,
            clock=self.clock,
            tokens=Tokens(KEYRING),
            keyring=KEYRING,
            public_url=self.public_url,
            setup_code=SETUP_CODE,
            wake=self._wake,
            twilio_auth_token=TWILIO_TOKEN,
            transports={Channel.EMAIL: self.postman},
            machine_span=timedelta(),
            data_dir=self.folder,
        )
        self.app = create_app(self.context)

    async def _wake(self) -> None:
        self.woken += 1

    def browser(self, language: str = "en") -> "Browser":
        """A fresh browser: no cookies."""
        return Browser(self.app, self.public_url, language)

    async def someone(self, role: Role, email: str = "") -> User:
        """An account of that role; its password is PASSWORD."""
        async with self.database.write() as session:
            return await users.add_user(
                session,
                email=email or f"{role.value}@parti.example",
                name=role.value.title(),
                password_hash=PASSWORD_HASH,
                role=role,
                language="en",
                now=self.clock.now(),
            )

    async def signed_in(self, role: Role) -> "Browser":
        """The browser of somebody of that role."""
        user = await self.someone(role)
        browser = self.browser()
        answer = await browser.send_form("/sign-in", {"email": user.email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """Keeps cookies; does not follow redirects unless asked."""

    def __init__(self, app: FastAPI, base: str, language: str) -> None:
        """`language` is what it says in Accept-Language."""
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url=base, headers={"accept-language": language}
        )

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Look at a page."""
        return await self.client.get(path, **options)

    async def read(self, path: str) -> str:
        """The text of a page that must be there."""
        answer = await self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.headers.get('location')}"
        return answer.text

    async def post(
        self, path: str, fields: Mapping[str, Any] | None = None, **options: Any
    ) -> httpx.Response:
        """Send fields as they are, without a form's token."""
        return await self.client.post(path, data=dict(fields or {}), **options)

    async def csrf(self, page: str) -> str:
        """The token of the forms of a page."""
        text = await self.read(page)
        found = re.search(r'name="csrf" value="([^"]+)"', text)
        assert found, f"{page} has no form"
        return found.group(1)

    async def send_form(
        self, path: str, fields: Mapping[str, Any] | None = None, *, page: str | None = None, **options: Any
    ) -> httpx.Response:
        """Send fields with the token of the form on `page` (by default: of the page `path`)."""
        token = await self.csrf(page or path)
        return await self.post(path, {"csrf": token, **(fields or {})}, **options)


def parse_strictly(text: str) -> Any:
    """The document; html5lib.html5parser.ParseError when the HTML is not valid."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
