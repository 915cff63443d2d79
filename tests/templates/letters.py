"""Letters to render in tests, and readers of what comes out, independent of the code under test."""

import email
import email.policy
import quopri
import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

import html5lib

from models.values import EmailMessage
from templates import CompiledEmail, compile_email
from templates.label import Label

CLICK_BASE = "https://t.example.org/c/abcdefghijklmnopqrstuvwx"
LEAVE = "https://t.example.org/u/abcdefghijklmnopqrstuvwx"


def a_body(content: str, *, head: str = "", around: str = "{}") -> str:
    """MJML with `content` in one column."""
    section = f"<mj-section><mj-column>{content}</mj-column></mj-section>"
    return f"<mjml><mj-head>{head}</mj-head><mj-body>{around.replace('{}', section)}</mj-body></mjml>"


def a_letter(
    content: str = "<mj-text>Bonjour</mj-text>",
    *,
    subject: str = "Objet",
    preheader: str = "",
    fallbacks: Mapping[str, str] | None = None,
    language: str = "fr",
    mjml: str | None = None,
    label: Label | None = None,
) -> CompiledEmail:
    """A compiled e-mail; only what matters is given."""
    return compile_email(
        subject=subject,
        preheader=preheader,
        mjml=a_body(content) if mjml is None else mjml,
        fallbacks=fallbacks or {},
        language=language,
        label=label,
    )


def rendered(letter: CompiledEmail, **values: str) -> EmailMessage:
    return letter.render(values, click_base=CLICK_BASE, unsubscribe_url=LEAVE)


def read_text(message: EmailMessage) -> str:
    """The text part as a mail program decodes it."""
    return quopri.decodestring(message.text).decode("utf-8").replace("\r\n", "\n")


def read_html(message: EmailMessage) -> str:
    """The words of the HTML as a browser shows them, blanks collapsed as it collapses them."""
    tree = html5lib.parse(message.html.decode("ascii"), namespaceHTMLElements=False)
    body = tree.find("body")
    assert body is not None
    words = "".join(_words(body))
    return re.sub(r"[ \t\r\n\f]+", " ", words)


def _words(node: Element) -> Iterator[str]:
    """The text below a node, without that of comments, whose tag is no string."""
    if isinstance(node.tag, str):
        yield node.text or ""
        for child in node:
            yield from _words(child)
            yield child.tail or ""


def attribute(message: EmailMessage, tag: str, name: str) -> str:
    """An attribute of the first such tag that has it, as a browser reads it."""
    tree = html5lib.parse(message.html.decode("ascii"), namespaceHTMLElements=False)
    return next(str(node.get(name)) for node in tree.iter(tag) if node.get(name))


def links_of(message: EmailMessage) -> list[str]:
    tree = html5lib.parse(message.html.decode("ascii"), namespaceHTMLElements=False)
    return [str(node.get("href")) for node in tree.iter("a")]


def assert_canonical(part: bytes) -> None:
    """Lines the wire takes (RFC 5322 2.1.1), in the relaxed form of DKIM (RFC 6376 3.4.4) already."""
    assert part.isascii()
    assert part.endswith(b"\r\n")
    assert not part.endswith(b"\r\n\r\n")
    assert part.count(b"\n") == part.count(b"\r") == part.count(b"\r\n")
    assert b"  " not in part
    assert b"\t" not in part
    assert b" \r\n" not in part
    assert max(map(len, part.split(b"\r\n"))) <= 998


def assert_quoted_printable(part: bytes) -> None:
    """RFC 2045 section 6.7: lines of at most 76 octets, and no dot to be stuffed."""
    assert_canonical(part)
    lines = part.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not any(line.startswith(b".") for line in lines)
    # Strict: quopri itself forgives everything.
    assert all(re.fullmatch(rb"(?:[ -<>-~]|=[0-9A-F]{2})*=?", line) for line in lines)


def as_mail(message: EmailMessage) -> email.message.EmailMessage:
    """The message as a mail program would parse it, headers included."""
    raw = (
        f"Subject: {message.subject}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/html; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    ).encode() + message.html
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, email.message.EmailMessage)
    return parsed
