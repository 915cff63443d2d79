"""The seed mailboxes speak Gmail's extensions and XOAUTH2 as imaplib, which knows nothing of us, expects."""

import asyncio
import base64
import imaplib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.imap_manners import Breakage, read_xoauth2
from sandbox.imap_server import ImapServer
from sandbox.mailboxes import Mailbox, MailFolder, SeedAccount
from tests.clocks import START

ACCOUNT = SeedAccount("w@gmail.com", "gmail", "w@gmail.com", "right")


@pytest.fixture
async def server() -> AsyncIterator[ImapServer]:
    """One Gmail mailbox with three mails: two in a tab, one labelled."""
    everything = MailFolder("[Gmail]/All Mail", "\\All")
    for number, category in enumerate(("promotions", "", "promotions")):
        everything.add(f"Subject: {number}\r\n\r\nx\r\n".encode(), START).category = category
    everything.mails[1].labels = {"\\Inbox", 'Ma "liste"'}
    mailbox = Mailbox(ACCOUNT, [MailFolder("INBOX"), everything], labelled=True, access_tokens={"token-1"})
    running = ImapServer({"w@gmail.com": mailbox})
    await running.start()
    yield running
    await running.stop()


def port_of(server: ImapServer) -> int:
    assert server._server is not None
    return int(server._server.sockets[0].getsockname()[1])


async def test_a_tab_is_found_by_its_category_and_labels_are_told(server: ImapServer) -> None:
    def look() -> None:
        with imaplib.IMAP4("127.0.0.1", port_of(server)) as client:
            assert "X-GM-EXT-1" not in client.capabilities
            client.login("w@gmail.com", "right")
            assert b"X-GM-EXT-1" in client.capability()[1][0]
            client.select('"[Gmail]/All Mail"', readonly=True)
            assert client.uid("SEARCH", "X-GM-RAW", '"category:promotions"')[1] == [b"1 3"]
            assert client.uid("SEARCH", "UID", "2:3", "X-GM-RAW", "category:promotions")[1] == [b"3"]
            assert client.uid("SEARCH", "X-GM-RAW", "from:me")[1] == [b""]
            (told,) = client.uid("FETCH", "2", "(X-GM-LABELS)")[1]
            assert told == b'2 (UID 2 X-GM-LABELS ("Ma \\"liste\\"" "\\\\Inbox"))'

    await asyncio.to_thread(look)


async def test_gmails_search_is_unknown_elsewhere(server: ImapServer) -> None:
    server.mailboxes["w@gmail.com"].labelled = False

    def look() -> None:
        with imaplib.IMAP4("127.0.0.1", port_of(server)) as client:
            client.login("w@gmail.com", "right")
            client.select("INBOX", readonly=True)
            with pytest.raises(imaplib.IMAP4.error, match="Unknown search key"):
                client.uid("SEARCH", "X-GM-RAW", "category:promotions")

    await asyncio.to_thread(look)


@pytest.mark.parametrize(("token", "signs_in"), [("token-1", True), ("token-2", False)])
async def test_an_access_token_signs_in_while_it_holds(
    server: ImapServer, token: str, *, signs_in: bool
) -> None:
    heard: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        heard.append(challenge)
        return b"" if len(heard) > 1 else f"user=w@gmail.com\x01auth=Bearer {token}\x01\x01".encode()

    def sign_in() -> None:
        with imaplib.IMAP4("127.0.0.1", port_of(server)) as client:
            client.authenticate("XOAUTH2", answer)

    if signs_in:
        await asyncio.to_thread(sign_in)
        assert server.sign_ins == ["XOAUTH2 w@gmail.com token-1"]
    else:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            await asyncio.to_thread(sign_in)
        assert b'"status":"400"' in heard[1]


async def test_a_line_drops_where_it_is_told_to(server: ImapServer) -> None:
    server.manners.breaks = Breakage.AT_ONCE
    with pytest.raises(imaplib.IMAP4.abort):
        await asyncio.to_thread(imaplib.IMAP4, "127.0.0.1", port_of(server))


@given(st.text(max_size=60))
def test_only_an_xoauth2_answer_is_read_as_one(text: str) -> None:
    assert read_xoauth2(text) is None
    assert read_xoauth2(base64.b64encode(text.encode()).decode()) is None
