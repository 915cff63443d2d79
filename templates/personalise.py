"""One person's values: cleaned and capped once, written into each slot in the encoding of its place.

Every value is cleaned before anything else sees it: line ends would inject headers, double blanks would
break the DKIM signature over the relaxed body, and long runs would break the limit of 998 octets a line
(RFC 5322 section 2.1.1). After that, what is left to do for one message is to escape a few short strings.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup

from templates.language import Sandbox
from templates.transfer import quote_value

VALUE_LENGTH = 200
"""Characters a value may have; what comes after is cut."""
WORD_OCTETS = 320
"""Octets a run without blanks may take as HTML; what comes after is cut."""

PLAINLY_SHORT = 36
"""Printable characters of which fewer never take more than WORD_OCTETS: a reference has nine at most."""
LINE_OF_VALUE = WORD_OCTETS + len("&#46;") - len(".")

# Blanks and controls that end lines or hide; no-break blanks are characters people mean.
_BLANK = r"\x00-\x20\x7f-\x9f\u2028\u2029"
_BLANKS = re.compile(f"[{_BLANK}]+")
# Lone surrogates and noncharacters cannot travel.
_BROKEN = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(p * 65536 + 65534 + e) for p in range(17) for e in (0, 1))
    + "]"
)
# Marks that turn the writing direction round: made for hiding what an address or a name really says.
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")
_UNCLEAN = re.compile(
    rf"[\x00-\x1f\x7f-\x9f\u2028\u2029]|  |^ | $|{_BROKEN.pattern}|{_DIRECTION.pattern}|[^ ]{{33}}"
)
_NEEDS_ESCAPE = re.compile(r"[&<>\"']")


def clean(value: str) -> str:
    """The value as messages show it: one line, single blanks, no controls, at most VALUE_LENGTH characters.

    Composed (NFC). Cleaning twice changes nothing.
    """
    if _is_plainly_clean(value):
        return value
    if len(value) <= VALUE_LENGTH and not _UNCLEAN.search(value) and unicodedata.is_normalized("NFC", value):
        return value
    value = _BROKEN.sub("\ufffd", _DIRECTION.sub("", value[: VALUE_LENGTH * 8]))
    words = _BLANKS.sub(" ", unicodedata.normalize("NFC", value)).split(" ")
    # Composing may move marks across a cut: compose again after cutting.
    cut = " ".join(_cap(word) for word in words if word)[:VALUE_LENGTH]
    return unicodedata.normalize("NFC", cut).strip(" ")


def _is_plainly_clean(value: str) -> bool:
    """Whether a value is clean without looking closely, as nearly every name is; empty ones included."""
    # Printable: no controls, no other blanks, no surrogates, noncharacters or direction marks.
    return (
        len(value) < PLAINLY_SHORT
        and value.isprintable()
        and "  " not in value
        and not value.startswith(" ")
        and not value.endswith(" ")
        and (value.isascii() or unicodedata.is_normalized("NFC", value))
    )


def _cap(word: str) -> str:
    """The beginning of a word that takes at most WORD_OCTETS as HTML."""
    if len(word) * 5 <= WORD_OCTETS and word.isascii():
        return word
    size = 0
    for index, character in enumerate(word):
        size += len(_as_references(character))
        if size > WORD_OCTETS:
            return word[:index]
    return word


def _as_references(text: str) -> str:
    if _NEEDS_ESCAPE.search(text):
        text = (
            text.replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace('"', "&#34;")
            .replace("'", "&#39;")
        )
    return text if text.isascii() else text.encode("ascii", "xmlcharrefreplace").decode("ascii")


class Encoded(Markup):
    """A value that is already as its place needs it; written as it is."""

    __slots__ = ()


def as_html(value: Any) -> Markup:
    """A value in HTML, in text or in a quoted attribute: escaped, ASCII, its lines kept short."""
    if type(value) is Encoded:
        return value
    return Markup(write_html(as_line(value)))  # noqa: S704 - every sign HTML knows has just been escaped


def write_html(value: str) -> str:
    """A clean value in HTML: escaped, ASCII, lines of at most LINE_OF_VALUE octets, none begun by a dot."""
    encoded = _as_references(value)
    return encoded if len(encoded) <= WORD_OCTETS else _fold(encoded)


def _fold(encoded: str) -> str:
    """Line ends in place of some blanks, so that no line of a long value is longer than LINE_OF_VALUE."""
    lines = [""]
    for word in encoded.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= WORD_OCTETS:
            lines.append(f"&#46;{word[1:]}" if word.startswith(".") else word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\r\n".join(lines)


def as_line(value: Any) -> str:
    """A value in a subject or an SMS: one clean line of text."""
    if isinstance(value, Undefined):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, Markup):
        # The template escaped it, with |e: each place escapes in its own way, once.
        return clean(value.unescape())
    return clean(str(value))


def as_quoted_printable(value: Any) -> str:
    """A value in the text part, in quoted-printable, to stand between soft line breaks."""
    if type(value) is Encoded:
        return value
    return quote_value(as_line(value))


def as_ready_html(value: str) -> Encoded:
    """A value encoded once for all its places in the HTML."""
    return Encoded(as_html(value))


def as_ready_text(value: str) -> Encoded:
    """A value encoded once for all its places in the text part."""
    return Encoded(as_quoted_printable(value))


def html_sandbox() -> Sandbox:
    """For HTML in 7-bit US-ASCII, lines ended by CRLF."""
    return Sandbox(finalize=as_html, autoescape=True, newline="\r\n")


def text_sandbox() -> Sandbox:
    """For text in quoted-printable, lines ended by CRLF."""
    return Sandbox(finalize=as_quoted_printable, autoescape=False, newline="\r\n")


def line_sandbox(finalize: Callable[[Any], str] = as_line) -> Sandbox:
    """For text that is encoded later: subjects, SMS."""
    return Sandbox(finalize=finalize, autoescape=False)
