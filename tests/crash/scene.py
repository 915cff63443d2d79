"""One campaign that is interrupted again and again, and what must be true of it in the end."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import col, func, select

from benchmarks.ledger import RECIPIENT_DOMAIN, add_people, recipient
from models.campaign import Campaign
from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event
from models.identity import Identity
from models.pace import MailDomain
from models.states import CampaignState, DeliveryState, EventKind
from scheduler.campaigns import schedule
from store import Database, campaigns
from tests.factories import SECRET, a_campaign, an_identity
from tests.servers.workers import CountingSink, Nursery, Worker, WorkerTask

CONNECTIONS = 4
MOST_UNCERTAIN_A_KILL = 2 * CONNECTIONS
DONE = {CampaignState.FINISHED, CampaignState.INCOMPLETE}


@dataclass
class Scene:
    """A campaign to `people`, a sink that counts, and workers that come and go."""

    database: Database
    url: str
    folder: Path
    sink: CountingSink
    nursery: Nursery
    people: int
    emails_per_second: float = 1_000_000
    lease_s: float = 60
    campaign_id: int = 0
    kills: int = 0
    ways: list[str] = field(default_factory=list)

    async def set_up(self) -> None:
        """People, an identity, and a campaign to everybody that is due now."""
        await add_people(self.database, 1, self.people, "tous")
        now = SystemClock().now()
        async with self.database.write() as session:
            session.add(
                MailDomain(
                    domain=RECIPIENT_DOMAIN,
                    provider="other",
                    exchangers=[f"mx.{RECIPIENT_DOMAIN}"],
                    looked_up_at=now,
                    expires_at=now + timedelta(days=1),
                )
            )
            sender = await an_identity(session, emails_per_second=self.emails_per_second)
            campaign = await a_campaign(session, senders=[sender])
            self.campaign_id = campaign.id
            await schedule(session, campaign.id, now.replace(tzinfo=None), "UTC", now)

    def start(self, *, relay_port: int = 0, data_dir: str = "data", **odd: Any) -> Worker:
        """A worker; those with the same `data_dir` are on the same machine. `odd`: see WorkerTask."""
        return self.nursery.start(
            WorkerTask(
                database_url=self.url,
                data_dir=str(self.folder / data_dir),
                secret=SECRET,
                log=str(self.folder / "log"),
                smtp_url=f"smtp://127.0.0.1:{relay_port or self.sink.port}",
                connections=CONNECTIONS,
                emails_per_second=self.emails_per_second,
                lease_s=self.lease_s,
                **odd,
            )
        )

    async def arrived(self, count: int, worker: Worker, *, seconds: float = 60) -> None:
        """Come back once so many messages are at the sink; the worker must live that long."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.sink.control.count()).messages < count:
                    assert worker.is_running, self.told()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{await self.states()}\n{self.told()}") from None

    async def silent(self, *, seconds: float = 1.5) -> int:
        """Come back once nothing has arrived at the sink for that long; how many have."""
        before = -1
        async with asyncio.timeout(60):
            while (count := (await self.sink.control.count()).messages) != before:
                before = count
                await asyncio.sleep(seconds)
        return count

    async def let_go(self) -> None:
        """From the next start on, as fast as it goes."""
        self.emails_per_second = 1_000_000
        async with self.database.write() as session:
            for identity in (await session.exec(select(Identity))).all():
                identity.emails_per_second = self.emails_per_second
                session.add(identity)

    async def campaign(self) -> Campaign:
        """As it stands now."""
        async with self.database.read() as session:
            return await campaigns.get_campaign(session, self.campaign_id)

    async def states(self) -> Counter[DeliveryState]:
        """How many deliveries are in each state."""
        async with self.database.read() as session:
            rows = await session.exec(select(Delivery.state, func.count()).group_by(col(Delivery.state)))
            return Counter({DeliveryState(state): count for state, count in rows.all()})

    async def numbers(self, state: DeliveryState) -> dict[str, int]:
        """The deliveries in a state, by recipient."""
        async with self.database.read() as session:
            found = select(Delivery.address, Delivery.id).where(col(Delivery.state) == state)
            return dict((await session.exec(found)).all())

    async def is_done(self) -> bool:
        """Whether the campaign has come to its end."""
        return (await self.campaign()).state in DONE

    async def finished(self, worker: Worker, *, seconds: float = 120) -> None:
        """Come back once the campaign has ended; the worker must live that long."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.is_done():
                    assert worker.is_running, self.told()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not finished: {await self.states()}\n{self.told()}") from None

    def told(self) -> str:
        """The end of what the workers wrote."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    async def check_so_far(self) -> None:
        """At any moment: nobody twice, and no more uncertain than the kills explain."""
        twice = [who for who, count in (await self.sink.arrivals()).items() if count > 1]
        assert not twice, f"twice after {self.ways}: {twice}\n{self.told()}"
        uncertain = (await self.states())[DeliveryState.UNCERTAIN]
        allowed = MOST_UNCERTAIN_A_KILL * self.kills
        assert uncertain <= allowed, f"{uncertain} uncertain after {self.ways}\n{self.told()}"

    async def check_end(self) -> None:
        """Nobody twice, nobody missing, everybody accounted for."""
        await self.check_so_far()
        arrived = await self.sink.arrivals()
        everybody = {recipient(number) for number in range(1, self.people + 1)}
        accepted = await self.numbers(DeliveryState.ACCEPTED)
        uncertain = await self.numbers(DeliveryState.UNCERTAIN)
        assert arrived.keys() <= everybody
        assert accepted.keys() <= arrived.keys(), "accepted, and never arrived"
        assert everybody - arrived.keys() <= uncertain.keys(), f"lost: after {self.ways}\n{self.told()}"
        campaign = await self.campaign()
        assert campaign.frozen == self.people == len(accepted) + len(uncertain)
        assert await self._told_uncertain() == set(uncertain.values())

    async def _told_uncertain(self) -> set[int]:
        """Deliveries whose last word of their own is that they are uncertain."""
        async with self.database.read() as session:
            rows = await session.exec(
                select(Event.delivery_id, Event.kind)
                .where(col(Event.kind).in_([EventKind.UNCERTAIN, EventKind.ACCEPTED, EventKind.RESOLVED]))
                .order_by(col(Event.id))
            )
            last = {delivery_id: kind for delivery_id, kind in rows.all() if delivery_id is not None}
        return {delivery_id for delivery_id, kind in last.items() if kind is EventKind.UNCERTAIN}
