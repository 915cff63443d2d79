"""The rehearsal: the whole of Tocsin against a small outside world, from a CSV file to a report.

Everything listens on the loopback and lives in a folder that goes when it ends. The settings of the
machine are not looked at: a rehearsal must not find its way to a real relay.
"""

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from deliverability.assessing import assess_report
from deliverability.assessment.whole import CampaignAssessment
from deliverability.placement import poll_seeds
from deliverability.report import campaign_report
from deliverability.report_values import CampaignReport
from models.errors import ConflictError, TocsinError
from sandbox import World, WorldOptions, WorldTally
from scheduler import ConductorOptions, RetryPolicy
from service import demo_cast as cast
from service.assembly import MACHINE_SPAN, Parts, assemble, stop_wanted
from service.demo_proof import Check, compare
from service.demo_screen import Screen
from service.desk import Desk
from service.listening import is_taken
from service.settings import DEFAULT_PORT, GivenSettings, Settings
from service.watching import ENDED, look
from store import Database
from store.campaigns import list_campaigns

LEAD = timedelta(seconds=3)
"""How far ahead the campaigns are scheduled."""
LATE_NEWS_S = 40.0
TWILIO_SID = "AC00000000000000000000000000000000"
TWILIO_TOKEN = "rehearsal"  # noqa: S105 - of the sandbox
RATES = {
    "gmail": 45.0,
    "outlook": 27.0,
    "yahoo": 22.0,
    "icloud": 22.0,
    "orange": 27.0,
    "laposte": 22.0,
    "sfr": 22.0,
    "free": 27.0,
    "other": 50.0,
}
"""Just under what the sandbox's providers let through: the pace is what keeps them content."""
LOOK_EVERY_S = 0.25
HURRY = 900.0
"""Rests are so many times shorter than a provider's own: a block of two hours lasts eight seconds."""
LOOPBACK = "127.0.0.1"


class RehearsalFailedError(TocsinError):
    """What arrived in the outside world is not what Tocsin reports."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How big it is and where it is kept; without a `database_url`, in an SQLite file in `folder`."""

    folder: Path
    people: int = 2000
    port: int | None = None
    database_url: str | None = None
    speed: float = 20.0
    """The outside world lives this many times faster than the real one."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it: both sides' accounts and the checks that hold them against each other."""

    tally: WorldTally
    reports: list[tuple[CampaignReport, CampaignAssessment | None]]
    checks: list[Check]


async def run_demo(*, exit_after: bool, port: int | None = None) -> None:
    """Play the rehearsal and show it; RehearsalFailedError when the two sides do not agree.

    With `exit_after` it ends there; otherwise the pages stay until Ctrl-C.
    """
    if port and is_taken(LOOPBACK, port):
        raise ConflictError(
            f"Port {port} on {LOOPBACK} is in use by another program.",
            "Give another with --port, or none: then a free one is taken.",
        )
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-", ignore_cleanup_errors=True) as name:
        rehearsal = Rehearsal(Path(name), port=port)
        async with stage(rehearsal, screen) as (world, parts):
            played = await play(rehearsal, world, parts, screen)
            screen.reports(played.reports, parts.settings.zone)
            screen.proof(played.checks)
            if not exit_after:
                await _stay(parts, screen)
    failed = [check.what for check in played.checks if not check.holds]
    if failed and exit_after:
        raise RehearsalFailedError(
            f"{len(failed)} of {len(played.checks)} figures disagree: {'; '.join(failed)}.",
            "Please report it with the lines above.",
        )


@asynccontextmanager
async def stage(rehearsal: Rehearsal, screen: Screen) -> AsyncIterator[tuple[World, Parts]]:
    """The outside world and the service, each knowing where the other is."""
    secret = os.urandom(32).hex()
    plot = await cast.write_plot(secret)
    options = WorldOptions(
        twilio_account_sid=TWILIO_SID,
        twilio_auth_token=TWILIO_TOKEN,
        speed=rehearsal.speed,
        disliked=cast.DISLIKED,
        dkim_keys=plot.dkim_records,
    )
    async with World(options) as world:
        screen.world_is_up(world)
        settings = _settings(rehearsal, world, secret)
        database = Database(settings.database_url.get_secret_value())
        await database.migrate()
        await cast.set_the_stage(database, plot, world)
        await database.close()
        async with assemble(settings, tune=_in_a_hurry, machine_span=MACHINE_SPAN / rehearsal.speed) as parts:
            world.point_at(inbound=(LOOPBACK, parts.inbound_port or 0), web_base=settings.public_url)
            yield world, parts


def _settings(rehearsal: Rehearsal, world: World, secret: str) -> Settings:
    port = rehearsal.port or _usual_port_or_another()
    kept: dict[str, Any] = {}
    if rehearsal.database_url is not None:
        kept["database_url"] = SecretStr(rehearsal.database_url)
    return GivenSettings(
        data_dir=rehearsal.folder,
        secret_key=SecretStr(secret),
        bind_port=port,
        public_url=f"http://{LOOPBACK}:{port}",
        smtp_routes={
            provider: SecretStr(f"smtp://{host}:{number}")
            for provider, (host, number) in world.smtp_routes.items()
        },
        inbound_port=0,
        twilio_account_sid=TWILIO_SID,
        twilio_auth_token=SecretStr(TWILIO_TOKEN),
        twilio_base_url=world.twilio_base_url,
        emails_per_second=150,
        sms_per_second=100,
        provider_rates=RATES,
        # The rehearsal's e-mail and SMS come together, at whatever hour somebody wants to see them.
        frequency="2/24h 3/7d 8/30d",
        sending_windows_sms="always",
        dns_servers="off",
        webhook_http=True,
        log_level="error",
        **kept,
    )


def _usual_port_or_another() -> int:
    for wanted in (DEFAULT_PORT, 0):
        with socket.socket() as door:
            try:
                door.bind((LOOPBACK, wanted))
            except OSError:
                continue
            number: int = door.getsockname()[1]
            return number
    return DEFAULT_PORT


def _in_a_hurry(options: ConductorOptions) -> ConductorOptions:
    """Retries in seconds instead of minutes, as the outside world lives faster too."""
    second = timedelta(seconds=1)
    retry = RetryPolicy(first=4 * second, ceiling=5 * second, give_up=12 * second)
    pace = replace(options.dispatch.pace, hurry=HURRY)
    return replace(
        options,
        dispatch=replace(options.dispatch, retry=retry, pace=pace),
        poll_seeds_every=5 * second,
        sweep_every=second / 4,
    )


async def play(rehearsal: Rehearsal, world: World, parts: Parts, screen: Screen) -> Played:
    """Import, schedule, send, wait for what comes back, count on both sides."""
    _, imported = await cast.bring_people(parts, rehearsal.folder, rehearsal.people, screen.importing)
    screen.people_are_in(imported)
    planned = await cast.plan_campaigns(parts, LEAD)
    screen.campaigns_are_planned(len(cast.SENDERS), planned)
    await parts.conductor.wake()
    desk = Desk(parts.settings, parts.database, parts.clock)
    with screen.progress() as bars:
        while True:
            sights = [await look(desk, plan.campaign_id) for plan in planned]
            bars.show(sights)
            if all(sight.campaign.state in ENDED for sight in sights):
                break
            await asyncio.sleep(LOOK_EVERY_S)
    screen.waiting_for_late_news()
    with contextlib.suppress(TimeoutError):  # what is still missing then shows in the checks
        await world.settle(LATE_NEWS_S)
    await poll_seeds(parts.database, parts.keyring, parts.clock)
    async with parts.database.read() as session:
        newest_first = await list_campaigns(session)
        reports = [
            await campaign_report(session, campaign.id, parts.clock.now())
            for campaign in reversed(newest_first)
        ]
        judged = [(report, await assess_report(session, report)) for report in reports]
    tally = world.tally()
    return Played(tally, judged, compare(tally, reports))


async def _stay(parts: Parts, screen: Screen) -> None:
    password = await cast.make_administrator(parts.database, parts.clock)
    screen.pages_are_open(parts.settings.public_url, cast.ADMINISTRATOR, password)
    await stop_wanted()
    screen.goodbye()
