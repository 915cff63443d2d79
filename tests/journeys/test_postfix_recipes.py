"""What the documentation tells a Postfix's administrator to write works in a Postfix, word for word."""

import asyncio
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from aiosmtplib import SMTP, SMTPRecipientsRefused
from sqlmodel import select

from deliverability.bounce_mailbox import poll_bounces
from deliverability.inbox import InboundServer
from models.bounce_box import BounceMailbox, MailboxTls
from models.event import Event, Incoming
from models.states import EventKind
from models.tokens import TokenPurpose, Tokens
from service.secret_key import open_keyring
from service.settings import GivenSettings
from store import Database
from tests.clocks import ManualClock
from tests.deliverability.rows import TOKENS, a_delivery
from tests.servers import free_port, missing
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.postfix import Postfix, StartPostfix

pytestmark = pytest.mark.journey

ROOT = Path(__file__).resolve().parents[2]
BOUNCE = (ROOT / "tests/deliverability/data/dsn_unknown_user.eml").read_bytes()
DOMAIN = "bounces.news.example.org"
RECIPIENTS_FILE = "/etc/postfix/tocsin_recipients"
SOMEBODY = "nobody"


def recipe(*words: str) -> str:
    """The one block of the chapter on bounces that says these words."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    chapter = page.partition("\n## Bounces\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", chapter, re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if all(word in block for word in words)]
    return str(found)


def lines(block: str) -> dict[str, str]:
    """Of main.cf."""
    return {line.partition(" = ")[0]: line.partition(" = ")[2] for line in block.splitlines()}


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Come back once it holds; TimeoutError when it does not for half a minute."""
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.1)


@pytest.fixture
def doors() -> Iterator[str]:
    """The file of recipients, where Postfix may read it."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-recipe-"))
    folder.chmod(0o755)
    file = folder / "tocsin_recipients"
    file.write_text(recipe("/^(b|unsubscribe)"))
    yield str(file)
    shutil.rmtree(folder)


def start(postfix: StartPostfix, block: str, changes: Mapping[str, str], services: str = "") -> Postfix:
    """A Postfix that follows a recipe, with the places of this test."""
    for old, new in changes.items():
        assert old in block + services, f"the recipe says nothing of {old}"
        block, services = block.replace(old, new), services.replace(old, new)
    return postfix(settings=lines(block), services=services)


async def return_paths(database: Database, tokens: Tokens, count: int = 2) -> list[str]:
    async with database.write() as session:
        numbers = [(await a_delivery(session)).id for _ in range(count)]
    return [f"b+{tokens.make(TokenPurpose.BOUNCE, number)}@{DOMAIN}" for number in numbers]


async def hand_over(mta: Postfix, addresses: list[str], mail: bytes = BOUNCE, sender: str = "") -> None:
    """As the internet does."""
    client = SMTP(hostname=mta.host, port=mta.port, start_tls=False, timeout=10)
    async with client:
        await client.sendmail(sender, addresses, mail)


async def recorded(database: Database, mta: Postfix, count: int) -> list[Incoming]:
    """What is kept once so many bounces are recorded; what is put off is tried again meanwhile."""
    tries = 0

    async def is_there() -> bool:
        nonlocal tries
        tries += 1
        if tries % 30 == 0:
            await asyncio.to_thread(mta.flush)
        async with database.read() as session:
            return len((await session.exec(select(Event))).all()) >= count

    try:
        await eventually(is_there)
    except TimeoutError:
        pytest.fail(mta.log)
    async with database.read() as session:
        events = (await session.exec(select(Event))).all()
        assert {event.kind for event in events} == {EventKind.BOUNCED}
        assert len({event.delivery_id for event in events}) == count
        return list((await session.exec(select(Incoming))).all())


@pytest.mark.parametrize("way", ["smtp", "lmtp"])
async def test_postfix_hands_bounces_to_the_listener(
    database: Database, clock: ManualClock, postfix: StartPostfix, doors: str, way: str
) -> None:
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", free_port(), lmtp=way == "lmtp")
    await server.start()
    written = "[127.0.0.1]:2525" if way == "smtp" else "127.0.0.1:2424"
    here = written.rpartition(":")[0] + f":{server.port}"
    mta = start(postfix, recipe("transport_maps", written), {RECIPIENTS_FILE: doors, written: here})
    paths = await return_paths(database, TOKENS)
    await hand_over(mta, paths)
    kept = await recorded(database, mta, 2)
    assert [(row.way, row.sender, set(row.recipients.splitlines())) for row in kept] == [
        (way, "", set(paths))
    ]
    with pytest.raises(SMTPRecipientsRefused):
        await hand_over(mta, [f"guess@{DOMAIN}"])
    await server.stop()


async def test_postfix_gathers_bounces_in_a_mailbox(
    database: Database, clock: ManualClock, postfix: StartPostfix, dovecot: Dovecot
) -> None:
    catch_all = lines(recipe("virtual_alias_maps")) | {
        "transport_maps": f"inline:{{ {{ example.org = lmtp:inet:127.0.0.1:{dovecot.lmtp_port} }} }}"
    }
    mta = postfix(settings=catch_all)
    (path,) = await return_paths(database, TOKENS, 1)
    await hand_over(mta, [path], f"To: {path}\r\n".encode() + BOUNCE)
    mailbox = BounceMailbox("127.0.0.1", dovecot.imap_port, USER, PASSWORD, tls=MailboxTls.NONE)

    async def is_read() -> bool:
        return (await poll_bounces(database, TOKENS, clock, mailbox)).recorded == 1

    await eventually(is_read)
    (kept,) = await recorded(database, mta, 1)
    assert (kept.way, kept.recipients) == ("imap", path)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for the command that its own user owns, as Postfix pipes to nobody's root."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pipe-"))
    folder.chmod(0o755)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    python = next((each for each in _pythons() if _may_run(each, packages)), None)
    if python is None:
        missing(f"A Python that {SOMEBODY} may run", "put it where others may enter")
    command = folder / "tocsin"
    command.write_text(
        f"#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH={ROOT}:{packages} exec {python} -c"
        " 'from service.cli import main; main()' \"$@\"\n"
    )
    command.chmod(0o755)
    (folder / "tocsin.env").write_text(f"TOCSIN_DATA_DIR={folder}/data\n")
    yield folder
    shutil.rmtree(folder)


def _pythons() -> list[str]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [os.path.realpath(sys.executable), f"/usr/bin/{version}", f"/usr/local/bin/{version}"]


def _may_run(python: str, packages: str) -> bool:
    env = {"PYTHONPATH": f"{ROOT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    who = pwd.getpwnam(SOMEBODY)
    asked = [python, "-c", "import pydantic, sqlalchemy"]
    try:
        ended = subprocess.run(
            asked,
            env=env,
            cwd="/",
            capture_output=True,
            check=False,
            user=who.pw_uid,
            group=who.pw_gid,
            extra_groups=[],
        )
    except OSError:
        return False
    return ended.returncode == 0


@pytest.fixture
async def piped(home: Path, migrated_sqlite_file: Path) -> AsyncIterator[Database]:
    """The database of the command that is piped to."""
    data = home / "data"
    data.mkdir()
    shutil.copyfile(migrated_sqlite_file, data / "tocsin.db")
    open_keyring(GivenSettings(data_dir=data))
    database = Database(f"sqlite:///{data}/tocsin.db")
    yield database
    await database.close()


async def test_postfix_pipes_bounces_to_the_command(
    piped: Database, home: Path, postfix: StartPostfix, doors: str
) -> None:
    """One command for all recipients of a mail; and while the database is away Postfix keeps it."""
    tokens = Tokens(open_keyring(GivenSettings(data_dir=home / "data")))
    paths = await return_paths(piped, tokens)
    for path in (home / "data", *(home / "data").iterdir()):
        shutil.chown(path, SOMEBODY)
    away = home / "away.db"
    (home / "data/tocsin.db").rename(away)
    changes = {
        RECIPIENTS_FILE: doors,
        "user=tocsin": f"user={SOMEBODY}",
        "/var/lib/tocsin": str(home),
        "/opt/tocsin/.venv/bin/tocsin": str(home / "tocsin"),
    }
    mta = start(postfix, recipe("= tocsin:"), changes, recipe("argv="))
    await hand_over(mta, paths)

    async def is_kept() -> bool:
        return "status=deferred" in mta.log

    try:
        await eventually(is_kept)
    except TimeoutError:
        pytest.fail(mta.log)
    away.rename(home / "data/tocsin.db")
    kept = await recorded(piped, mta, 2)
    assert [(row.way, row.sender, row.recipients.splitlines()) for row in kept] == [("pipe", "", paths)]
    await hand_over(mta, paths[:1], b"Subject: re\r\n\r\nBonjour\r\n", sender="ada@exemple.fr")

    async def is_answered() -> bool:
        async with piped.read() as session:
            return "ada@exemple.fr" in (await session.exec(select(Incoming.sender))).all()

    await eventually(is_answered)
    with pytest.raises(SMTPRecipientsRefused):
        await hand_over(mta, [f"guess@{DOMAIN}"])
