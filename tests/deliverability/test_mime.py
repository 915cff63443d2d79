"""Mail from strangers is opened, however it is broken and however much of it there is."""

from base64 import b64encode
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.arrival import recipients_in
from deliverability.inbox import read_inbound
from deliverability.signals.mime import (
    addresses_in,
    body_text,
    children_of,
    enclosed_headers,
    header,
    open_mail,
    texts_of,
)
from deliverability.signals.news import read_news
from models.tokens import TokenPurpose
from tests.clocks import START
from tests.deliverability.rows import TOKENS

ROBOT = b"From: MAILER-DAEMON@x.example\nSubject: failure\n"
STATUS = (
    ROBOT + b"Content-Type: multipart/report; boundary=B\n\n--B\nContent-Type: message/delivery-status\n\n"
)
FEEDBACK = STATUS.replace(b"delivery-status", b"feedback-report")
RETURN_PATH = f"b+{TOKENS.make(TokenPurpose.BOUNCE, 42)}@retour.parti.example"


def opened(raw: bytes) -> Message:
    mail = open_mail(raw)
    assert mail is not None
    return mail


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(ROBOT + b"\n" + b"-" * 900_000, id="a line of dashes"),
        pytest.param(ROBOT + b"\n" + b"-\n" * 400_000, id="a column of dashes"),
        pytest.param(ROBOT + b"\n" + b"> " * 400_000, id="quotes of quotes"),
        pytest.param(ROBOT + b"\n" + b" \n" * 400_000, id="empty lines"),
        pytest.param(STATUS + b"\n" * 900_000, id="a status part of empty lines"),
        pytest.param(FEEDBACK + b"".join(b"a%d: b\n" % n for n in range(60_000)), id="sixty thousand fields"),
        pytest.param(
            ROBOT + b"Content-Type: text/plain; charset=punycode\n\n" + b"ba" * 200_000, id="a slow charset"
        ),
    ],
)
@pytest.mark.timeout(30)  # read with a cost that grows with the square, these take many minutes
def test_no_mail_keeps_the_listener_busy(raw: bytes) -> None:
    assert len(read_inbound(raw, [RETURN_PATH], TOKENS, START)) <= 1


def test_messages_inside_messages_a_thousand_deep_are_not_parsed() -> None:
    assert open_mail(b"Content-Type: message/rfc822\n\n" * 1000) is None


@pytest.mark.parametrize(
    "to", ["a:" * 3000 + "x@y.example;", "(" * 5000, "<" * 5000, '"' * 5001, "a@" * 5000]
)
def test_a_header_of_groups_within_groups_names_nobody_and_stops_nobody(to: str) -> None:
    assert "x@y.example" not in addresses_in(to)
    mail = f"From: MAILER-DAEMON@y.example\r\nTo: {to}\r\nSubject: Undelivered mail\r\n\r\nIt failed.\r\n"
    read_news(mail.encode())
    assert recipients_in(mail.encode(), TOKENS) == []


def test_addresses_are_found_in_groups_and_lists() -> None:
    assert addresses_in("Team: Ada <ada@x.example>, b@y.example;, c@z.example") == [
        "ada@x.example",
        "b@y.example",
        "c@z.example",
    ]


def test_returned_headers_nested_too_deep_are_left_out_and_the_others_found() -> None:
    mail = opened(
        b"Content-Type: multipart/mixed; boundary=B\n\n"
        b"--B\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n"
        + b64encode(b"X: boundary=1\n" * 21)
        + b"\n--B\nContent-Type: text/rfc822-headers\n\nSubject: Bonjour\n\n--B--\n"
    )
    assert [header(block, "Subject") for block in enclosed_headers(mail)] == ["Bonjour"]


def test_a_charset_that_is_written_as_a_foreign_word_hides_nothing() -> None:
    mail = opened("Content-Type: text/plain; charset*=utf-8''utf-8\n\nété".encode())
    assert children_of(mail) == []
    assert body_text(mail) == "été"


@pytest.mark.parametrize("charset", ["klingon", "hex", "punycode", "utf-8\0", "idna"])
def test_a_text_in_no_charset_of_mail_is_read_as_utf_8(charset: str) -> None:
    assert body_text(opened(f"Content-Type: text/plain; charset={charset}\n\nété".encode())) == "été"


def test_a_text_whose_charset_cannot_even_be_named_is_left_out() -> None:
    assert body_text(opened(b"Content-Type: text/plain; charset*=a\0b'fr'utf-8\n\nx")) == ""


def test_a_container_has_no_text_of_its_own() -> None:
    assert body_text(opened(b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B--\n")) == ""


def test_a_subject_in_no_charset_is_shown_as_it_was_written() -> None:
    assert header(opened(b"Subject: =?klingon?q?Qapla?=\n\n"), "Subject") == "=?klingon?q?Qapla?="


def test_only_what_a_person_would_read_counts_as_text() -> None:
    mail = opened(
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nun\n--B\nContent-Type: text/html\n\n<p>\n"
        b"--B\nContent-Type: message/rfc822\n\nSubject: x\n\ndeux\n--B\n\ntrois\n--B--\n"
    )
    assert list(texts_of(mail)) == ["un", "trois"]


HEADERS = st.sampled_from(
    [b"Content-Type: ", b"Subject: ", b"Date: ", b"Action: ", b"Feedback-Type: ", b"From: mailer-daemon", b""]
)
WORDS = st.sampled_from(
    [
        b"message/rfc822",
        b"message/delivery-status",
        b"message/feedback-report",
        b"text/rfc822-headers",
        b"multipart/report; boundary=B",
        b"text/plain; charset*=utf-8''",
        b"; charset*0*=",
        b"=?idna?q?xn--a?=",
        b"\n\n",
        b"\r",
        b"\n--B\n",
        b"\n--B--",
        b"failed",
        b"550 5.1.1 ",
        b"\xe9",
        b"\0",
        b"\xed\xa0\x80",
        b"-" * 300,
        b"Mon, 1 Jan 0001 00:00:00 +2359",
    ]
)


@given(st.lists(st.tuples(HEADERS, st.one_of(WORDS, st.binary(max_size=8)), WORDS), max_size=25))
def test_any_heap_of_the_words_of_mail_is_read_without_raising(heap: list[tuple[bytes, ...]]) -> None:
    raw = b"\n".join(b"".join(words) for words in heap)
    for signal in read_inbound(raw, [RETURN_PATH], TOKENS, START):
        assert (signal.delivery_id, len(signal.source_id)) == (42, 64)
