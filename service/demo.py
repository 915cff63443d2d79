"""The rehearsal: the whole of Tocsin against a small outside world, from a CSV file to a report.

Everything listens on the loopback and lives in a folder that goes when it ends. The settings of the
machine are not looked at: a rehearsal must not find its way to a real relay.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from deliverability.placement import poll_seeds
from models.errors import TocsinError
from models.states import CampaignState
from sandbox import World, WorldOptions
from scheduler import ConductorOptions, RetryPolicy
from service import demo_cast as cast
from service.assembly import Parts, assemble, stop_wanted
from service.demo_proof import Check, compare
from service.demo_screen import Screen
from service.settings import DEFAULT_PORT, Settings
from store import Database, campaigns

PEOPLE = 2000
SPEED = 20.0
"""The outside world lives this many times faster than the real one."""
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
ENDED = frozenset({CampaignState.FINISHED, CampaignState.INCOMPLETE, CampaignState.BLOCKED})


class RehearsalFailedError(TocsinError):
    """What arrived in the outside world is not what Tocsin reports."""


class RehearsalSettings(Settings):
    """Settings that come from the arguments alone, never from the environment or a file."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


async def run_demo(*, exit_after: bool, port: int | None = None) -> None:
    """Play the rehearsal and show it; RehearsalFailedError when the two sides do not agree.

    With `exit_after` it ends there; otherwise the pages stay until Ctrl-C.
    """
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with _stage(folder, port, screen) as (world, parts):
            await _play(folder, world, parts, screen)
            checks = await _show(world, parts, screen)
            if not exit_after:
                await _stay(parts, screen)
        failed = [check for check in checks if not check.holds]
        if failed and exit_after:
            raise RehearsalFailedError(
                f"{len(failed)} of {len(checks)} checks failed: {'; '.join(check.what for check in failed)}.",
                "Please report it with the lines above.",
            )


@asynccontextmanager
async def _stage(folder: Path, port: int | None, screen: Screen) -> AsyncIterator[tuple[World, Parts]]:
    """The outside world and the service, each knowing where the other is."""
    keyring_secret = os.urandom(32).hex()
    plot = cast.write_plot(keyring_secret)
    options = WorldOptions(
        twilio_account_sid=TWILIO_SID,
        twilio_auth_token=TWILIO_TOKEN,
        speed=SPEED,
        disliked=cast.DISLIKED,
        dkim_keys=plot.dkim_records,
    )
    async with World(options) as world:
        screen.world_is_up(world)
        settings = _settings(folder, world, keyring_secret, port)
        database = Database(settings.database_url.get_secret_value())
        await database.migrate()
        await cast.set_the_stage(database, plot, world)
        await database.close()
        async with assemble(settings, tune=_in_a_hurry) as parts:
            world.point_at(inbound=("127.0.0.1", parts.inbound_port or 0), web_base=settings.public_url)
            yield world, parts


def _settings(folder: Path, world: World, secret: str, port: int | None) -> Settings:
    host, _ = world.imap
    web_port = port if port is not None else cast.free_port(DEFAULT_PORT)
    return RehearsalSettings(
        data_dir=folder,
        secret_key=SecretStr(secret),
        bind_port=web_port,
        public_url=f"http://{host}:{web_port}",
        smtp_routes={
            provider: SecretStr(f"smtp://{address}:{number}")
            for provider, (address, number) in world.smtp_routes.items()
        },
        inbound_port=0,
        twilio_account_sid=TWILIO_SID,
        twilio_auth_token=SecretStr(TWILIO_TOKEN),
        twilio_base_url=world.twilio_base_url,
        emails_per_second=150,
        sms_per_second=100,
        provider_rates=RATES,
        log_level="error",
    )


def _in_a_hurry(options: ConductorOptions) -> ConductorOptions:
    """Retries in seconds instead of minutes, as the outside world lives faster too."""
    seconds = timedelta(seconds=1)
    retry = RetryPolicy(first=4 * seconds, ceiling=5 * seconds, give_up=12 * seconds)
    pace = replace(options.dispatch.pace, rate_pause=2 * seconds)
    return replace(
        options,
        dispatch=replace(options.dispatch, retry=retry, pace=pace),
        poll_seeds_every=5 * seconds,
        sweep_every=seconds / 4,
    )


async def _play(folder: Path, world: World, parts: Parts, screen: Screen) -> None:
    await cast.bring_people(parts, folder, PEOPLE, screen)
    planned = await cast.plan_campaigns(parts, LEAD)
    screen.campaigns_are_planned(planned)
    await parts.conductor.wake()
    with screen.progress(planned) as follow:
        while True:
            async with parts.database.read() as session:
                state = {plan.campaign_id: await follow.read(session, plan) for plan in planned}
            follow.show(state)
            if all(campaign_state in ENDED for campaign_state in state.values()):
                break
            await asyncio.sleep(0.25)
    screen.waiting_for_late_news()
    await world.settle(LATE_NEWS_S)
    await poll_seeds(parts.database, parts.keyring, parts.clock)


async def _show(world: World, parts: Parts, screen: Screen) -> list[Check]:
    async with parts.database.read() as session:
        all_of_them = await campaigns.list_campaigns(session)
        checks = await compare(session, world.tally(), parts.clock.now())
        await screen.reports(session, [campaign.id for campaign in reversed(all_of_them)], parts.clock.now())
    screen.proof(checks)
    return checks


async def _stay(parts: Parts, screen: Screen) -> None:
    password = await cast.make_administrator(parts)
    screen.pages_are_open(parts.settings.public_url, cast.ADMINISTRATOR, password)
    await stop_wanted()
    screen.goodbye()
