"""The list of jobs, and the conductor that keeps them going.

`launch` freezes a campaign's audience, `drain` empties a lane, `poll_seeds` looks into the seed
mailboxes and `poll_bounces` into the one where bounces gather, `warm` steps the warm-up plans whose day is
over, `sweep` finds by the rows whatever is due and was not asked for, `news` applies what providers told,
`canaries` decides whether campaigns go on after their first slice,
`count` keeps the campaigns' counters up to date and `count_places` those behind the maps,
`housekeeping` clears away what nobody needs any more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from deliverability.arrival import try_again
from models.clock import Clock
from models.errors import StoreError, TocsinError
from models.keyring import Keyring
from models.providers import TEXTS
from models.states import CampaignState, Channel
from models.tokens import Tokens
from scheduler import news
from scheduler.canary import watch_canaries
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.engine import Engine
from scheduler.engine_embedded import EmbeddedEngine
from scheduler.expansion import launch
from scheduler.late import may_start, stop_interrupted
from scheduler.letters import Addresses
from scheduler.lookout import forget_old_looks
from scheduler.obstacles import Obstacles, merge
from scheduler.presence import Presence, Told, draw_worker_id
from scheduler.rota import Rota
from scheduler.upkeep import finish_if_done, reconcile_ended, reopen_ended, take_back, tell_problems
from scheduler.waiting import waits_for_sender
from scheduler.warming import complete_plans, step_plans
from sender import Transport
from sender.relays import ProviderRelay
from store import Database, campaigns, deliveries, erasure, gauges, incoming, turns, workers
from store.deliveries import Lane
from store.tally_fold import advance
from store.territory_fold import count_places
from store.workers import HEARTBEAT

log = logging.getLogger(__name__)

A_LOT = 2000
"""Due deliveries of a lane for which another worker comes to help."""
FORGOTTEN = timedelta(days=7)
"""How long a worker that ended stays in the registry."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that is done every so often by one of all workers, whoever comes first; its name is its turn."""

    name: str
    every: timedelta
    work: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ConductorOptions:
    """How often to look, and how to send.

    `alone`: no other process sends from this database (the service lock is held), so whatever is found
    claimed at the start was left behind by one that ended, and need not wait for its lease. `relay`: the
    provider e-mails leave through, if it is one that has webhooks. `chores`: what else is done regularly.
    """

    public_url: str
    relay: ProviderRelay | None = None
    dispatch: DispatchOptions = field(default_factory=DispatchOptions)
    sweep_every: timedelta = timedelta(seconds=1)
    warm_every: timedelta = timedelta(minutes=10)
    poll_seeds_every: timedelta = timedelta(minutes=1)
    poll_seeds: Callable[[], Awaitable[None]] | None = None
    poll_bounces_every: timedelta = timedelta(minutes=1)
    poll_bounces: Callable[[], Awaitable[None]] | None = None
    alone: bool = False
    role: str = "worker"
    take_over_every: timedelta = timedelta(seconds=1)
    housekeeping_every: timedelta = timedelta(hours=1)
    keep_originals: timedelta = timedelta(days=90)
    count_every: timedelta = timedelta(seconds=5)
    count_places_every: timedelta = timedelta(seconds=20)
    news_every: timedelta = timedelta(seconds=1)
    canaries_every: timedelta = timedelta(seconds=5)
    chores: Sequence[Chore] = ()


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
        self._presence = Presence(database, clock, worker_id or draw_worker_id(), role=options.role)
        self._tokens = tokens
        self._rota = Rota(database, clock, self._presence.worker_id, alone=options.alone)
        self._obstacles = Obstacles()
        addresses = Addresses(tokens, options.public_url.rstrip("/"), options.relay)
        self._dispatcher = Dispatcher(
            database,
            clock,
            transports=transports,
            addresses=addresses,
            keyring=keyring,
            options=options.dispatch,
            worker_id=self._presence.worker_id,
        )
        self._dispatcher.before_gates = self._see_to_silence
        self._take_up_jobs(options)

    def _take_up_jobs(self, options: ConductorOptions) -> None:
        self._engine.job("launch", self._launch)
        self._engine.job("drain", self._drain)
        self._engine.job("sweep", self._sweep)
        self._engine.every(options.sweep_every, "sweep")
        self._engine.job("warm", self._warm)
        self._engine.every(options.warm_every, "warm")
        self._engine.job("count", self._count)
        self._engine.every(options.count_every, "count")
        self._engine.job("count_places", self._count_places)
        self._engine.every(options.count_places_every, "count_places")
        self._engine.job("news", self._apply_news)
        self._engine.every(options.news_every, "news")
        self._engine.job("canaries", self._watch_canaries)
        self._engine.every(options.canaries_every, "canaries")
        self._engine.job("housekeeping", self._tidy)
        self._engine.every(options.housekeeping_every, "housekeeping")
        polls = (
            ("poll_seeds", options.poll_seeds_every, options.poll_seeds),
            ("poll_bounces", options.poll_bounces_every, options.poll_bounces),
        )
        taken_up = [Chore(name, every, work) for name, every, work in polls if work is not None]
        for chore in (*taken_up, *options.chores):
            self._engine.job(chore.name, partial(self._do, chore))
            self._engine.every(chore.every, chore.name)

    async def run(self) -> None:
        """Work until cancelled; then let what is on the wire end and hand the rest back."""
        if self._options.alone:
            async with self._database.write() as session:
                await deliveries.end_leases(session, self._clock.now())
        await self._be_heard()
        await self._dispatcher.open_journal()
        await self._dispatcher.take_over()
        await self._refill()
        tending = [
            asyncio.create_task(self._keep_beating(), name="heartbeat"),
            asyncio.create_task(self._keep_taking_over(), name="journals"),
        ]
        working = asyncio.create_task(self._engine.run(), name="engine")
        try:
            await asyncio.shield(working)
        finally:
            # First no new batch, then the engine's patience for what is on the wire.
            self._dispatcher.stop()
            working.cancel()
            await asyncio.wait([working])
            for task in tending:
                task.cancel()
            await asyncio.wait(tending)
            await self._dispatcher.close()
            await self._presence.sign_off()

    async def wake(self) -> None:
        """Look now: a campaign was scheduled, resumed or changed."""
        try:
            await self._refill()
            await self._engine.defer("sweep", key="sweep:now")
        except StoreError as error:
            # What was changed is in the rows, where the next sweep finds it.
            log.warning("nobody woken", extra={"problem": error.problem})

    async def close(self) -> None:
        """Let go of what is open; for a process that only woke others, and never ran."""
        await self._engine.close()

    async def _keep_beating(self) -> None:
        """Be heard of, and tell what was met; an outage of the database is waited out."""
        while True:
            await asyncio.sleep(HEARTBEAT.total_seconds())
            try:
                await self._be_heard()
                await self._rota.tidy()
            except StoreError as error:
                log.warning("heartbeat not written", extra={"problem": error.problem})

    async def _be_heard(self) -> None:
        """Say that this worker is there; where nobody was for long, what was under way is asked what now."""
        silent_since = await self._presence.silence()
        if silent_since is not None:
            await stop_interrupted(self._database, silent_since, self._clock.now())
        await self._presence.beat(self._told())

    async def _see_to_silence(self) -> None:
        """Awake after a sleep: nothing leaves before what was under way is asked what now."""
        if await self._presence.silence() is not None:
            await self._be_heard()

    async def _keep_taking_over(self) -> None:
        """Put right what workers of this machine left behind: only here can their journals be read."""
        while True:
            await asyncio.sleep(self._options.take_over_every.total_seconds())
            try:
                await self._dispatcher.take_over()
            except TocsinError as error:
                log.warning("journals not adopted yet", extra={"problem": error.problem})

    def _told(self) -> list[Told]:
        return self._obstacles.told(self._dispatcher.obstacles, self._clock.now())

    async def _refill(self) -> None:
        """Ask for the launch of every scheduled campaign at its moment: the rows are the schedule."""
        async with self._database.read() as session:
            scheduled = await campaigns.list_in_state(session, CampaignState.SCHEDULED)
        for campaign in scheduled:
            await self._ask_for_launch(campaign.id, at=campaign.starts_at)

    async def _ask_for_launch(self, campaign_id: int, *, at: datetime | None = None) -> None:
        await self._engine.defer(
            "launch", key=f"launch:{campaign_id}", at=at, args={"campaign_id": campaign_id}
        )

    async def _launch(self, campaign_id: int) -> None:
        async with self._rota.turn(f"launch:{campaign_id}") as mine:
            if not mine:
                return
            async with self._database.read() as session:
                campaign = await campaigns.get_campaign(session, campaign_id)
            now = self._clock.now()
            scheduled = campaign.state is CampaignState.SCHEDULED
            if scheduled and (campaign.starts_at is None or campaign.starts_at > now):
                return  # put off since this job was asked for
            if await waits_for_sender(self._database, campaign):
                return  # its sender is suspended: the sweep asks again
            if not await may_start(self._database, campaign, now):
                return  # too late for it: skipped, or somebody is asked
            await complete_plans(self._database, self._clock, zone=self._options.dispatch.zone)
            options = self._options.dispatch
            await launch(
                self._database,
                campaign_id,
                now,
                language=options.language,
                rhythm=options.rhythm,
                clock=self._clock,
            )
        await self._engine.defer("sweep", key="sweep:now")

    async def _drain(self, identity_id: int, provider: str, slot: int = 0) -> None:
        place = (identity_id, Channel.SMS if provider in TEXTS else Channel.EMAIL)
        if any(key.startswith(_drain_key(identity_id, provider, "")) for key in self._rota.mine):
            return  # already at it: who helps is somebody else, and the sweep asks again
        async with self._rota.turn(_drain_key(identity_id, provider, slot)) as mine:
            if mine:
                self._obstacles.tried(place, self._clock.now())
                await self._dispatcher.drain(Lane(identity_id, provider), helping=slot > 0)
                self._obstacles.tried(place, self._clock.now())

    async def _do(self, chore: Chore) -> None:
        async with self._rota.turn(chore.name) as mine:
            if mine:
                await chore.work()

    async def _warm(self) -> None:
        async with self._rota.turn("warm") as mine:
            if mine:
                await step_plans(self._database, self._clock, zone=self._options.dispatch.zone)

    async def _count(self) -> None:
        """Bring the counters of campaigns up to date; pages are right without it, and slower."""
        async with self._rota.turn("count") as mine:
            if mine:
                await advance(self._database)

    async def _count_places(self) -> None:
        """A turn of its own: the first time it counts all there ever was, which must not hold up reports."""
        async with self._rota.turn("count_places") as mine:
            if mine:
                await count_places(self._database)

    async def _apply_news(self) -> None:
        async with self._rota.turn("news") as mine:
            while mine and await news.apply_news(self._database, self._clock):
                pass

    async def _watch_canaries(self) -> None:
        async with self._rota.turn("canaries") as mine:
            opened = mine and await watch_canaries(self._database, self._clock)
        if opened:
            await self._engine.defer("sweep", key="sweep:now")

    async def _tidy(self) -> None:
        now = self._clock.now()
        await news.tidy(self._database, now)
        await try_again(self._database, self._tokens, now)
        async with self._database.write() as session:
            await turns.clear_away(session, now)
            await workers.clear_away(session, now - FORGOTTEN)
        async with self._database.write() as session:
            await incoming.forget_before(session, now - self._options.keep_originals)
        await erasure.forget(self._database)
        await forget_old_looks(self._database, now)
        await reopen_ended(self._database, self._clock)
        await reconcile_ended(self._database, self._clock)

    async def _sweep(self) -> None:
        async with self._rota.turn("sweep") as mine:
            if mine:
                await self._look()

    async def _look(self) -> None:
        await self._see_to_silence()
        now = self._clock.now()
        more = await take_back(
            self._database,
            self._clock,
            gone=await self._presence.gone(),
            spared=self._dispatcher.claims_held,
        )
        async with self._database.read() as session:
            lanes = await deliveries.due_lanes(session, now)
            open_campaigns = await campaigns.list_in_state(
                session, CampaignState.SCHEDULED, CampaignState.LAUNCHING
            )
            sending = await campaigns.list_in_state(session, CampaignState.SENDING)
            met_elsewhere = await workers.obstacles(session, now, apart_from=self._presence.worker_id)
        taken = await self._rota.taken()
        for campaign in open_campaigns:
            due = campaign.state is CampaignState.LAUNCHING or (campaign.starts_at or now) <= now
            if due and f"launch:{campaign.id}" not in taken:
                await self._ask_for_launch(campaign.id)
        for lane in lanes:
            await self._ask_for_drains(lane, taken)
        obstacles = merge(self._told(), met_elsewhere)
        options = self._options.dispatch
        await tell_problems(self._database, sending, obstacles, pace=options.pace, now=now, zone=options.zone)
        for campaign in sending:
            await finish_if_done(self._database, campaign.id, self._clock)
        if more:
            await self._engine.defer("sweep", key="sweep:now")

    async def _ask_for_drains(self, lane: Lane, taken: Collection[str]) -> None:
        """One drain for a lane, and more where much waits and there are others to help."""
        for slot in range(await self._useful_drains(lane, taken)):
            key = _drain_key(lane.identity_id, lane.provider, slot)
            if key not in taken:
                args: dict[str, int | str] = {
                    "identity_id": lane.identity_id,
                    "provider": lane.provider,
                    "slot": slot,
                }
                await self._engine.defer("drain", key=key, args=args)

    async def _useful_drains(self, lane: Lane, taken: Collection[str]) -> int:
        # Until the first has begun, nobody knows whether there is work for two.
        if self._options.alone or _drain_key(lane.identity_id, lane.provider, 0) not in taken:
            return 1
        now = self._clock.now()
        async with self._database.read() as session:
            crew = len(await workers.alive(session, now))
            if crew < 2:
                return 1
            due = await gauges.due_in(
                session, (lane.identity_id, lane.provider), now=now, most=A_LOT * (crew - 1)
            )
        return 1 + due // A_LOT


def _drain_key(identity_id: int, provider: str, slot: int | str) -> str:
    return f"drain:{identity_id}:{provider}:{slot}"
