"""kill -9 while programs call: what was answered is there, once, whatever is asked again."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from models.api import KeyMode, Scope
from store import Database, api_keys
from tests.clocks import START
from tests.factories import a_template, an_identity
from tests.servers import free_port
from tests.service.conftest import Tocsin
from tests.service.test_running import serving

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

KILLS, CALLERS = 5, 6


async def furnished(url: str) -> str:
    """An identity, a template and a key; its secret."""
    database = Database(url)
    async with database.write() as session:
        await an_identity(session)
        await a_template(session, name="Reçu")
        _, secret = await api_keys.add_key(
            session, name="CRM", mode=KeyMode.LIVE, scopes=[Scope.MESSAGES_SEND], by="test", now=START
        )
    await database.close()
    return secret


class Caller:
    """Asks for one message after the other, each as often as it takes to be told that it is on record."""

    def __init__(self, client: httpx.AsyncClient, name: str) -> None:
        self.client, self.name = client, name
        self.told: dict[str, set[str]] = {}
        self.stopped = False

    async def run(self) -> None:
        number = 0
        while not self.stopped:
            number += 1
            await self.ask_until_told(f"{self.name}-{number}")

    async def ask_until_told(self, reference: str) -> None:
        wish = {
            "to": {"email": f"{reference}@gmail.com"},
            "template": {"id": "Reçu"},
            "variables": {"first_name": "Camille"},
            "reference": reference,
        }
        async with asyncio.timeout(90):
            while True:
                try:
                    answer = await self.client.post(
                        "/v1/messages", json=wish, headers={"idempotency-key": reference}
                    )
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code in {409, 503}:
                    await asyncio.sleep(0.1)
                    continue
                assert answer.status_code == 202, answer.text
                self.told.setdefault(reference, set()).add(answer.json()["id"])
                return


async def on_record(url: str) -> tuple[Counter[str], int]:
    """How often each reference is on record, and how many deliveries there are."""
    database = Database(url)
    async with database.read() as session:
        connection = await session.connection()
        references = (await connection.execute(sa.text("SELECT reference FROM message"))).scalars().all()
        deliveries = await connection.scalar(sa.text("SELECT count(*) FROM delivery WHERE message_id <> 0"))
    await database.close()
    return Counter(references), int(deliveries or 0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_nothing_that_was_answered_is_lost_or_doubled(
    ready: Tocsin, kind: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{Path(ready.folder)}/tocsin-data/tocsin.db"
    variables: dict[str, str] = {}
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        variables["TOCSIN_DATABASE_URL"] = url
        ready.must("migrate", **variables)
    secret = await furnished(url)
    port = str(free_port())
    chance = random.Random(7)
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(
        base_url=f"http://localhost:{port}", headers=headers, trust_env=False, timeout=20
    ) as client:
        callers = [Caller(client, f"caller{number}") for number in range(CALLERS)]
        asking = [asyncio.create_task(caller.run()) for caller in callers]
        for kill in range(KILLS + 1):
            with serving(ready, "--port", port, **variables) as service:
                before = sum(len(caller.told) for caller in callers)
                async with asyncio.timeout(60):
                    while sum(len(caller.told) for caller in callers) < before + CALLERS:
                        await asyncio.sleep(0.02)
                await asyncio.sleep(chance.uniform(0, 0.5))
                if kill < KILLS:
                    service.process.send_signal(signal.SIGKILL)
                    await asyncio.to_thread(service.process.wait)
                    continue
                for caller in callers:
                    caller.stopped = True
                await asyncio.gather(*asking)
    told = {reference: ids for caller in callers for reference, ids in caller.told.items()}
    references, deliveries = await on_record(url)
    assert all(len(ids) == 1 for ids in told.values())
    assert references == Counter(told.keys())
    assert deliveries == len(told)
