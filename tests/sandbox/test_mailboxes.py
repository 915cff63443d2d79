"""The seed mailboxes, read with the two IMAP clients everybody uses."""

import asyncio
import contextlib
import imaplib
import socket
from datetime import UTC, datetime

import imapclient
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.imapclient import JUNK

from sandbox import SeedAccount, World
from sandbox.imap_search import search
from sandbox.imap_syntax import ImapSyntaxError, ImapTooLongError, read_command, read_set
from sandbox.mailboxes import StoredMail, encode_folder_name
from sandbox.manners import EVERYBODY
from sandbox.placement import Folder, folder_for
from tests.sandbox.letters import Website, WorldMaker, a_message, send


def account_at(world: World, provider: str) -> SeedAccount:
    return next(account for account in world.seed_accounts if account.provider == provider)


async def fill(
    world: World, website: Website, provider: str, *, count: int = 1, sender: str = "c@a.example"
) -> None:
    for number in range(count):
        extra = f"X-Tocsin-Seed: token{number}\r\nX-Long: a\r\n b"
        content = a_message(website.url, message_id=f"<{number}@a.example>", sender=sender, extra=extra)
        account = account_at(world, provider)
        code, _ = await asyncio.to_thread(send, world.smtp_routes[provider], account.address, content)
        assert code == 250


async def test_every_provider_with_mailboxes_has_seed_accounts(make_world: WorldMaker) -> None:
    world = await make_world(seeds_per_provider=3)
    counts = {account.provider: 0 for account in world.seed_accounts}
    for account in world.seed_accounts:
        counts[account.provider] += 1
    assert counts == {manners.key: 3 for manners in EVERYBODY if manners.domains}
    assert len({account.address for account in world.seed_accounts}) == len(world.seed_accounts)


async def test_imaplib_finds_and_reads_a_message(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(disliked={})
    await fill(world, website, "gmail", count=2)
    account = account_at(world, "gmail")

    def read() -> None:
        with imaplib.IMAP4(*world.imap, timeout=60) as client:
            client.login(account.username, account.password)
            assert client.select("INBOX", readonly=True) == ("OK", [b"2"])
            assert client.uid("SEARCH", "HEADER", "X-Tocsin-Seed", '"token1"') == ("OK", [b"2"])
            _, (found, *_) = client.uid("FETCH", "2", "(BODY.PEEK[HEADER] RFC822.SIZE)")
            assert isinstance(found, tuple)
            assert b"X-Tocsin-Seed: token1\r\n" in found[1]
            assert found[1].endswith(b"\r\n\r\n")
            _, (dated, *_) = client.uid("FETCH", "2", "(INTERNALDATE)")
            assert imaplib.Internaldate2tuple(dated) is not None
            _, both = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            assert len([part for part in both if isinstance(part, tuple)]) == 2
            assert client.status("INBOX", "(MESSAGES UIDNEXT)") == ("OK", [b'"INBOX" (MESSAGES 2 UIDNEXT 3)'])
            _, (some, *_) = client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (Subject X-LONG)])")
            assert isinstance(some, tuple)
            assert some[1] == b"Subject: =?utf-8?q?R=C3=A9union?=\r\nX-Long: a\r\n b\r\n\r\n"
            assert client.fetch("1", "(BODY.PEEK[TEXT]<0.3>)")[1][0] == (b"1 (BODY[TEXT]<0> {3}", b"<p>")
            assert client.noop()[0] == "OK"
            assert client.close()[0] == "OK"

    await asyncio.to_thread(read)


async def test_imapclient_finds_the_junk_folder_by_its_use_whatever_its_name(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world(disliked={"sfr": ["rhone.example"], "orange": ["contact@rhone.example"]})
    for provider, name in (("sfr", "Indésirables"), ("orange", "QUARANTAINE")):
        await fill(world, website, provider, sender="contact@rhone.example")
        await fill(world, website, provider, sender="contact@var.example")
        account = account_at(world, provider)

        def read(account: SeedAccount = account, name: str = name) -> None:
            with imapclient.IMAPClient(*world.imap, ssl=False, timeout=60) as client:
                client.login(account.username, account.password)
                assert client.has_capability("SPECIAL-USE")
                client.id_({"name": "test"})
                client.namespace()
                assert client.find_special_folder(JUNK) == name
                client.select_folder(name, readonly=True)
                (uid,) = client.search(["SINCE", datetime.now(UTC).date(), "FROM", "rhone.example"])  # noqa: TID251
                data = client.fetch([uid], ["BODY.PEEK[]", "FLAGS", "INTERNALDATE", "RFC822.SIZE"])[uid]
                assert len(data[b"BODY[]"]) == data[b"RFC822.SIZE"]
                assert data[b"FLAGS"] == ()
                client.unselect_folder()
                assert client.folder_status("INBOX", ["MESSAGES"]) == {b"MESSAGES": 1}

        await asyncio.to_thread(read)
    assert world.tally().senders["contact@rhone.example"].seeds == {"spam": 2}
    assert world.tally().senders["contact@var.example"].seeds == {"inbox": 2}


async def test_searches_combine_and_take_literals(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(disliked={})
    await fill(world, website, "free", count=3)
    account = account_at(world, "free")

    def read() -> None:
        with imapclient.IMAPClient(*world.imap, ssl=False, timeout=60) as client:
            client.login(account.username, account.password)
            client.select_folder("INBOX", readonly=True)
            assert client.search() == [1, 2, 3]
            assert client.search(["NOT", ["HEADER", "X-Tocsin-Seed", "token0"]]) == [2, 3]
            assert client.search(["OR", ["UID", "1"], ["HEADER", "Message-ID", "<2@a.example>"]]) == [1, 3]
            assert client.search(["SUBJECT", "é"], charset="UTF-8") == []
            assert client.search(["UNSEEN", "SENTON", "03-Mar-2026", "LARGER", "10", "TEXT", "dehors"]) == [
                1,
                2,
                3,
            ]
            assert client.search(["BEFORE", "01-Jan-2020"]) == []
            with pytest.raises(imapclient.exceptions.InvalidCriteriaError):
                client.search(["WITHIN", "1"])

    await asyncio.to_thread(read)


async def test_the_wrong_password_and_commands_out_of_turn_are_refused(make_world: WorldMaker) -> None:
    world = await make_world()

    def talk() -> list[str]:
        with socket.create_connection(world.imap, timeout=60) as client:
            stream = client.makefile("rb")
            stream.readline()
            answers = []
            commands = ['a LIST "" *', "b LOGIN a@b c", "c FROBNICATE", 'd LOGIN "x', "e", "f LOGIN (a) b"]
            account = account_at(world, "gmail")
            commands += [
                f"g LOGIN {account.username} {account.password}",
                "h FETCH 1 FLAGS",
                "i SELECT Nowhere",
            ]
            commands += [
                "j SELECT INBOX",
                "k FETCH x FLAGS",
                "l UID STORE 1 FLAGS ()",
                "m FETCH 1",
                "n LOGOUT",
            ]
            for command in commands:
                client.sendall(command.encode() + b"\r\n")
                line = stream.readline().decode()
                while line.startswith("* ") and not line.startswith("* BAD"):
                    line = stream.readline().decode()
                answers.append(" ".join(line.split()[:2]))
            assert stream.read() == b""
            return answers

    assert await asyncio.to_thread(talk) == [
        *("a NO", "b NO", "c BAD", "* BAD", "e BAD", "f BAD", "g OK", "h NO", "i NO"),
        *("j OK", "k BAD", "l BAD", "m BAD", "n OK"),
    ]


@pytest.mark.parametrize(
    "flood",
    [b"a" * 200_000, b"a LOGIN {9999999}\r\n", b"a LOGIN {60000+}\r\n" + b"x" * 60_000 + b" {60000}\r\n"],
)
async def test_a_command_that_is_too_long_ends_the_connection(make_world: WorldMaker, flood: bytes) -> None:
    world = await make_world()

    def talk() -> bytes:
        with socket.create_connection(world.imap, timeout=60) as client:
            try:
                client.sendall(flood)
                return b"".join(iter(lambda: client.recv(4096), b""))
            except ConnectionError:
                return b""

    assert b"OK LOGIN" not in await asyncio.to_thread(talk)
    assert world.tally().problems == ()


def test_a_provider_puts_all_mail_of_one_sender_in_one_folder() -> None:
    folders = {folder_for("gmail", f"contact@{n}.example", seed=3) for n in range(500)}
    assert folders == set(Folder)
    assert folder_for("gmail", "Contact@A.example") is folder_for("gmail", "contact@a.example")


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=5))
def test_a_set_of_messages_reads_back(ranges: list[tuple[int, int]]) -> None:
    written = ",".join(f"{low}:{high}" for low, high in ranges)
    assert read_set(written, 50) == [(min(one), max(one)) for one in ranges]


@given(
    st.lists(
        st.sampled_from(["NOT", "OR", "ALL", "UID", "SINCE", "HEADER", "1:2", "x", "LARGER", "SEEN"]),
        max_size=6,
    )
)
def test_any_search_is_answered_or_refused(words: list[str]) -> None:
    mails = [StoredMail(1, b"From: a@b\r\n\r\nx", datetime(2026, 3, 3, tzinfo=UTC))]
    try:
        found = search(list(words), mails)
    except ImapSyntaxError:
        return
    assert found in ([], [(1, mails[0])])


def test_folder_names_beyond_ascii_travel_in_modified_utf_7() -> None:
    assert encode_folder_name("Indésirables") == "Ind&AOk-sirables"
    assert encode_folder_name("A & B") == "A &- B"


@given(st.text(alphabet='ab (){}[]"\\\r\n1.é', max_size=40))
async def test_any_line_is_read_as_words_or_refused(line: str) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(line.encode() + b"\r\n")
    reader.feed_eof()

    async def go_on() -> None:
        """The literal is there already."""

    with contextlib.suppress(ImapSyntaxError, ImapTooLongError, asyncio.IncompleteReadError):
        words = await read_command(reader, go_on)
        assert words is None or all(isinstance(word, str | list) for word in words)
