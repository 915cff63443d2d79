"""The list of jobs, and the conductor that keeps them going.

`launch` freezes a campaign's audience, `drain` empties a lane, `poll_seeds` looks into the seed
mailboxes, `warm` steps the warm-up plans whose day is over, `sweep` finds by the rows whatever is due and
was not asked for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from models.clock import Clock
from models.keyring import Keyring
from models.states import CampaignState, Channel
from models.tokens import Tokens
from scheduler.content import Addresses
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.engine import Engine
from scheduler.engine_embedded import EmbeddedEngine
from scheduler.expansion import launch
from scheduler.late import may_start
from scheduler.presence import Presence, draw_worker_id
from scheduler.upkeep import finish_if_done, take_back, tell_problems
from scheduler.warming import complete_plans, step_plans
from sender import Transport
from store import Database, campaigns, deliveries
from store.deliveries import Lane

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConductorOptions:
    """How often to look, and how to send.

    `alone`: no other process sends from this database (the service lock is held), so whatever is found
    claimed at the start was left behind by one that ended, and need not wait for its lease.
    """

    public_url: str
    dispatch: DispatchOptions = field(default_factory=DispatchOptions)
    sweep_every: timedelta = timedelta(seconds=1)
    warm_every: timedelta = timedelta(minutes=10)
    poll_seeds_every: timedelta = timedelta(minutes=2)
    poll_seeds: Callable[[], Awaitable[None]] | None = None
    alone: bool = False
    role: str = "worker"


class Conductor:
    """Knows when, how fast and in which order: runs every job of one process until it is cancelled."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        transports: Mapping[Channel, Transport],
        tokens: Tokens,
        keyring: Keyring,
        options: ConductorOptions,
        engine: Engine | None = None,
        worker_id: str = "",
    ) -> None:
        """Without an `engine`, the embedded one; without a `worker_id`, one is drawn."""
        self._database = database
        self._clock = clock
        self._options = options
        self._engine = engine or EmbeddedEngine(clock)
        self._busy: set[str] = set()
        self._presence = Presence(database, clock, worker_id or draw_worker_id(), role=options.role)
        addresses = Addresses(tokens, options.public_url.rstrip("/"))
        self._dispatcher = Dispatcher(
            database,
            clock,
            transports=transports,
            addresses=addresses,
            keyring=keyring,
            options=options.dispatch,
            worker_id=self._presence.worker_id,
        )
        self._engine.job("launch", self._launch)
        self._engine.job("drain", self._drain)
        self._engine.job("sweep", self._sweep)
        self._engine.every(options.sweep_every, "sweep")
        self._engine.job("warm", self._warm)
        self._engine.every(options.warm_every, "warm")
        if options.poll_seeds is not None:
            self._engine.job("poll_seeds", self._poll_seeds)
            self._engine.every(options.poll_seeds_every, "poll_seeds")

    async def run(self) -> None:
        """Work until cancelled; then let what is on the wire end and hand the rest back."""
        if self._options.alone:
            async with self._database.write() as session:
                await deliveries.end_leases(session, self._clock.now())
        await self._presence.beat()
        await self._refill()
        beating = asyncio.create_task(self._presence.keep(), name="heartbeat")
        working = asyncio.create_task(self._engine.run(), name="engine")
        try:
            await asyncio.shield(working)
        finally:
            # First no new batch, then the engine's patience for what is on the wire.
            self._dispatcher.stop()
            working.cancel()
            await asyncio.wait([working])
            beating.cancel()
            await self._presence.sign_off()

    async def wake(self) -> None:
        """Look now: a campaign was scheduled, resumed or changed."""
        await self._refill()
        await self._engine.defer("sweep", key="sweep:now")

    async def _refill(self) -> None:
        """Ask for the launch of every scheduled campaign at its moment: the rows are the schedule."""
        async with self._database.read() as session:
            scheduled = await campaigns.list_in_state(session, CampaignState.SCHEDULED)
        for campaign in scheduled:
            await self._engine.defer(
                "launch",
                key=f"launch:{campaign.id}",
                at=campaign.starts_at,
                args={"campaign_id": campaign.id},
            )

    async def _launch(self, campaign_id: int) -> None:
        async def work() -> None:
            async with self._database.read() as session:
                campaign = await campaigns.get_campaign(session, campaign_id)
            now = self._clock.now()
            scheduled = campaign.state is CampaignState.SCHEDULED
            if scheduled and (campaign.starts_at is None or campaign.starts_at > now):
                return  # put off since this job was asked for
            if not await may_start(self._database, campaign, now):
                return  # too late for it: skipped, or somebody is asked
            await complete_plans(self._database, self._clock, zone=self._options.dispatch.zone)
            await launch(self._database, campaign_id, now, language=self._options.dispatch.language)
            await self._engine.defer("sweep", key="sweep:now")

        await self._alone(f"launch:{campaign_id}", work())

    async def _drain(self, identity_id: int, provider: str) -> None:
        lane = Lane(identity_id, provider)
        await self._alone(f"drain:{identity_id}:{provider}", self._dispatcher.drain(lane))

    async def _warm(self) -> None:
        stepping = step_plans(self._database, self._clock, zone=self._options.dispatch.zone)
        await self._alone("warm", stepping)

    async def _poll_seeds(self) -> None:
        if self._options.poll_seeds is not None:
            await self._alone("poll_seeds", self._options.poll_seeds())

    async def _sweep(self) -> None:
        await self._alone("sweep", self._look())

    async def _look(self) -> None:
        now = self._clock.now()
        more = await take_back(self._database, self._clock)
        async with self._database.read() as session:
            lanes = await deliveries.due_lanes(session, now)
            open_campaigns = await campaigns.list_in_state(
                session, CampaignState.SCHEDULED, CampaignState.LAUNCHING
            )
            sending = await campaigns.list_in_state(session, CampaignState.SENDING)
        for campaign in open_campaigns:
            due = campaign.state is CampaignState.LAUNCHING or (campaign.starts_at or now) <= now
            if due and f"launch:{campaign.id}" not in self._busy:
                await self._engine.defer(
                    "launch", key=f"launch:{campaign.id}", args={"campaign_id": campaign.id}
                )
        for lane in lanes:
            key = f"drain:{lane.identity_id}:{lane.provider}"
            if key not in self._busy:
                await self._engine.defer(
                    "drain", key=key, args={"identity_id": lane.identity_id, "provider": lane.provider}
                )
        await tell_problems(self._database, sending, self._dispatcher.obstacles)
        for campaign in sending:
            await finish_if_done(self._database, campaign.id, self._clock)
        if more:
            await self._engine.defer("sweep", key="sweep:now")

    async def _alone(self, key: str, work: Awaitable[object]) -> None:
        """Do `work` unless the same is under way; a second wish is the sweep's to renew."""
        if key in self._busy:
            if asyncio.iscoroutine(work):
                work.close()
            return
        self._busy.add(key)
        try:
            await work
        finally:
            self._busy.discard(key)
