"""Mail piped into the command, as mail servers do: the exit status says whether to keep it."""

import asyncio
from pathlib import Path

from sqlmodel import select

from models.event import Event, Incoming
from models.tokens import TokenPurpose, Tokens
from service.secret_key import open_keyring
from service.settings import GivenSettings
from store import Database
from tests.deliverability.rows import a_delivery
from tests.service.conftest import Tocsin, Typed

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


def test_a_wrong_setting_loses_no_mail(ready: Tocsin, typed: Typed) -> None:
    assert typed("inbound", stdin=BOUNCE, TOCSIN_ZONE="Nowhere").code == EX_TEMPFAIL
