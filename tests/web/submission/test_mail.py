"""Reading a mail of a program: what it says, in whatever way it is written, or why it cannot be carried."""

import contextlib
from email.message import EmailMessage
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from templates import compile_email
from tests.web.submission.senders import FROM, a_mail
from web.submission.content import lines_of, literal
from web.submission.mail import MailRefusedError, read_mail

HEAD = f"From: {FROM}\r\nSubject: Bonjour\r\n".encode()


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ("utf-8", "é €".encode()),
        ("iso-8859-1", "é €".encode("windows-1252")),
        ("windows-1252", "é €".encode("windows-1252")),
        ("us-ascii", "é €".encode()),
        ("", "é €".encode()),
    ],
)
def test_texts_are_read_in_their_letters(charset: str, encoded: bytes) -> None:
    kind = f"Content-Type: text/plain; charset={charset}\r\n".encode() if charset else b""
    assert read_mail(HEAD + kind + b"\r\n" + encoded + b"\r\n").text == "é €\n"


@pytest.mark.parametrize("charset", ["klingon", "utf-8", "iso-2022-jp"])
def test_letters_that_are_not_those_it_says_are_refused(charset: str) -> None:
    raw = HEAD + f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + b"\xff\xfe\xe9"
    with pytest.raises(MailRefusedError, match=f"not written in {charset}"):
        read_mail(raw)


def test_headers_are_read_encoded_folded_and_raw() -> None:
    raw = (
        b"From: =?utf-8?q?Chlo=C3=A9?=\r\n <NATIONAL@parti.fr>\r\n"
        b"Subject: =?iso-8859-1?Q?=E9t=E9?=\r\n et plus\r\n"
        b"X-Tocsin-Reference: d\xc3\xa9j\xc3\xa0\r\n\r\nBonjour\r\n"
    )
    mail = read_mail(raw)
    assert (mail.sender, mail.subject, mail.reference) == (FROM, "été et plus", "déjà")


def test_text_and_html_are_told_apart_however_deep_they_stand() -> None:
    mail = a_mail("Texte", "<p>Page</p>")
    around = EmailMessage()
    around["From"], around["Subject"] = FROM, "x"
    around.make_mixed()
    around.attach(mail)
    del mail["From"], mail["Subject"], mail["To"]
    found = read_mail(around.as_bytes())
    assert (found.text, found.html) == ("Texte\n", "<p>Page</p>\n")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (HEAD + HEAD + b"\r\nx", "stands there twice"),
        (HEAD + b"Content-Type: multipart/signed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--", "signed"),
        (HEAD + b"Content-Type: message/rfc822\r\n\r\nFrom: a@b.fr\r\n\r\nx", "rfc822 cannot be carried"),
        (
            HEAD + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\n\r\ny\r\n--a--",
            "several parts of text/plain",
        ),
        (HEAD + b"Content-Type: image/png\r\n\r\nx", "image/png cannot be carried"),
        (HEAD + b"Content-Disposition: attachment\r\n\r\nx", "cannot be carried"),
        (HEAD + b"Content-Transfer-Encoding: base64\r\n\r\nw6k", "damaged"),
        (HEAD + b'X-Tocsin-Metadata: {"a": 1}\r\n\r\nx', "JSON object"),
        (HEAD + b"X-Tocsin-Idempotency-Key: two words\r\n\r\nx", "without blanks"),
        (HEAD + b"X-Tocsin-Reference: " + b"x" * 201 + b"\r\n\r\nx", "200 characters"),
        (b"From: a@b.fr\r\nSubject: \xff\r\n\r\nx", "neither ASCII nor UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_told_in_one_line_of_ascii(raw: bytes, sentence: str) -> None:
    with pytest.raises(MailRefusedError) as caught:
        read_mail(raw)
    assert sentence in caught.value.answer
    assert caught.value.answer.isprintable()
    assert caught.value.answer.isascii()


def test_parts_within_parts_without_end_are_refused() -> None:
    raw = HEAD
    for depth in range(2_000):
        raw += f"Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n".encode()
    with pytest.raises(MailRefusedError):
        read_mail(raw)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("From: " + "a@b.fr," * 20_000, "From is too long"),
        ("Reply-To: " + "a b\r\n " * 40_000 + "a@b.fr", "Reply-To is too long"),
        ("Subject: " + "=?utf-8?q?a?=\r\n " * 20_000, "Subject is too long"),
        ("Content-Type: text/plain; " + "a*0=b;\r\n " * 20_000, "part of the mail is too long"),
        ("content-disposition: inline; " + "a=b;\r\t" * 20_000, "part of the mail is too long"),
    ],
    ids=["from", "folded", "subject", "type", "old line ends"],
)
def test_headers_that_would_take_minutes_are_refused_at_once(header: str, sentence: str) -> None:
    head = HEAD if header.lower().startswith(("content", "reply")) else b""
    began = process_time()
    with pytest.raises(MailRefusedError, match=sentence):
        read_mail(head + header.encode() + b"\r\n\r\nx")
    inner = (
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" + header.encode() + b"\r\n\r\nx\r\n--a--"
    )
    if not header.startswith(("From", "Reply", "Subject")):
        with pytest.raises(MailRefusedError, match=sentence):
            read_mail(HEAD + inner)
    assert process_time() - began < 5


@given(st.binary(max_size=400), st.binary(max_size=60), st.sampled_from(["From", "Subject", "Content-Type"]))
@example(b"", b"<@>:;,(", "From")
@example(b"", b'text/plain; charset="', "Content-Type")
def test_whatever_comes_is_read_or_refused(body: bytes, value: bytes, name: str) -> None:
    for raw in (body, HEAD + body, f"{name}: ".encode() + value + b"\r\n" + HEAD + b"\r\n" + body):
        with contextlib.suppress(MailRefusedError):
            mail = read_mail(raw)
            assert mail.sender == FROM
            assert mail.text.strip() or mail.html.strip()


WORDS = st.text(alphabet="{}%#ax \"'-", max_size=30)


@given(WORDS)
@example('{{ "a" }}')
@example("{{{%- x -%}}}")
@example("{# {{ #}")
def test_what_looks_like_merge_code_means_itself(words: str) -> None:
    compiled = compile_email(
        subject=literal(f"x{words}x"),
        preheader="",
        mjml=literal(f"<html><body>{lines_of(f'x{words}x')}</body></html>"),
        text=literal(f"x{words}x"),
        fallbacks={},
    )
    given = dict.fromkeys(("organisation", "postal_address", "email"), "o")
    assert compiled.missing(given) == ()
    message = compiled.render(given, click_base="https://c.fr/c", unsubscribe_url="https://c.fr/u")
    assert message.subject == " ".join(f"x{words}x".split())
