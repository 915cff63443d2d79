"""Built e-mails: what any mail program reads back, and what cannot be written at all."""

import email
import re
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage as ParsedMessage
from email.utils import parseaddr
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import NaiveDatetimeError
from models.values import EmailEnvelope
from sender.errors import MessageError, SigningKeyError
from sender.headers import write_mailbox, write_text
from sender.mime import EmailBuilder
from tests.sender.conftest import HEADERS, Keys, a_message, a_sender, build

clean = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=400)
FRENCH = (
    "Élections législatives : la réunion publique de mardi à Saint-Étienne-du-Rouvray, avec l'équipe " * 3
)


def parse(envelope: EmailEnvelope) -> ParsedMessage:
    return email.message_from_bytes(bytes(envelope.data), policy=policy.default)


def head_of(envelope: EmailEnvelope) -> bytes:
    return bytes(envelope.data).partition(b"\r\n\r\n")[0]


def check_lines(envelope: EmailEnvelope) -> None:
    """Every header line as RFC 5322 and RFC 2047 want it; nothing but CRLF and ASCII."""
    assert bytes(envelope.data).isascii()
    assert (
        bytes(envelope.data).count(b"\r\n")
        == bytes(envelope.data).count(b"\n")
        == bytes(envelope.data).count(b"\r")
    )
    for line in head_of(envelope).split(b"\r\n"):
        assert len(line) <= 998
        assert re.match(rb"[!-9;-~]+:|[ \t]+\S", line), line
        assert len(line) <= 76 or b"=?utf-8?" not in line
        assert len(line) <= 78 or b" " not in line.partition(b": ")[2].strip(), line


def test_a_message_reads_back_part_by_part() -> None:
    envelope = build(EmailBuilder(a_sender()))
    check_lines(envelope)
    parsed = parse(envelope)
    assert parsed["Subject"] == "Réunion mardi à la mairie"
    assert parsed["From"].addresses[0].display_name == "Les Amis de la Forêt"
    assert parsed["From"].addresses[0].addr_spec == "amis@news.test"
    assert parsed["Reply-To"] == "contact@news.test"
    assert parsed["To"] == "ada@inbox.test"
    assert parsed["Date"].datetime == datetime(2026, 3, 29, 9, 30, tzinfo=UTC)
    assert parsed["Message-ID"] == "<abcdefghijklmnopqrstuvwx@news.test>"
    assert parsed["MIME-Version"] == "1.0"
    for name, value in HEADERS:
        assert parsed.get_all(name) == [value]
    text, html = cast("list[ParsedMessage]", list(parsed.iter_parts()))
    assert parsed.get_content_type() == "multipart/alternative"
    assert text.get_content() == "Bonjour Zélie,\r\n\r\n.un point seul\r\n"
    assert html.get_content_type() == "text/html"
    assert html.get_content() == a_message().html.decode()
    assert not parsed.defects
    assert (envelope.return_path, envelope.recipient) == ("b+token@b.news.test", "ada@inbox.test")


@given(clean)
@example(FRENCH)
@example("x" * 500)
@example("=?utf-8?q?fake?=")
@example("  blanks  everywhere  ")
@example("日本語の件名がとても長い場合" * 20)
@example("👨‍👩‍👧‍👦" * 60)
@example("a" * 47 + "é" * 3)
def test_any_subject_reads_back_as_it_was(subject: str) -> None:
    envelope = build(EmailBuilder(a_sender()), a_message(subject=subject))
    check_lines(envelope)
    raw = email.message_from_bytes(bytes(envelope.data), policy=policy.compat32)["Subject"]
    # The standard library joins encoded words correctly (RFC 2047 section 6.2) in both of its parsers.
    assert str(make_header(decode_header(raw.replace("\r\n", "")))) == subject
    assert parse(envelope)["Subject"] == subject


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=60).map(" ".join))
def test_long_plain_subjects_are_folded_and_left_readable(subject: str) -> None:
    envelope = build(EmailBuilder(a_sender()), a_message(subject=subject))
    check_lines(envelope)
    assert b"=?" not in head_of(envelope).partition(b"Subject:")[2]
    assert parse(envelope)["Subject"] == subject


@given(clean.filter(lambda name: name.strip() == name and name != ""))
@example(FRENCH.strip())
@example('Amis "de" la\\Forêt')
@example('O\'Neil, "Bob" (local) <x@y>')
@example("a@b.test")
@example("C:\\amis")
def test_any_sender_name_reads_back_as_it_was(name: str) -> None:
    envelope = build(EmailBuilder(a_sender(name=name)))
    check_lines(envelope)
    assert len(re.findall(rb"^From:", bytes(envelope.data), re.MULTILINE | re.IGNORECASE)) == 1
    raw = email.message_from_bytes(bytes(envelope.data), policy=policy.compat32)["From"]
    phrase, address = parseaddr(raw.replace("\r\n", ""))
    assert address == "amis@news.test"
    # Between the encoded words of a name Python 3.11's newer parser puts blanks, RFC 2047 section 6.2 none.
    assert str(make_header(decode_header(phrase))) == name
    if phrase.count("=?") < 2:
        assert parse(envelope)["From"].addresses[0].display_name == name


@given(clean.filter(lambda text: not text.isascii()))
def test_no_encoded_word_holds_half_a_character(text: str) -> None:
    for word in write_text(text, offset=9).split(b"\r\n "):
        assert len(word) <= 75
        ((octets, charset),) = decode_header(word.decode())
        assert charset == "utf-8"
        cast("bytes", octets).decode()


breaks = st.sampled_from(
    ["\r", "\n", "\r\n", "\r\n ", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
)


@given(before=clean, line_break=breaks, after=clean, place=st.integers(0, 7))
def test_no_value_can_begin_a_header_of_its_own(before: str, line_break: str, after: str, place: int) -> None:
    evil = f"{before}{line_break}Bcc: eve@evil.test{after}"
    changes: list[dict[str, object]] = [
        {"message": a_message(subject=evil)},
        {"recipient": evil},
        {"recipient": f"{evil}@inbox.test"},
        {"return_path": evil},
        {"message_id": f"<{evil}@news.test>"},
        {"headers": [("X-Note", evil)]},
        {"headers": [(evil, "value")]},
        {"headers": [("List-Unsubscribe", f"<https://t.test/>{evil}")]},
    ]
    with pytest.raises(MessageError):
        build(EmailBuilder(a_sender()), **changes[place])  # type: ignore[arg-type]


@given(before=clean, line_break=breaks, after=clean)
def test_no_sender_can_begin_a_header_of_its_own(before: str, line_break: str, after: str) -> None:
    evil = f"{before}{line_break}{after}"
    for changes in ({"name": evil}, {"from_email": evil}, {"reply_to": evil}):
        with pytest.raises(MessageError):
            EmailBuilder(a_sender(**changes))


@given(st.text(max_size=60))
def test_any_value_is_either_refused_or_read_back(value: str) -> None:
    try:
        envelope = build(EmailBuilder(a_sender()), headers=[("X-Note", value)])
    except MessageError:
        return
    check_lines(envelope)
    assert parse(envelope)["X-Note"] == value


@pytest.mark.parametrize(
    "name", ["From", "from", "Subject", "Content-Type", "Bcc", "DKIM-Signature", "Sender"]
)
def test_headers_the_builder_writes_cannot_be_given(name: str) -> None:
    with pytest.raises(MessageError, match=name):
        build(EmailBuilder(a_sender()), headers=[(name, "value")])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"headers": [("X-Note", "x" * 1000)]}, "too many for one line"),
        ({"message": a_message(subject="x" * 2001)}, "2000 is the most"),
        ({"message": a_message(subject="half \ud83d")}, "half a character"),
    ],
)
def test_values_that_no_line_can_hold_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        build(EmailBuilder(a_sender()), **changes)


def test_a_header_cannot_be_given_twice() -> None:
    with pytest.raises(MessageError, match="list-unsubscribe"):
        build(EmailBuilder(a_sender()), headers=[*HEADERS, ("list-unsubscribe", "<https://t.test/>")])


def test_international_domains_are_written_in_ascii() -> None:
    envelope = build(EmailBuilder(a_sender(from_email="amis@forêt.test")), recipient="ada@mairie-étable.test")
    assert envelope.recipient == "ada@xn--mairie-table-heb.test"
    assert parse(envelope)["To"] == "ada@xn--mairie-table-heb.test"
    assert b"<amis@xn--fort-ipa.test>" in bytes(envelope.data)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("zélie@inbox.test", "beyond ASCII"),
        ("ada@straße.test", "two standards"),
        ("ada", "not an e-mail address"),
        ("@inbox.test", "not an e-mail address"),
        ("ada@", "not a domain"),
        ("ada@@inbox.test", "not an e-mail address"),
        ("ada..b@inbox.test", "not an e-mail address"),
        ("ada@in box.test", "not a domain"),
        ("ada@-inbox.test", "not a domain"),
        ("ada@" + "a" * 64 + ".test", "domain"),
        ("a" * 65 + "@inbox.test", "not an e-mail address"),
        ("Ada <ada@inbox.test>", "not an e-mail address"),
        ("ada@inbox.test, eve@evil.test", "not an e-mail address"),
        ("ada@é\u200d.test", "two standards"),
        ("ada@é..test", "cannot be written in ASCII"),
        ("ada@" + "é" * 70 + ".test", "cannot be written in ASCII"),
    ],
)
def test_addresses_that_cannot_be_written_to_say_why(address: str, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        build(EmailBuilder(a_sender()), recipient=address)


@pytest.mark.parametrize("address", ["o'neil+tag@inbox.test", '"a b"@inbox.test', "ada@[192.0.2.1]", "a@b"])
def test_unusual_addresses_are_written_as_they_are(address: str) -> None:
    assert build(EmailBuilder(a_sender()), recipient=address).recipient == address


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (b"a\nb\r\n", "not CRLF"),
        (b"a\rb\r\n", "not CRLF"),
        (b"a\r\r\n", "not CRLF"),
        (b"\r\n.\n", "not CRLF"),
        ("é".encode(), "7-bit"),
        (b"a\0b", "7-bit"),
        (b"x" * 999 + b"\r\n", "998"),
    ],
)
@pytest.mark.parametrize("name", ["text", "html"])
def test_parts_that_would_not_survive_the_way_are_refused(name: str, part: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        build(EmailBuilder(a_sender()), a_message(**{name: part}))


def test_a_body_made_to_contain_the_boundary_gets_another_one() -> None:
    builder = EmailBuilder(a_sender())
    boundary = parse(build(builder)).get_boundary()
    assert boundary is not None
    evil = f"<p>\r\n--{boundary}\r\nContent-Type: text/html\r\n\r\nforged\r\n--{boundary}--\r\n".encode()
    parsed = parse(build(builder, a_message(html=evil)))
    assert len(list(parsed.iter_parts())) == 2
    assert parsed.get_boundary() != boundary
    assert parse(build(builder)).get_boundary() == boundary


def test_dates_are_told_in_utc_and_never_guessed() -> None:
    builder = EmailBuilder(a_sender())
    local = datetime(2026, 3, 29, 11, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert parse(build(builder, date=local))["Date"] == "Sun, 29 Mar 2026 09:30:59 +0000"
    with pytest.raises(NaiveDatetimeError):
        build(builder, date=local.replace(tzinfo=None))


def test_a_sender_without_reply_to_or_name_is_written_plainly() -> None:
    envelope = build(EmailBuilder(a_sender(reply_to=None, name="")), return_path="")
    assert parse(envelope)["Reply-To"] is None
    assert b"From: <amis@news.test>\r\n" in bytes(envelope.data)
    assert envelope.return_path == ""


def test_a_long_name_leaves_the_address_whole() -> None:
    written = write_mailbox("Comité de soutien à la candidature" * 5, "amis@" + "a" * 60 + ".test", offset=6)
    assert written.endswith(b"\r\n <amis@" + b"a" * 60 + b".test>")


def test_a_key_that_is_none_is_refused_at_once(keys: Keys) -> None:
    (key,) = keys.signing(keys.algorithms[0])
    broken = type(key)(key.domain, key.selector, key.algorithm, "no key")
    with pytest.raises(SigningKeyError, match=r"s1 of news\.test"):
        EmailBuilder(a_sender(signing_keys=(broken,)))
