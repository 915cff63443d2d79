"""SMTP replies as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.values import Accepted, Deferred, Refused, Reply, Uncertain
from sender.replies import (
    MAX_REPLY_OCTETS,
    BadReplyError,
    RawReply,
    ReplyReader,
    read_final,
    read_refusal,
    read_reply,
    reply_from_text,
)

codes = st.integers(200, 599)
words = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), max_size=30)
replies = st.tuples(codes, st.lists(words, min_size=1, max_size=4))


def spell(code: int, lines: list[str]) -> bytes:
    marked = [f"{code}-{line}" for line in lines[:-1]] + [f"{code} {lines[-1]}"]
    return b"".join(line.encode() + b"\r\n" for line in marked)


def read_leniently(stream: bytes) -> list[RawReply]:
    try:
        return list(ReplyReader().feed(stream))
    except BadReplyError:
        return []


@given(st.lists(replies, min_size=1, max_size=4), st.data())
def test_replies_are_the_same_however_they_are_cut(
    spoken: list[tuple[int, list[str]]], data: st.DataObject
) -> None:
    stream = b"".join(spell(code, lines) for code, lines in spoken)
    whole = list(ReplyReader().feed(stream))
    assert [reply.read() for reply in whole] == [read_reply(reply.lines) for reply in whole]
    reader, pieces, start = ReplyReader(), [], 0
    while start < len(stream):
        end = data.draw(st.integers(start + 1, len(stream)))
        pieces += list(reader.feed(stream[start:end]))
        start = end
    assert pieces == whole
    assert [reply.code for reply in whole] == [code for code, _ in spoken]


@given(st.from_regex(r"\A[2-5][0-9][0-9][ -~]{0,30}\r?\Z"))
def test_a_reply_that_looks_simple_is_read_like_any_other(line: str) -> None:
    for reply in read_leniently(f"{line}\n".encode()):
        assert reply.read() == read_reply(reply.lines)


@given(st.binary(max_size=300))
def test_no_octets_break_the_reader(data: bytes) -> None:
    try:
        for reply in ReplyReader().feed(data):
            assert "\0" not in reply.read().text
            assert reply.read().code == reply.code
            assert 200 <= reply.code <= 599
    except BadReplyError:
        pass


@pytest.mark.parametrize(
    ("stream", "code", "enhanced", "text"),
    [
        (b"250 2.0.0 Ok: queued as 4F2\r\n", 250, "2.0.0", "Ok: queued as 4F2"),
        (b"250\r\n", 250, None, ""),
        (b"250 ok\n", 250, None, "ok"),
        (b"550-5.1.1 The account does\r\n550-5.1.1 not exist.\r\n550 5.1.1 gsmtp\r\n", 550, "5.1.1",
         "The account does not exist. gsmtp"),
        (b"550 5.7.1: blocked\r\n", 550, "5.7.1", "blocked"),
        (b"554 #5.1.0 Address rejected\r\n", 554, "5.1.0", "#5.1.0 Address rejected"),
        (b"550 Rejected (5.7.26)\r\n", 550, "5.7.26", "Rejected (5.7.26)"),
        (b"550 5.1.1.1 is a blocked address\r\n", 550, None, "5.1.1.1 is a blocked address"),
        (b"550 see 5.10.3 of our rules\r\n", 550, None, "see 5.10.3 of our rules"),
        (b"421 mwinf5c04 ME Trop de connexions. OFR004_104 [104]\r\n", 421, None,
         "mwinf5c04 ME Trop de connexions. OFR004_104 [104]"),
        ("550 boîte pleine\r\n".encode("latin-1"), 550, None, "boîte pleine"),
        ("550 boîte pleine\r\n".encode(), 550, None, "boîte pleine"),
        (b"550 a\0b\x1bc\r\n", 550, None, "a b c"),
        (b"250-first\r\n550 last\r\n", 550, None, "first last"),
    ],
)  # fmt: skip
def test_real_replies_are_read_as_meant(stream: bytes, code: int, enhanced: str | None, text: str) -> None:
    assert [reply.read() for reply in ReplyReader().feed(stream)] == [Reply(code, enhanced, text)]


@pytest.mark.parametrize(
    "stream", [b"\r\n", b"ok\r\n", b"99 no\r\n", b"150 no\r\n", b"2500 no\r\n", b"HTTP/1.1 200\r\n"]
)
def test_what_is_no_reply_is_an_error(stream: bytes) -> None:
    with pytest.raises(BadReplyError):
        list(ReplyReader().feed(stream))


@pytest.mark.parametrize("piece", [b"250-more\r\n", b"250 no line end"])
def test_a_reply_without_an_end_is_given_up(piece: bytes) -> None:
    reader = ReplyReader()
    pieces = range(2 * MAX_REPLY_OCTETS)
    with pytest.raises(BadReplyError, match="does not end"):
        assert [reply for _ in pieces for reply in reader.feed(piece)] == []


def test_replies_before_rubbish_are_kept() -> None:
    stream = ReplyReader().feed(b"250 2.0.0 mine\r\nrubbish\r\n")
    assert next(stream).read() == Reply(250, "2.0.0", "mine")
    with pytest.raises(BadReplyError):
        next(stream)


@pytest.mark.parametrize(
    ("code", "step", "verdict"),
    [
        (250, Deferred, Accepted),
        (251, Deferred, Accepted),
        (354, Deferred, Uncertain),
        (421, Deferred, Deferred),
        (452, Deferred, Deferred),
        (530, Deferred, Deferred),
        (535, Deferred, Deferred),
        (550, Refused, Refused),
        (599, Refused, Refused),
        (None, Deferred, Uncertain),
    ],
)
def test_the_code_decides_between_now_later_and_never(code: int | None, step: type, verdict: type) -> None:
    reply = reply_from_text(code, "whatever")
    assert type(read_refusal(reply)) is step
    assert type(read_final(reply)) is verdict
