"""Mail piped into the command, as mail servers do: the exit status says whether to keep it."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import select

from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event, Incoming
from models.providers import NOWHERE
from models.states import EventKind
from models.tokens import TokenPurpose, Tokens
from models.values import Cover
from service.secret_key import open_keyring
from service.settings import GivenSettings
from store import Database, incoming
from tests.deliverability.rows import a_delivery
from tests.service.conftest import LAUNCH, Tocsin, Typed

EX_TEMPFAIL = 75
BOUNCE = (Path(__file__).parents[1] / "deliverability/data/dsn_unknown_user.eml").read_text()


def return_path(tocsin: Tocsin) -> str:
    """Of a message that was sent."""

    async def make() -> int:
        database = Database(f"sqlite:///{tocsin.folder}/tocsin-data/tocsin.db")
        async with database.write() as session:
            number = (await a_delivery(session)).id
        await database.close()
        return number

    number = asyncio.run(make())
    tokens = Tokens(open_keyring(GivenSettings(data_dir=tocsin.folder / "tocsin-data")))
    return f"b+{tokens.make(TokenPurpose.BOUNCE, number)}@retour.parti.example"


def kept(tocsin: Tocsin) -> tuple[int, int]:
    """Events and originals."""

    async def count() -> tuple[int, int]:
        database = Database(f"sqlite:///{tocsin.folder}/tocsin-data/tocsin.db")
        async with database.read() as session:
            events = len((await session.exec(select(Event))).all())
            originals = len((await session.exec(select(Incoming))).all())
        await database.close()
        return events, originals

    return asyncio.run(count())


def rows(tocsin: Tocsin) -> list[Incoming]:
    """What is kept."""

    async def read() -> list[Incoming]:
        database = Database(f"sqlite:///{tocsin.folder}/tocsin-data/tocsin.db")
        async with database.read() as session:
            found = list((await session.exec(select(Incoming))).all())
        await database.close()
        return found

    return asyncio.run(read())


def originals(tocsin: Tocsin) -> list[bytes]:
    return [row.raw for row in rows(tocsin)]


def outside(tocsin: Tocsin) -> list[tuple[str, str, str]]:
    return [(row.way, row.sender, row.recipients) for row in rows(tocsin)]


def test_a_bounce_is_recorded_for_the_recipient_the_mail_server_names(ready: Tocsin, typed: Typed) -> None:
    address = return_path(ready)
    assert typed.must("inbound", "--recipient", address, stdin=BOUNCE) == "bounced: recorded\n"
    assert typed.must("inbound", "--recipient", address, stdin=BOUNCE) == "bounced: known already\n"
    assert kept(ready) == (1, 1)


def test_without_a_recipient_the_headers_are_asked(ready: Tocsin, typed: Typed) -> None:
    for header in ("Delivered-To", "X-Original-To", "To"):
        piped = f"{header}: <{return_path(ready)}>\n{BOUNCE}"
        assert typed.must("inbound", stdin=piped) == "bounced: recorded\n"
    assert kept(ready)[0] == 3


def test_a_header_that_we_did_not_sign_names_nobody(ready: Tocsin, typed: Typed) -> None:
    address = return_path(ready)
    forged = "b+" + "a" * (len(address.partition("@")[0]) - 2) + "@retour.parti.example"
    assert "matches no message" in typed.must("inbound", stdin=f"Delivered-To: {forged}\n{BOUNCE}")
    assert kept(ready)[0] == 0


def test_while_the_database_is_away_the_mail_server_keeps_the_mail(tocsin: Tocsin, typed: Typed) -> None:
    ran = typed("inbound", stdin=BOUNCE)
    assert ran.code == EX_TEMPFAIL
    assert "tocsin migrate" in ran.err
    unreachable = "postgresql://nobody@127.0.0.1:9/nowhere"
    assert typed("inbound", stdin=BOUNCE, TOCSIN_DATABASE_URL=unreachable).code == EX_TEMPFAIL


def test_a_mail_of_any_size_is_taken_and_its_beginning_read(ready: Tocsin) -> None:
    """By a process that needs no more memory for it, and reads it to its end: no pipe breaks."""
    address = return_path(ready)
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    needed = []
    for mail in (BOUNCE, BOUNCE + "x" * 98 + "\n" + ("y" * 99 + "\n") * 640_000):
        ended = subprocess.run(
            [sys.executable, "-c", script, *LAUNCH, "inbound", "--recipient", address],
            cwd=ready.folder,
            env=ready.environment(),
            input=mail.encode(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        told, kilobytes = ended.stdout.decode().splitlines()
        needed.append(int(kilobytes))
        assert told == ("bounced: recorded" if mail == BOUNCE else "bounced: known already")
    assert needed[1] - needed[0] < 30_000, "of 64 megabytes"
    assert max(len(raw) for raw in originals(ready)) <= 1_000_000


def test_the_envelope_is_kept_beside_the_original(ready: Tocsin, typed: Typed) -> None:
    address = return_path(ready)
    typed.must("inbound", f"--recipient={address}", "--sender=a@exemple.fr", stdin=BOUNCE)
    assert outside(ready) == [("pipe", "a@exemple.fr", address)]


def test_a_wrong_setting_loses_no_mail(ready: Tocsin, typed: Typed) -> None:
    assert typed("inbound", stdin=BOUNCE, TOCSIN_ZONE="Nowhere").code == EX_TEMPFAIL


def test_what_was_set_aside_is_shown_printed_and_read_again(ready: Tocsin, typed: Typed) -> None:
    """What remains unread after all, and what the doctor says of it."""
    address = return_path(ready)
    assert typed.must("bounces", "aside") == "No mail is set aside.\n"

    async def put_aside() -> int:
        database = Database(f"sqlite:///{ready.folder}/tocsin-data/tocsin.db")
        async with database.write() as session:
            cover = Cover("lmtp", (address,))
            now = SystemClock().now()
            await incoming.set_aside(session, BOUNCE.encode(), cover, problem="KeyError: 'x'", now=now)
            number = (await incoming.list_aside(session))[0].id
        await database.close()
        return number

    number = asyncio.run(put_aside())
    shown = typed.must("bounces", "aside")
    assert "KeyError: 'x'" in shown
    assert "lmtp" in shown
    assert "1 mail was set aside" in typed("doctor", "--quick").out
    assert ready("bounces", "aside", "--show", str(number)).out == BOUNCE
    assert "Nothing was changed" in typed("bounces", "aside", "--show", "12345").told
    retried = typed.must("bounces", "aside", "--retry")
    assert "1 mail read now." in retried
    assert "No mail is set aside." in retried
    assert kept(ready) == (1, 1)


def test_a_replay_names_a_lane_without_a_mail_server_in_words(ready: Tocsin, typed: Typed) -> None:
    address = return_path(ready)
    typed.must("inbound", "--recipient", address, stdin=BOUNCE)

    async def put(table: Any, **values: object) -> None:
        database = Database(f"sqlite:///{ready.folder}/tocsin-data/tocsin.db")
        async with database.write() as session:
            await session.exec(sa.update(table).values(values))
        await database.close()

    asyncio.run(put(Delivery, provider=NOWHERE))
    asyncio.run(put(Event, provider=NOWHERE))
    rules = ready.folder / "other.toml"
    rules.write_text('[[rules]]\nid = "mine"\ntext = "."\nclass = "block"\nfault = "provider"\n')
    shown = typed.must("bounces", "replay", "--rules", str(rules))
    assert "No mail server found" in shown
    assert NOWHERE not in shown
    asyncio.run(put(Event, kind=EventKind.REFUSED))
    assert "No mail server found" in typed.must("pace", "replay", "--rules", str(rules))


def is_stopped(tocsin: Tocsin, typed: Typed) -> bool:
    return "hard bounce" in typed.must("suppression", "list")


def test_a_bounce_is_judged_by_the_policies_of_the_installation(ready: Tocsin, typed: Typed) -> None:
    address = return_path(ready)
    own = ready.folder / "tocsin-data/suppression.toml"
    own.write_text('[[policies]]\nid = "no-such-address"\noff = true\n')
    typed.must("inbound", "--recipient", address, stdin=BOUNCE)
    assert not is_stopped(ready, typed)
    own.unlink()
    typed.must("inbound", "--recipient", return_path(ready), stdin=BOUNCE)
    assert is_stopped(ready, typed)


def test_a_policy_that_cannot_be_followed_loses_no_mail_and_is_told_in_one_line(
    ready: Tocsin, typed: Typed
) -> None:
    own = ready.folder / "tocsin-data/suppression.toml"
    own.write_text('[[policies]]\nid = "x"\nclasses = ["block"]\n')
    ran = typed("inbound", "--recipient", return_path(ready), stdin=BOUNCE)
    assert ran.code == EX_TEMPFAIL
    assert "block never suppresses a person" in ran.told
    assert "suppression.toml" in ran.told
    assert typed("bounces", "replay").told == ran.told
    own.unlink()
    assert "recorded" in typed.must("inbound", "--recipient", return_path(ready), stdin=BOUNCE)
