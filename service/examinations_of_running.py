"""What the doctor looks at where several processes work together: who sends, the journals, the backups."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from models.errors import StoreError
from models.states import Nature
from models.text import plural
from service import postgresql_tools as tools
from service.desk import Desk
from service.findings import Finding, blocking, fine, warning
from service.hosts import is_local
from service.settings import Settings
from store import incoming
from store.identities import find_identity
from store.workers import SILENCE, list_workers

SUBJECT = "Workers"
NEWS = SILENCE * 30
"""A worker that fell silent longer ago than this is no news any more."""
SOON = timedelta(days=60)
"""Before a vote: time enough to enter it."""


async def set_aside(desk: Desk) -> list[Finding]:
    """Mail from outside that could not be read; nothing is said when there is none."""
    async with desk.database.read() as session:
        count = await incoming.count_aside(session)
    if not count:
        return []
    text = f"{plural(count, 'mail was', 'mails were')} set aside: they could not be read or recorded."
    advice = "`tocsin bounces aside` shows them and why; each is tried again by itself."
    return [warning("Mail set aside", text, advice)]


async def sending(desk: Desk) -> list[Finding]:
    """Whether anybody sends, whether they are all of one version, and whether a backup could be made."""
    now = desk.clock.now()
    async with desk.database.read() as session:
        found = [row for row in await list_workers(session, since=now - NEWS) if row.stopped_at is None]
    alive = [row for row in found if now - row.seen_at <= SILENCE]
    told = []
    if not alive:
        start = "tocsin serve" if desk.database.is_sqlite else "tocsin serve` or `tocsin worker"
        # Nothing wrong with it: one looks before one starts.
        told.append(fine(SUBJECT, f"No process sends at present: `{start}` does."))
    else:
        told.append(fine(SUBJECT, f"{plural(len(alive), 'process sends', 'processes send')}."))
    silent = len(found) - len(alive)
    if silent:
        text = f"{silent} fell silent in the last minutes; the others have taken over."
        told.append(warning(SUBJECT, text, "`tocsin workers` says which; look at those machines."))
    if len({row.version for row in alive}) > 1:
        text = "The processes that send are of different versions."
        told.append(warning(SUBJECT, text, "Bring all of them up to date."))
    if not desk.database.is_sqlite:
        told.append(_backups())
    return told


def _backups() -> Finding:
    try:
        for program in ("pg_dump", "pg_restore", "psql"):
            tools.find(program)
    except StoreError as error:
        return warning(SUBJECT, f"`tocsin backup` cannot work: {error.problem}", error.advice)
    return fine(SUBJECT, "The programs that back up PostgreSQL are here.")


async def triggers(desk: Desk) -> list[Finding]:
    """Whether the database itself counts what moves, and forgets who is erased."""
    from store import cascade, tally_triggers, webhook_triggers

    subject = "Triggers"
    told = []
    async with desk.database.read() as session:
        connection = await session.connection()
        if not await connection.run_sync(tally_triggers.are_installed):
            text = "The triggers that count messages by state are missing or not this version's."
            advice = "Run `tocsin migrate`, which counts anew, then `tocsin counts check`."
            told.append(blocking(subject, text, advice))
        if not await connection.run_sync(cascade.is_installed):
            text = "The trigger that forgets whoever is deleted is missing or not this version's."
            told.append(blocking(subject, text, "Run `tocsin migrate`."))
        if not await connection.run_sync(webhook_triggers.are_installed):
            text = "The triggers that note what webhooks are to be told are missing or not this version's."
            told.append(blocking(subject, text, "Run `tocsin migrate`."))
    return told or [fine(subject, "The database counts what moves, and forgets who is erased.")]


async def journals(settings: Settings) -> list[Finding]:
    """Whether what is on the wire can be written down: without that nothing leaves."""
    subject = "Journals"
    folder = settings.data_dir / "journal"
    there = await asyncio.to_thread(_writable, folder)
    if not there:
        return [blocking(subject, f"{folder} cannot be written to.", "Give it to the user that runs Tocsin.")]
    return [fine(subject, f"What is on the wire can be written down in {folder}.")]


def _writable(folder: Path) -> bool:
    standing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    return os.access(standing, os.W_OK | os.X_OK)


async def watching(settings: Settings) -> list[Finding]:
    """Who may see the figures."""
    subject = "Watching"
    open_to_all = settings.metrics_port is not None and not is_local(settings.metrics_host)
    if open_to_all and settings.metrics_token is None:
        text = f"The figures are asked for on {settings.metrics_host} and shown to this machine alone."
        return [warning(subject, text, "Set TOCSIN_METRICS_TOKEN for whoever scrapes them from elsewhere.")]
    if settings.metrics_token is None:
        return [fine(subject, "The figures (/metrics) are shown to this machine alone.")]
    return [fine(subject, "The figures (/metrics) are shown to whoever has TOCSIN_METRICS_TOKEN.")]


async def alerts(desk: Desk) -> list[Finding]:
    """Whether anybody is told of incidents, and whether that works; incidents that are open."""
    from store import alerts as told
    from store import incidents

    subject = "Alerts"
    settings = desk.settings
    places = len(settings.alert_mailboxes) + len(settings.alert_urls)
    async with desk.database.read() as session:
        failing = await told.failing(session, desk.clock.now() - timedelta(days=1))
        open_now = await incidents.count_open(session)
    found = []
    if open_now:
        words = f"{plural(open_now, 'incident is', 'incidents are')} open."
        found.append(warning(subject, words, "`tocsin incidents --open` shows what was stopped, and why."))
    if not places:
        words = (
            "Nobody is told of incidents (TOCSIN_ALERT_EMAILS, TOCSIN_ALERT_WEBHOOKS): the pages show them."
        )
        return [*found, fine(subject, words)]
    if settings.alert_mailboxes and settings.relay is None and not settings.routes:
        problem = "Alerts by mail cannot leave: no mail relay is set."
        found.append(warning(subject, problem, "Set TOCSIN_SMTP_URL."))
    if settings.alert_from:
        async with desk.database.read() as session:
            sender = await find_identity(session, settings.alert_from)
        if sender is None:
            problem = f"There is no identity {settings.alert_from!r} to send alerts from."
            found.append(warning(subject, problem, "Set TOCSIN_ALERT_FROM to one of `tocsin identity list`."))
    if failing:
        latest = failing[0]
        problem = f"{plural(len(failing), 'alert')} did not arrive; the last problem: {latest.problem}"
        found.append(warning(subject, problem, "`tocsin alerts test` tries every place."))
    return [*found, fine(subject, f"{plural(places, 'place is', 'places are')} told of incidents.")]


async def votes(desk: Desk) -> list[Finding]:
    """Whether a vote that is known to come soon is in the calendar; nothing where all is civic by itself."""
    from audience.elections import unentered
    from store.election_calendar import days_in_force

    if desk.settings.nature is Nature.CIVIC:
        return []
    today = desk.clock.now().date()
    async with desk.database.read() as session:
        kept = await days_in_force(session)
    subject = "Votes"
    missing = unentered(kept, today, today + SOON)
    if missing:
        named = ", ".join(f"{one.wish.name}, round {one.wish.round} ({one.wish.day})" for one in missing)
        words = f"Known to come and not in the calendar: {named}. Nothing is stopped before."
        return [
            warning(subject, words, "`tocsin elections import` enters them, with --unconfirmed if need be.")
        ]
    following = next((day for day in kept if day.day >= today), None)
    if following is None:
        return [fine(subject, "No vote is in the calendar, and none is known to come soon.")]
    return [fine(subject, f"The next in the calendar: {following.name}, {following.day.isoformat()}.")]
