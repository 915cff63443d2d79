"""A desk where wishes of programs are put on record, with all that they need."""

import hashlib

from sqlmodel import select

from models.api import ApiKey, KeyMode
from models.delivery import Delivery
from models.states import Channel
from scheduler.accepting import Acceptor
from scheduler.asked import Asker, Receipt, Refusal, Results, Wish
from scheduler.calendar import UsualWindows
from scheduler.forms import Forms
from store import Database
from tests.clocks import START, ManualClock
from tests.factories import a_template, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all


class Desk:
    """An acceptor with a key, a template and an identity; `ask` puts wishes on record."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.acceptor = Acceptor(database, clock, Forms(database, "fr"), UsualWindows(), "UTC")
        self.version = self.text = self.identity = self.key = 0

    async def open(self) -> "Desk":
        async with self.database.write() as session:
            self.identity = (await an_identity(session)).id
            self.version = (await a_template(session)).id
            self.text = (await a_template(session, channel=Channel.SMS)).id
            digest = hashlib.sha256(b"secret").hexdigest()
            key = ApiKey(name="CRM", mode=KeyMode.LIVE, key_hash=digest, hint="cret", created_at=START)
            session.add(key)
            await session.flush()
            self.key = key.id
        return self

    def wish(self, address: str = "camille@gmail.com", **changes: object) -> Wish:
        known: dict[str, object] = {
            "version_id": self.version,
            "channel": Channel.EMAIL,
            "address": address,
            "variables": {"first_name": "Camille"},
        }
        return Wish(**{**known, **changes})  # type: ignore[arg-type]

    async def ask(self, *wishes: Wish, asker: Asker | None = None) -> list[Receipt | Refusal]:
        results: list[Receipt | Refusal] = []

        def tell(found: Results) -> tuple[int, str]:
            results.extend(found)
            return 202, "taken"

        await self.acceptor.accept(asker or Asker(self.key), wishes, tell)
        return results

    async def rows(self) -> list[Delivery]:
        async with self.database.read() as session:
            return list((await session.exec(select(Delivery).order_by(Delivery.id))).all())  # type: ignore[arg-type]

    async def drain(self, transport: ScriptedTransport) -> None:
        dispatcher = a_dispatcher(self.database, transport, self.clock)
        await drain_all(self.database, dispatcher, self.clock.now())
        await dispatcher.close()
