"""The doctor: everything a campaign depends on, looked at one by one, with what to do about it.

Checks are independent, so that one thing broken does not hide the next, and none waits longer than five
seconds: the doctor is called when something is wrong already.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from models.clock import SystemClock
from models.errors import TocsinError
from service.desk import Desk
from service.examinations import bounce_mailbox, email, receiving, seed_mailboxes, senders, sms, web_pages
from service.examinations_of_hooks import webhooks
from service.examinations_of_running import alerts, journals, sending, set_aside, triggers, votes, watching
from service.examinations_of_submission import submission
from service.findings import Finding, blocking, fine, warning
from service.secret_key import is_readable_by_others, key_file, open_keyring
from service.settings import ENV_FILE, Settings
from store import Database

PATIENCE_S = 5.0
LOW_DISK = 512 * 1024 * 1024
NO_DISK = 32 * 1024 * 1024

Examination = Callable[[], Awaitable[list[Finding]]]


async def examine(settings: Settings, *, with_network: bool = True) -> list[Finding]:
    """Every finding, grouped by subject, in the order in which things are mended."""
    found = _settings(settings)
    database = Database(settings.database_url.get_secret_value())
    try:
        usable, about_database = await _database(settings, database)
        found += about_database
        rounds: list[tuple[str, Examination]] = [
            ("Web pages", lambda: web_pages(settings, with_network=with_network)),
            ("E-mail", lambda: email(settings, with_network=with_network)),
            ("SMS", lambda: sms(settings)),
            ("Bounces", lambda: receiving(settings)),
            ("Watching", lambda: watching(settings)),
            ("Journals", lambda: journals(settings)),
        ]
        if usable:
            desk = Desk(settings, database, SystemClock())
            rounds.append(("Triggers", lambda: triggers(desk)))
            rounds.append(("Workers", lambda: sending(desk)))
            rounds.append(("Senders", lambda: senders(desk, with_network=with_network)))
            rounds.append(("Bounce mailbox", lambda: bounce_mailbox(desk)))
            rounds.append(("Alerts", lambda: alerts(desk)))
            rounds.append(("Votes", lambda: votes(desk)))
            rounds.append(("Mail set aside", lambda: set_aside(desk)))
            rounds.append(("Webhooks", lambda: webhooks(desk)))
            rounds.append(("Mail of programs", lambda: submission(desk)))
            rounds.append(("Seeds", lambda: seed_mailboxes(desk, with_network=with_network)))
        for results in await asyncio.gather(*(_patiently(subject, look) for subject, look in rounds)):
            found += results
    finally:
        await database.close()
    return found


async def _patiently(subject: str, look: Examination) -> list[Finding]:
    """The findings of one examination; running out of time, or failing, is a finding too."""
    try:
        async with asyncio.timeout(PATIENCE_S + 1):
            return await look()
    except TimeoutError:
        return [warning(subject, f"The check did not end within {PATIENCE_S:g} seconds.", "Try again later.")]
    except TocsinError as error:
        return [blocking(subject, error.problem, error.advice)]


def _settings(settings: Settings) -> list[Finding]:
    subject = "Settings"
    given = len(settings.model_fields_set)
    found = [fine(subject, f"All {len(Settings.model_fields)} settings can be used, {given} of them given.")]
    if ENV_FILE.is_file() and is_readable_by_others(ENV_FILE):
        found.append(warning(subject, f"{ENV_FILE} can be read by other users.", f"chmod 600 {ENV_FILE}"))
    found += _secret_key(settings, subject)
    return found


def _secret_key(settings: Settings, subject: str) -> list[Finding]:
    if settings.secret_key is not None:
        return [fine(subject, "The secret key is given by TOCSIN_SECRET_KEY.")]
    path = key_file(settings)
    if not path.exists():
        return [warning(subject, "There is no secret key yet.", "`tocsin migrate` makes one.")]
    try:
        open_keyring(settings)
    except TocsinError as error:
        return [blocking(subject, error.problem, error.advice)]
    if is_readable_by_others(path):
        return [warning(subject, f"The secret key {path} can be read by other users.", f"chmod 600 {path}")]
    return [fine(subject, f"The secret key {path} can be read by its owner alone.")]


async def _database(settings: Settings, database: Database) -> tuple[bool, list[Finding]]:
    """Whether the database can be used, and what was found."""
    subject = "Database"
    found = _disk(settings.data_dir, subject)
    place = database.url.render_as_string(hide_password=True)
    try:
        async with asyncio.timeout(PATIENCE_S):
            pending = await database.pending_migration()
            if pending is not None:
                return False, [*found, blocking(subject, f"{place}: {pending}", "Run `tocsin migrate`.")]
            async with database.write():
                pass
    except TimeoutError:
        return False, [*found, blocking(subject, f"{place} does not answer.", "Check that it is running.")]
    except TocsinError as error:
        return False, [*found, blocking(subject, error.problem, error.advice)]
    return True, [*found, fine(subject, f"{place} answers, has this version's tables and can be written to.")]


def _disk(folder: Path, subject: str) -> list[Finding]:
    standing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(standing).free
    sentence = f"{free / 2**30:,.1f} GB are free on the disk of {folder}."
    if free < NO_DISK:
        return [blocking(subject, sentence, "Make room.")]
    if free < LOW_DISK:
        return [warning(subject, sentence, "Make room: a campaign writes some kilobytes a message.")]
    return [fine(subject, sentence)]
