"""A program that calls the API with a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from sqlmodel import select

from models.api import KeyMode, Scope
from models.delivery import Delivery
from models.states import Channel
from store import api_keys
from tests.factories import a_template, an_identity
from tests.scheduler.desks import a_dispatcher, drain_all
from tests.web.browsers import Site

EVERYTHING = tuple(Scope)


@dataclass
class Program:
    """Has a key of `site`; answers are those of the application itself."""

    site: Site
    secret: str
    key_id: int
    client: httpx.AsyncClient

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """One call; `headers` with underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"authorization": f"Bearer {self.secret}"} | named
        return await self.client.request(method, f"/v1{path}", json=json, headers=told)

    async def send(self, **changes: Any) -> httpx.Response:
        """Ask for a message."""
        return await self.call("POST", "/messages", a_wish(**changes))

    async def drain(self) -> list[str]:
        """Let everything leave that is due; who got something, by now."""
        dispatcher = a_dispatcher(self.site.database, self.site.postman, self.site.clock)
        await drain_all(self.site.database, dispatcher, self.site.clock.now())
        await dispatcher.close()
        return self.site.postman.recipients

    async def deliveries(self) -> list[Delivery]:
        """Every delivery there is."""
        async with self.site.database.read() as session:
            return list((await session.exec(select(Delivery))).all())


def a_wish(**changes: Any) -> dict[str, Any]:
    """A receipt for Camille."""
    return {
        "to": {"email": "camille@gmail.com"},
        "template": {"id": "Reçu"},
        "variables": {"first_name": "Camille"},
    } | changes


async def a_program(
    site: Site,
    *,
    mode: KeyMode = KeyMode.LIVE,
    scopes: Sequence[Scope] = EVERYTHING,
    furnished: bool = True,
    **options: Any,
) -> Program:
    """A program with a key; `furnished`: there are an identity and two templates, `Reçu` and `SMS`."""
    async with site.database.write() as session:
        if furnished:
            await an_identity(session)
            await a_template(session, name="Reçu")
            await a_template(session, name="SMS", channel=Channel.SMS)
        key, secret = await api_keys.add_key(
            session, name="CRM", mode=mode, scopes=scopes, by="test", now=site.clock.now(), **options
        )
    transport = httpx.ASGITransport(site.app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=site.public_url)
    return Program(site, secret, key.id, client)
