"""Mailboxes that take no password: access tokens are asked for, kept while they last, and renewed once."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from deliverability.placement import AccessTokens, SeedError, look_in
from deliverability.placement.folders import Place as Folder
from deliverability.placement.trial import TrialSeen, find_trial
from models.seed import SeedAuth
from models.tokens import TokenPurpose
from store import Database, seeds
from tests.clocks import START, ManualClock
from tests.deliverability.rows import KEYRING, TOKENS
from tests.deliverability.seed_mailboxes import Place, a_mail, a_place, poll, sent_to

REFRESH, SECRET = "refresh-token-ultrasecret", "client-secret-ultrasecret"


@dataclass
class TokenServer:
    """Gives access tokens, numbered; `answer` instead of one, when it is set."""

    mailbox: Any
    port: int = 0
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    life: object = 3600
    renews: str = ""
    answer: tuple[int, bytes] | None = None
    accepted: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        self.asked.append(parse_qs((await reader.readexactly(length)).decode()))
        token = f"access-{len(self.asked)}"
        if self.accepted:
            self.mailbox.access_tokens.add(token)
        given = {"access_token": token, "token_type": "Bearer", "expires_in": self.life}
        if self.renews:
            given["refresh_token"] = self.renews
        status, content = self.answer or (200, json.dumps(given).encode())
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(content)
        await writer.drain()
        writer.close()

    @property
    def seed(self) -> dict[str, Any]:
        """What a seed says of it."""
        return {
            "auth": SeedAuth.XOAUTH2,
            "token_url": f"http://127.0.0.1:{self.port}/token",
            "client_id": "client-1",
            "sealed_password": KEYRING.encrypt(REFRESH),
            "sealed_client_secret": KEYRING.encrypt(SECRET),
        }


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as place:
        place.mailbox.takes_password = False
        yield place


@pytest.fixture
async def tokens(place: Place) -> AsyncIterator[TokenServer]:
    teller = TokenServer(place.mailbox)
    server = await asyncio.start_server(teller.serve, "127.0.0.1", 0)
    teller.port = server.sockets[0].getsockname()[1]
    yield teller
    server.close()
    await server.wait_closed()


async def test_a_refresh_token_is_changed_for_an_access_token_that_signs_in(
    database: Database, clock: ManualClock, place: Place, tokens: TokenServer
) -> None:
    _, delivery = await sent_to(database, place.port, **tokens.seed)
    place.inbox.add(a_mail(delivery), START)
    run = await poll(database, clock)
    assert (run.inbox, run.problems) == (1, {})
    assert tokens.asked == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": [REFRESH],
            "client_id": ["client-1"],
            "client_secret": [SECRET],
        }
    ]
    assert place.server.sign_ins == ["XOAUTH2 temoin access-1"]


@pytest.mark.parametrize(
    ("life", "asked"),
    [(3600, 1), ("3600", 1), (30, 2), (None, 1), ("x", 1)],
    ids=["an hour", "as text", "short", "untold", "nonsense"],
)
async def test_an_access_token_is_kept_while_it_lasts(
    *, database: Database, clock: ManualClock, place: Place, tokens: TokenServer, life: object, asked: int
) -> None:
    tokens.life = life
    await sent_to(database, place.port, **tokens.seed)
    kept = AccessTokens(KEYRING, clock)
    await poll(database, clock, tokens=kept)
    clock.advance(timedelta(minutes=1))
    await poll(database, clock, tokens=kept)
    assert len(tokens.asked) == asked
    clock.advance(timedelta(hours=2))
    await poll(database, clock, tokens=kept, only_due=False)
    assert len(tokens.asked) == asked + 1


async def test_a_token_the_server_refuses_is_renewed_once(
    database: Database, clock: ManualClock, place: Place, tokens: TokenServer
) -> None:
    await sent_to(database, place.port, **tokens.seed)
    kept = AccessTokens(KEYRING, clock)
    await poll(database, clock, tokens=kept)
    place.mailbox.access_tokens.clear()
    assert (await poll(database, clock, tokens=kept)).problems == {}
    assert len(tokens.asked) == 2
    place.mailbox.access_tokens.clear()
    tokens.accepted = False
    run = await poll(database, clock, tokens=kept)
    assert "refused the sign-in" in next(iter(run.problems.values()))
    assert len(tokens.asked) == 3


async def test_a_new_refresh_token_takes_the_place_of_the_old_one(
    database: Database, clock: ManualClock, place: Place, tokens: TokenServer
) -> None:
    tokens.renews = "another-ultrasecret"
    seed, _ = await sent_to(database, place.port, **tokens.seed)
    await poll(database, clock)
    async with database.read() as session:
        kept = (await seeds.get_seed(session, seed.id)).sealed_password
    assert KEYRING.decrypt(kept) == "another-ultrasecret"
    await poll(database, clock)
    assert tokens.asked[1]["refresh_token"] == ["another-ultrasecret"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, b'{"error": "invalid_grant", "error_description": "refresh-token-ultrasecret"}'), "no longer"),
        ((401, b'{"error": "invalid_client"}'), "invalid_client"),
        ((500, b"oops"), "500"),
        ((200, b"{}"), "no access token"),
        ((200, b"[1]"), "holds no access token"),
        ((200, b"x" * 70_000), "length"),
    ],
)
async def test_a_token_that_is_not_given_is_a_problem_in_plain_words_without_secrets(
    *,
    database: Database,
    clock: ManualClock,
    place: Place,
    tokens: TokenServer,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, bytes],
    words: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens.answer = answer
    seed, _ = await sent_to(database, place.port, **tokens.seed)
    run = await poll(database, clock)
    assert words in run.problems[seed.address]
    with pytest.raises(SeedError, match=words) as refused:
        await look_in(seed, KEYRING, clock=clock)
    told = f"{run.problems} {refused.value.problem} {refused.value.advice} {caplog.text}"
    assert "ultrasecret" not in told


async def test_neither_token_is_logged(
    database: Database,
    clock: ManualClock,
    place: Place,
    tokens: TokenServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    _, delivery = await sent_to(database, place.port, **tokens.seed)
    place.inbox.add(a_mail(delivery), START)
    assert (await poll(database, clock)).inbox == 1
    assert "ultrasecret" not in caplog.text
    assert "access-1" not in caplog.text


@pytest.mark.parametrize("url", ["http://tokens.example/x", "ftp://127.0.0.1/", "", "https//x"])
async def test_a_refresh_token_goes_nowhere_in_the_open(
    database: Database, clock: ManualClock, place: Place, tokens: TokenServer, url: str
) -> None:
    seed, _ = await sent_to(database, place.port, **(tokens.seed | {"token_url": url}))
    run = await poll(database, clock)
    assert "https" in run.problems[seed.address]


async def test_a_mailbox_can_be_tried_out(
    clock: ManualClock, place: Place, tokens: TokenServer, database: Database
) -> None:
    seed, _ = await sent_to(database, place.port, **tokens.seed)
    assert await look_in(seed, KEYRING, clock=clock) == ["INBOX", "Courrier indésirable"]


async def test_a_test_before_sending_renews_a_refused_token_and_hands_on_a_new_refresh_token(
    clock: ManualClock, place: Place, tokens: TokenServer, database: Database
) -> None:
    seed, delivery = await sent_to(database, place.port, **tokens.seed)
    place.junk.add(a_mail(delivery), START)
    kept = AccessTokens(KEYRING, clock)
    token = TOKENS.make(TokenPurpose.MESSAGE, delivery.id)

    async def find() -> TrialSeen | None:
        return await find_trial(seed, KEYRING, clock, token=token, sent_at=START, tokens=kept)

    assert await find() is not None
    assert await find() is not None
    assert len(tokens.asked) == 1
    place.mailbox.access_tokens.clear()
    tokens.renews = "another-ultrasecret"
    found = await find()
    assert found is not None
    assert found.place is Folder.SPAM
    assert KEYRING.decrypt(seed.sealed_password) == "another-ultrasecret"
