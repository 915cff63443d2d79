"""A running Tocsin out of its settings: every part made, started in order, and stopped in the opposite one.

`async with assemble(settings) as parts` is the whole of it. What can be refused is refused before the
first message could leave: a database that is missing or of another version, a second service on the
same one, a busy port.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from models.clock import Clock, SystemClock
from models.keyring import Keyring
from models.states import Channel
from models.tokens import Tokens
from scheduler import Conductor, ConductorOptions, DispatchOptions
from scheduler.courier import Courier, CourierOptions
from scheduler.engine import Engine
from scheduler.engine_embedded import EmbeddedEngine
from sender import Transport
from service.chores import read_files_here, watch_chores
from service.declared_feeds import feed_chores
from service.desk import require_migrated
from service.hosts import name_to_open
from service.listening import take_port
from service.pacing import follow_settings, keep_rules_fresh
from service.rhythm import frequency_policy, pace_of, usual_windows
from service.secret_key import open_keyring
from service.settings import Settings
from service.submission import start_submission
from service.transports import make_transports
from service.vitals import Pulse
from store import Database

if TYPE_CHECKING:
    import uvicorn

    from deliverability.inbox import InboundServer
    from deliverability.placement import AccessTokens

MACHINE_SPAN = timedelta(seconds=2)
"""A click sooner than this after its message arrived counts as a machine's."""
MOST_SCRIBES = 4
"""One sending process has no work for more."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs: `web_port`, `inbound_port` and `metrics_port` are None where nothing listens.

    `submission_ports` are those on which programs hand over mail; `setup_code` makes the first
    administrator, on the pages.
    """

    settings: Settings
    database: Database
    clock: Clock
    keyring: Keyring
    tokens: Tokens
    transports: Mapping[Channel, Transport]
    conductor: Conductor
    setup_code: str
    web_port: int | None = None
    inbound_port: int | None = None
    submission_ports: tuple[int, ...] = ()
    metrics_port: int | None = None


@asynccontextmanager
async def assemble(
    settings: Settings,
    *,
    with_web: bool = True,
    with_worker: bool = True,
    clock: Clock | None = None,
    tune: Callable[[ConductorOptions], ConductorOptions] | None = None,
    machine_span: timedelta = MACHINE_SPAN,
) -> AsyncIterator[Parts]:
    """Everything started; on the way out everything is stopped, what is on the wire being finished first.

    `with_web`: pages, links, hooks and the listener for bounces; `with_worker`: sending. `tune` may change
    how the conductor works and `machine_span` how fast a person may click, for a rehearsal. StoreError
    without a usable database, ConflictError for a second service on SQLite or a busy port. A part that
    fails while running ends the block with its error, in an ExceptionGroup.
    """
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url.get_secret_value())
        stack.push_async_callback(database.close)
        await require_migrated(database)
        if with_worker:
            await database.lock_service()
        door = _take_door(settings, stack, with_web=with_web)
        if with_web and door is not None:
            settings = _with_port(settings, door)
        role = "serve" if with_web else "worker"
        parts = _make_parts(settings, database, clock or SystemClock(), tune, role=role)
        stack.push_async_callback(parts.conductor.close)
        for transport in parts.transports.values():
            stack.push_async_callback(transport.close)
        # The group is left before the transports close: senders end first, then their lines.
        group = await stack.enter_async_context(asyncio.TaskGroup())
        stack.push_async_callback(_end, group.create_task(keep_rules_fresh(), name="rules"))
        if with_worker:
            _start_worker(parts, group, stack)
        elif with_web:
            _start_reading(parts, group, stack)
        pulse = Pulse(database)
        if with_web:
            parts = await _start_listeners(parts, pulse, stack)
        if door is not None:
            server = _server(parts, pulse, machine_span if with_web else None)
            serving = group.create_task(server.serve(sockets=[door]), name="web")
            stack.push_async_callback(_end_web, server, serving)
            port = door.getsockname()[1]
            parts = replace(parts, web_port=port) if with_web else replace(parts, metrics_port=port)
        try:
            yield parts
        finally:
            pulse.stopping = True


async def _start_listeners(parts: Parts, pulse: Pulse, stack: AsyncExitStack) -> Parts:
    """Those for mail: what comes back, and what programs hand over."""
    inbound_port = await _start_inbound(parts, stack)
    listening = await start_submission(parts, stack)
    pulse.submission = listening.ledger
    return replace(parts, inbound_port=inbound_port, submission_ports=listening.ports)


def _start_worker(parts: Parts, group: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
    """Sending, and telling webhooks what becomes of it."""
    options = CourierOptions(loopback=parts.settings.webhook_http)
    courier = Courier(parts.database, parts.clock, parts.keyring, options)
    stack.push_async_callback(_end, group.create_task(courier.run(), name="courier"))
    stack.push_async_callback(_end, group.create_task(parts.conductor.run(), name="conductor"))


def _start_reading(parts: Parts, group: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
    """Files that programs handed over here, where nobody sends: workers elsewhere do not see them."""
    reading = read_files_here(parts.settings, parts.database, parts.clock)
    stack.push_async_callback(_end, group.create_task(reading, name="files of people"))


def _scribes(settings: Settings) -> int:
    """How many processes write for this one: on a single core they would only be in its way."""
    if settings.scribes is not None:
        return settings.scribes
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_SCRIBES) if cores > 1 else 0


def _make_parts(
    settings: Settings,
    database: Database,
    clock: Clock,
    tune: Callable[[ConductorOptions], ConductorOptions] | None,
    *,
    role: str,
) -> Parts:
    keyring = open_keyring(settings)
    tokens = Tokens(keyring)
    transports = make_transports(settings)
    follow_settings(settings)
    look_into_bounces = _bounce_poller(settings, database, tokens, clock)
    options = ConductorOptions(
        public_url=settings.public_url,
        relay=settings.provider_relay,
        dispatch=DispatchOptions(
            pace=pace_of(settings),
            language=settings.language,
            zone=settings.zone,
            frequency=frequency_policy(settings),
            windows=usual_windows(settings),
            journals=settings.data_dir / "journal",
            scribes=_scribes(settings),
            silence_margin=settings.silence_margin,
            place_is_free=settings.place_is_free,
        ),
        poll_seeds=_seed_poller(database, keyring, clock),
        poll_bounces=look_into_bounces,
        poll_bounces_every=timedelta(seconds=settings.bounce_imap_every),
        keep_originals=timedelta(days=settings.keep_originals_days),
        alone=settings.uses_sqlite,
        role=role,
        chores=(
            *watch_chores(settings, database, clock, transports=transports, keyring=keyring),
            *feed_chores(settings, database, clock),
        ),
    )
    conductor = Conductor(
        database,
        clock,
        transports=transports,
        tokens=tokens,
        keyring=keyring,
        options=options if tune is None else tune(options),
        engine=_make_engine(settings, clock),
    )
    return Parts(settings, database, clock, keyring, tokens, transports, conductor, _setup_code())


def _seed_poller(database: Database, keyring: Keyring, clock: Clock) -> Callable[[], Awaitable[None]]:
    """A look into the seeds; access tokens outlive it, or each look would ask for new ones."""
    kept: list[AccessTokens] = []

    async def look() -> None:
        from deliverability import placement

        kept[:] = kept or [placement.AccessTokens(keyring, clock)]
        await placement.poll_seeds(database, keyring, clock, tokens=kept[0])

    return look


def _bounce_poller(
    settings: Settings, database: Database, tokens: Tokens, clock: Clock
) -> Callable[[], Awaitable[None]] | None:
    """What looks into the bounce mailbox; None when none is set."""
    mailbox = settings.bounce_mailbox
    if mailbox is None:
        return None
    trusted = ssl.create_default_context(cafile=settings.bounce_imap_ca_file)

    from deliverability.bounce_mailbox import poll_bounces

    async def look() -> None:
        await poll_bounces(database, tokens, clock, mailbox, ssl_context=trusted)

    return look


def _make_engine(settings: Settings, clock: Clock) -> Engine:
    """What carries the jobs: within this process on SQLite, over all of them on PostgreSQL."""
    if settings.uses_sqlite:
        return EmbeddedEngine(clock)
    from scheduler.engine_cluster import ClusterEngine

    return ClusterEngine(settings.database_url.get_secret_value(), clock)


def _setup_code() -> str:
    """Eight digits in two groups: short enough to type, and guesses are throttled."""
    digits = f"{secrets.randbelow(10**8):08}"
    return f"{digits[:4]}-{digits[4:]}"


def _take_door(settings: Settings, stack: AsyncExitStack, *, with_web: bool) -> socket.socket | None:
    """Where the pages listen, or without them whoever answers for this process; None when nobody does."""
    if with_web:
        door = take_port(settings.bind_host, settings.bind_port, setting="TOCSIN_BIND_PORT")
    elif settings.metrics_port is not None:
        door = take_port(settings.metrics_host, settings.metrics_port, setting="TOCSIN_METRICS_PORT")
    else:
        return None
    stack.callback(door.close)
    return door


def _with_port(settings: Settings, door: socket.socket) -> Settings:
    """The settings with the port that was found free, when they left it open and no public URL is given."""
    if settings.bind_port or "public_url" in settings.model_fields_set:
        return settings
    port = door.getsockname()[1]
    return settings.model_copy(update={"public_url": f"http://{name_to_open(settings.bind_host)}:{port}"})


async def _start_inbound(parts: Parts, stack: AsyncExitStack) -> int | None:
    """The listeners for what comes back that are set; the port of the one that speaks SMTP."""
    settings = parts.settings
    port = None
    if settings.inbound_port is not None:
        port = (await _listen(parts, stack, f"{settings.inbound_host}:{settings.inbound_port}")).port
    if settings.inbound_lmtp is not None:
        await _listen(parts, stack, settings.inbound_lmtp, lmtp=True)
    return port


async def _listen(parts: Parts, stack: AsyncExitStack, place: str, *, lmtp: bool = False) -> "InboundServer":
    """`place` is host:port, or the path of a socket."""
    from deliverability.inbox import InboundServer

    path = Path(place) if place.startswith("/") else None
    host, _, port = ("", "", "0") if path else place.rpartition(":")
    name = parts.settings.hello_name
    server = InboundServer(
        parts.database,
        parts.tokens,
        parts.clock,
        host.strip("[]"),
        int(port),
        hello_name=name,
        lmtp=lmtp,
        path=path,
    )
    await server.start()
    stack.push_async_callback(server.stop)
    return server


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended; its failure is the group's to tell."""
    task.cancel()
    await asyncio.wait([task])


def _server(parts: Parts, pulse: Pulse, machine_span: timedelta | None) -> "uvicorn.Server":
    # Loaded only where somebody listens: a worker has no use for 40 MB of pages and charts.
    from service.pages import make_server

    return make_server(parts, pulse, machine_span)


async def _end_web(server: "uvicorn.Server", task: asyncio.Task[None]) -> None:
    server.should_exit = True
    await asyncio.wait([task])


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that is set by the first SIGINT or SIGTERM; the second ends the process at once."""
    loop = asyncio.get_running_loop()
    wanted = asyncio.Event()

    def let_go() -> None:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)

    def stop() -> None:
        wanted.set()
        let_go()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield wanted
    finally:
        let_go()


async def stop_wanted() -> None:
    """Come back at the first SIGINT or SIGTERM."""
    with stop_signals() as wanted:
        await wanted.wait()
