"""Kept originals, read again."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import apply
from deliverability.originals import read_originals_again
from deliverability.rereading import arrived_at
from deliverability.rulebook import RuleBook, read_rules, shipped
from deliverability.signals.mail import read_inbound
from models.tokens import TokenPurpose
from models.values import Cover
from store import Database, incoming, suppressions
from tests.clocks import START
from tests.deliverability.rows import TOKENS, a_delivery

DAY = timedelta(days=1)
NOW = START + DAY


def a_bounce(address: str, text: str) -> bytes:
    return (
        f"From: <MAILER-DAEMON@mx.exemple.fr>\r\nTo: <{address}>\r\nSubject: failure\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.exemple.fr\r\n\r\n"
        "Final-Recipient: rfc822; somebody@exemple.fr\r\nAction: failed\r\nStatus: 5.0.0\r\n"
        f"Diagnostic-Code: smtp; 599 {text}\r\n\r\n--b--\r\n"
    ).encode()


def a_rule(folder: Path) -> RuleBook:
    rules = folder / "rules.toml"
    rules.write_text(
        '[[rules]]\nid = "gone"\ntext = "has left us"\nclass = "no_such_address"\nfault = "recipient"\n'
        'permanence = "hard"\nproven = true\n'
    )
    return read_rules(rules)


async def bounces_arrive(database: Database, *, read: bool) -> None:
    for _ in range(2):
        async with database.write() as session:
            delivery = await a_delivery(session)
            address = f"b+{TOKENS.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.example"
            raw = a_bounce(address, "This person has left us")
            if not read:
                await incoming.keep(session, source="mail", raw=raw, matched=False, now=START)
                continue
            for signal in read_inbound(raw, [address], TOKENS, START):
                await apply(session, signal, START)


async def standing(database: Database) -> int:
    async with database.read() as session:
        return sum((await suppressions.count_by_reason(session, NOW)).values())


async def test_a_new_rule_over_kept_originals_is_shown_first_and_carried_out_once(
    database: Database, tmp_path: Path
) -> None:
    await bounces_arrive(database, read=True)
    book = a_rule(tmp_path)
    shown = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=False)
    assert (shown.read, shown.news, shown.would_suppress, await standing(database)) == (2, 0, 2, 0)
    (change,) = shown.changes
    assert change.after == "gone (no_such_address)"
    assert "@" not in change.example
    done = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=True)
    again = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=True)
    assert (done.would_suppress, again.changes, await standing(database)) == (2, (), 2)
    back = await read_originals_again(database, TOKENS, shipped(), since=START - DAY, now=NOW, act=True)
    assert (back.would_spare, await standing(database)) == (2, 0)


async def test_a_bounce_nobody_had_recognised_becomes_news_once(database: Database, tmp_path: Path) -> None:
    await bounces_arrive(database, read=False)
    book = a_rule(tmp_path)
    for expected in (2, 0):
        seen = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=True)
        assert seen.news == expected
    assert await standing(database) == 2


async def test_what_one_original_says_changes_nothing_of_what_was_read_from_another(
    database: Database, tmp_path: Path
) -> None:
    book = a_rule(tmp_path)
    async with database.write() as session:
        delivery = await a_delivery(session)
        address = f"b+{TOKENS.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.example"
        # The first was kept by readers that made nothing of it, the second was read.
        first = a_bounce(address, "Something is odd").replace(b"5.0.0", b"5.0.9")
        await incoming.keep(session, source="mail", raw=first, matched=False, now=START)
        for signal in read_inbound(a_bounce(address, "This person has left us"), [address], TOKENS, NOW):
            await apply(session, signal, NOW)
    for expected in (1, 0, 0):
        seen = await read_originals_again(database, TOKENS, book, since=START - DAY, now=NOW, act=True)
        assert (seen.news, len(seen.changes), await standing(database)) == (expected, 2 * expected, 1)


def test_an_original_says_where_it_arrived() -> None:
    assert arrived_at(b"Subject: x\r\nTo: A <a@b.fr>,\r\n <b+tok.en@c.fr>\r\n\r\nTo: b+no@d.fr") == [
        "b+tok.en@c.fr"
    ]
    assert arrived_at(b"\xff\x00") == ["replay@localhost"]


async def test_all_addresses_an_original_speaks_of_are_held_at_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, this and somebody who hears news of the same ones could wait in a circle."""
    async with database.write() as session:
        known, unheard = [await a_delivery(session) for _ in range(3)], await a_delivery(session)
        paths = [
            f"b+{TOKENS.make(TokenPurpose.BOUNCE, one.id)}@retour.parti.example" for one in (*known, unheard)
        ]
        raw = a_bounce(paths[0], "This person has left us")
        for signal in read_inbound(raw, paths[:3], TOKENS, START):
            await apply(session, replace(signal, cover=Cover("smtp", tuple(paths))), START)
    held: list[int] = []
    real = suppressions.hold

    async def hold(session: AsyncSession, hashes: Collection[str]) -> None:
        held.append(len(hashes))
        await real(session, hashes)

    monkeypatch.setattr(suppressions, "hold", hold)
    done = await read_originals_again(
        database, TOKENS, a_rule(tmp_path), since=START - DAY, now=NOW, act=True
    )
    assert (done.would_suppress, done.news, await standing(database)) == (4, 1, 4)
    assert held[0] == 4
