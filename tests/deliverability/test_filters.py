"""What a spam filter of one's own thinks of a message: real ones, and ones that answer badly."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.filters import FilterAddress, FilterError, open_filter, parse_filter_url
from deliverability.filters import rspamd as rspamd_answers
from deliverability.filters import spamassassin as spamd_answers
from deliverability.filters.scores import MOST_REPLY_OCTETS, SpamScore
from deliverability.filters.urls import FilterKind
from models.errors import SettingsError
from tests.servers.spam_filters import FILTER_PASSWORD

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""The mark that every spam filter takes for spam, by agreement."""
FAIR = (
    b"From: Le Parti <contact@parti.example>\r\nTo: camille@exemple.example\r\n"
    b"Subject: La reunion de samedi\r\nDate: Tue, 10 Mar 2026 09:00:00 +0000\r\n"
    b"Message-ID: <token@parti.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
    b"Bonjour Camille,\r\n\r\nnous parlerons des transports samedi a la mairie.\r\n"
)
SPAM = FAIR + GTUBE.encode() + b"\r\n"


async def ask(url: str, message: bytes, *, timeout_seconds: float = 20) -> SpamScore:
    asked = open_filter(parse_filter_url(url), timeout_seconds=timeout_seconds)
    return await asked.score(message, sender="b@parti.example", recipient="camille@exemple.example")


@asynccontextmanager
async def answering(answer: bytes, *, after: float = 0.0) -> AsyncIterator[int]:
    """A server that says the same to everybody; its port."""
    enough = asyncio.Event()
    talks: set[asyncio.Task[object]] = set()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk is not None:
            talks.add(talk)
        with suppress(OSError):
            await reader.read(10)
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), after)
            writer.write(answer)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        enough.set()
        await asyncio.gather(*talks)


def over_http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        status.encode(),
        len(body),
        body,
    )


async def test_rspamd_tells_a_fair_message_from_spam_and_names_its_rules(rspamd_port: int) -> None:
    url = f"rspamd://:{FILTER_PASSWORD.replace(' ', '%20')}@127.0.0.1:{rspamd_port}"
    fair, spam = await ask(url, FAIR), await ask(url, SPAM)
    assert fair.filter == "rspamd"
    assert fair.score < (fair.delay or 0) <= fair.mark < (fair.reject or 0)
    assert spam.reject is not None
    assert spam.score >= spam.reject
    # Written long ago: rspamd sees that, and says so.
    assert (fair.against[0].name, fair.against[0].meaning) == ("DATE_IN_PAST", "Message date is in past")


async def test_rspamd_with_another_password_says_so(rspamd_port: int) -> None:
    with pytest.raises(FilterError, match="password"):
        await ask(f"rspamd://:wrong@127.0.0.1:{rspamd_port}", FAIR)


async def test_spamassassin_tells_a_fair_message_from_spam_and_names_its_rules(spamd_port: int) -> None:
    fair, spam = (
        await ask(f"spamd://127.0.0.1:{spamd_port}", FAIR),
        await ask(f"spamd://127.0.0.1:{spamd_port}", SPAM),
    )
    assert (fair.filter, fair.mark, fair.reject) == ("SpamAssassin", 5.0, None)
    assert fair.score < fair.mark <= spam.score
    assert spam.symbols[0].name == "GTUBE"
    assert "Generic Test" in spam.symbols[0].meaning


@pytest.mark.parametrize(
    "answer",
    [
        over_http(b"", "500 Internal Server Error"),
        over_http(b"", "404 Not Found"),
        over_http(b"hello"),
        over_http(b"[1, 2]"),
        over_http(b'{"score": "high"}'),
        over_http(b'{"score": NaN}'),
        over_http(b"[" * 100_000),
        over_http(b"x" * (MOST_REPLY_OCTETS + 1)),
        b"SPAMD/1.1 0 EX_OK\r\n\r\n",
        b"",
        b"\x00\xff" * 500,
    ],
)
async def test_what_is_no_rspamd_is_told_and_not_believed(answer: bytes) -> None:
    async with answering(answer) as port:
        with pytest.raises(FilterError, match="rspamd"):
            await ask(f"rspamd://127.0.0.1:{port}", FAIR)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; lots / 5.0\r\n\r\n",
        b"SPAMD/1.0 76 Bad header line: (EOF)\r\n",
        b"",
        b"x" * 100_000,
    ],
)
async def test_what_is_no_spamassassin_is_told_and_not_believed(answer: bytes) -> None:
    async with answering(answer) as port:
        with pytest.raises(FilterError, match="SpamAssassin"):
            await ask(f"spamd://127.0.0.1:{port}", FAIR)


@pytest.mark.parametrize("scheme", ["rspamd", "spamd"])
async def test_a_filter_that_is_slow_or_away_is_not_waited_for(scheme: str) -> None:
    async with answering(over_http(b"{}"), after=30) as port:
        started = asyncio.get_running_loop().time()
        with pytest.raises(FilterError, match="did not answer in time"):
            await ask(f"{scheme}://127.0.0.1:{port}", FAIR, timeout_seconds=0.2)
        assert asyncio.get_running_loop().time() - started < 5
    with pytest.raises(FilterError, match="cannot be reached"):
        await ask(f"{scheme}://127.0.0.1:{port}", FAIR)


def test_an_answer_of_rspamd_is_read_with_its_own_thresholds_and_without_idle_rules() -> None:
    answer = {
        "is_skipped": False,
        "score": 7.5,
        "required_score": 20.0,
        "action": "add header",
        "thresholds": {"reject": 20.0, "add header": 7.0, "greylist": 5.0},
        "symbols": {
            "R_SPF_NA": {"name": "R_SPF_NA", "score": 0.0},
            "B_RULE": {"score": 2.5, "description": "Second"},
            "A_RULE": {"score": 2.5, "description": "First"},
            "GOOD": {"score": -0.5},
            "ODD": "what",
        },
    }
    found = rspamd_answers.read_answer(json.dumps(answer).encode())
    assert (found.score, found.mark, found.delay, found.reject) == (7.5, 7.0, 5.0, 20.0)
    assert [one.name for one in found.symbols] == ["A_RULE", "B_RULE", "GOOD"]
    assert [one.meaning for one in found.against] == ["First", "Second"]


def test_an_answer_of_rspamd_without_thresholds_is_read_by_its_usual_ones() -> None:
    found = rspamd_answers.read_answer(b'{"score": 1}')
    assert (found.delay, found.mark, found.reject, found.symbols) == (4.0, 6.0, 15.0, ())


def test_rspamd_that_skips_a_message_has_no_opinion() -> None:
    with pytest.raises(FilterError, match="skips"):
        rspamd_answers.read_answer(b'{"score": 0, "is_skipped": true}')


REPORT = b"""SPAMD/1.1 0 EX_OK\r
Content-length: 500\r
Spam: True ; 6.1 / 5.0\r
\r
Spam detection software has identified this incoming email as possible spam.

Content analysis details:   (6.1 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 2.5 URG_BIZ                Contains urgent matter
 0.0 HTML_MESSAGE           BODY: HTML included in message
-1.4 ALL_TRUSTED            Passed through trusted hosts only via SMTP
 5.0 LONG_RULE_NAME_INDEED  A description that is too long for
                            one line

"""


def test_a_report_of_spamassassin_is_read_rule_by_rule() -> None:
    found = spamd_answers.read_answer(REPORT)
    assert (found.score, found.mark, found.delay, found.reject) == (6.1, 5.0, None, None)
    assert [(one.name, one.points) for one in found.symbols] == [
        ("LONG_RULE_NAME_INDEED", 5.0),
        ("URG_BIZ", 2.5),
        ("ALL_TRUSTED", -1.4),
    ]
    assert found.symbols[0].meaning == "A description that is too long for one line"


@given(st.binary(max_size=400))
def test_no_answer_makes_the_reader_fail_otherwise(raw: bytes) -> None:
    for read in (rspamd_answers.read_answer, spamd_answers.read_answer):
        with pytest.raises(FilterError):
            read(raw)


@given(st.text(max_size=300))
def test_no_report_makes_the_reader_fail(table: str) -> None:
    head = b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 1.0 / 5.0\r\n\r\n---- ----\n"
    assert spamd_answers.read_answer(head + table.encode("utf-8", "replace")).score == 1.0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("rspamd://127.0.0.1", FilterAddress(FilterKind.RSPAMD, "127.0.0.1", 11333)),
        ("rspamd://:a%20b@mx.example:11334/", FilterAddress(FilterKind.RSPAMD, "mx.example", 11334, "a b")),
        ("rspamds://mx.example", FilterAddress(FilterKind.RSPAMD_TLS, "mx.example", 443)),
        ("spamd://[::1]", FilterAddress(FilterKind.SPAMASSASSIN, "::1", 783)),
    ],
)
def test_where_a_filter_listens(url: str, address: FilterAddress) -> None:
    assert parse_filter_url(url) == address
    assert "a b" not in repr(address)


@pytest.mark.parametrize(
    "url", ["", "rspamd", "http://x:11333", "rspamd://", "rspamd://x:port", "spamd://x/y", "spamd://[x"]
)
def test_what_is_no_address_of_a_filter_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        parse_filter_url(url)
