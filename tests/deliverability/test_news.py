"""What a mail from outside says: one golden pair for each dialect, and no input that stops the reader."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_bounces import mutants
from deliverability.reasons import Reason, Said, command_in, plain, reason_of, verdict_of
from deliverability.signals.news import MailKind, read_news
from models.states import Fault
from service.commands.classify import as_row

GOLDEN = Path(__file__).parent / "golden"
LETTERS = sorted(path.with_suffix(".eml") for path in GOLDEN.glob("*.json"))
UNREADABLE = sorted(path.with_suffix(".eml") for path in GOLDEN.glob("*.error"))


@pytest.mark.parametrize("letter", LETTERS, ids=lambda path: path.stem)
def test_each_dialect_is_read_as_its_golden_pair_says(letter: Path) -> None:
    row = as_row(read_news(letter.read_bytes()))
    assert json.loads(json.dumps(row)) == json.loads(letter.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("letter", UNREADABLE, ids=lambda path: path.stem)
def test_what_cannot_be_read_is_told_in_one_clear_line(letter: Path) -> None:
    reading = read_news(letter.read_bytes())
    assert reading.unread + "\n" == letter.with_suffix(".error").read_text(encoding="utf-8")
    assert reading.recipients == ()


def test_each_mail_has_either_a_reading_or_an_error() -> None:
    assert all(
        letter.with_suffix(".json").exists() != letter.with_suffix(".error").exists()
        for letter in GOLDEN.glob("*.eml")
    )


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60), st.text(max_size=200), st.sampled_from(["utf-8", "utf-7", "utf-16", "koi8-r"]))
def test_no_text_of_a_reading_holds_what_a_database_refuses(name: str, words: str, charset: str) -> None:
    body = f"<{name}@ville.example>:\n550 5.1.1 {words}\x00\n".encode(charset, "ignore")
    head = f"From: mailer-daemon@mx.example\nSubject: Failed\nContent-Type: text/plain; charset={charset}\n\n"
    told = json.dumps(as_row(read_news(head.encode() + body)), ensure_ascii=False)
    assert "\\u0000" not in told
    told.encode("utf-8")


def test_no_5xx_without_a_status_of_the_recipient_blames_the_recipient() -> None:
    for name in ("laposte_blocked", "exim", "courier", "smtp32", "domino", "spanish_letter", "spamhaus"):
        for news in read_news((GOLDEN / f"{name}.eml").read_bytes()).recipients:
            assert news.verdict is not None
            assert news.verdict.fault is not Fault.RECIPIENT, name


def test_words_alone_never_blame_the_recipient_for_good() -> None:
    for reason in Reason:
        verdict = verdict_of(reason, permanent=True)
        assert verdict is None or (verdict.fault, verdict.permanence.value) != (Fault.RECIPIENT, "hard")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("550 5.1.1 Compte inconnu", "userunknown"),
        ("Das Postfach des Empfängers ist voll", "mailboxfull"),
        ("buzón lleno", "mailboxfull"),
        ("La casella del destinatario è piena", "mailboxfull"),
        ("550 5.7.1 Message classified as SPAM", "spamdetected"),
        ("554 5.7.1 Relay access denied", "norelaying"),
        ("552 5.3.4 Message too big", "emailtoolarge"),
        ("450 4.7.25 cannot find your reverse hostname", "requireptr"),
        ("421 4.7.0 too many connections", "ratelimited"),
        ("550 Die Mailbox von Karl ist leider nicht vorhanden", "filtered"),
        ("552 Das Benutzerkonto hat das Limit von 2 GB überschritten", "mailboxfull"),
        ("550 Das Konto von Karl wurde abgeschaltet", "suspend"),
        ("554 Worm W32/Sober found in part 2", "virusdetected"),
        ("550 Weiterleitung an fremde Domains ist nicht erlaubt: relay", "norelaying"),
        ("550 mail.sender.example has been seen, connection rejected", "blocked"),
        ("550 Skrzynka jest pełna", "mailboxfull"),
        ("550 Nachricht ist zu groß", "emailtoolarge"),
    ],
)
def test_phrases_of_several_languages_have_a_reason(text: str, reason: str) -> None:
    status = text.split()[1] if text[0].isdigit() else None
    assert reason_of(Said(text, None, status)).value == reason


def test_what_is_said_of_a_recipient_at_rcpt_is_about_the_mailbox() -> None:
    text = "550 Die Mailbox von Karl ist nicht vorhanden (in reply to RCPT TO command)"
    assert reason_of(Said(text, 550)) is Reason.USERUNKNOWN
    assert reason_of(Said(text.replace("550", "450"), 450)) is not Reason.USERUNKNOWN


def test_a_word_in_the_name_of_a_host_says_nothing() -> None:
    assert reason_of(Said("554 invalid, see http://sender.example.org", 554)) is reason_of(
        Said("554 invalid, see http://other.example.org", 554)
    )


def test_a_list_owner_who_writes_about_bounces_returns_none() -> None:
    mail = b"From: bounce-desk@list.example\nSubject: Digest\n\nBounces, and what owner@list.example says.\n"
    assert read_news(mail).kind is MailKind.ORDINARY


def test_the_last_command_of_a_transcript_is_the_one_that_was_refused() -> None:
    assert command_in(plain(">>> RCPT To:<a@b.example>\n<<< 550 no\n>>> DATA\n<<< 503 no")) == "data"
    assert command_in(plain("host said: 550 no (in reply to RCPT TO command)")) == "rcpt"


def test_whom_one_wrote_to_comes_before_where_an_alias_led() -> None:
    report = (
        b"From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; boundary=b\n\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        b"Original-Recipient: rfc822; lucie@ville.example\n"
        b"Final-Recipient: rfc822; l.petit@interne.ville.example\n"
        b"Action: failed\nStatus: 5.2.2\n\n--b--\n"
    )
    assert [news.address for news in read_news(report).recipients] == ["lucie@ville.example"]


@pytest.mark.timeout(60)
def test_mutants_of_every_dialect_stop_nothing_and_hang_nothing() -> None:
    originals = [path.read_bytes() for path in LETTERS]
    for mutant in mutants(originals, random.Random(3), 300):
        assert isinstance(read_news(mutant).kind, MailKind)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert isinstance(read_news(raw).kind, MailKind)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "sign",
    [b"<", b" ", b"a@", b"a@b.", b"-", b">", b"=", b"rcpt to:", b"550 ", b"message ", b"\n", b'"', b"{"],
)
def test_a_letter_of_one_sign_a_million_times_is_read_in_one_go(sign: bytes) -> None:
    head = b"From: mailer-daemon@a.example\nSubject: Undelivered " + sign * 2000 + b"\n\n"
    assert isinstance(read_news(head + sign * (1_000_000 // len(sign))).kind, MailKind)
