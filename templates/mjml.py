"""MJML to HTML: the one door to the MJML library.

The library reports mistakes as byte ranges in what it was given, which is not quite what the person wrote;
here they become a line, a column and the line itself. Nothing is ever included from files or the
network: without a loader the library refuses, and the grammar does so before it.
"""

import re

from mjml import mjml2html

from templates.grammar import TAG, check_mjml
from templates.source import CONTROL, MARK, PRINT, Origins, Protected, SourceError, mistake_at

_POSITION = re.compile(r"at position (\d+):(\d+)")
_BARE_SIGN = re.compile(r"<(?![a-zA-Z/!])")
_SINGLE_QUOTED = re.compile(r"""("[^"]*")|'([^']*)'""")
_BLANKS = re.compile(r"[ \t\n]+")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_PLAIN_WORDS = (
    ("unexpected end of stream", "The template ends too early.", "Close every tag, <mjml> last."),
    (
        "unexpected token",
        "This cannot stand here.",
        "Put text inside <mj-text>, components inside their parent.",
    ),
    ("unexpected element", "This component cannot stand here.", "Put it inside the component it belongs to."),
    ("unexpected attribute", "This attribute cannot stand here.", "Delete it or correct its name."),
)


def to_html(source: str, protected: Protected) -> str:
    """The protected HTML of a protected MJML source; no fonts are fetched.

    `source` is what the person wrote, for error messages. Raises SourceError with line and column.
    """
    check_mjml(source, protected)
    sign = _unused(protected.text)
    text, origins = _prepare(protected.text, sign)
    try:
        html = mjml2html(text, fonts={})
    except ValueError as error:
        raise _in_plain_words(source, protected, text, origins, str(error)) from error
    return re.sub(rf"{sign}([pc])(\d+){sign}", _mark_again, html)


def _unused(text: str) -> str:
    """Letters that the text does not hold, to stand around the number of a mark."""
    sign = "zq"
    while sign in text:
        sign += "q"
    return sign


def _prepare(text: str, sign: str) -> tuple[str, Origins]:
    r"""What the library can read and write back unharmed, and where each piece came from.

    It writes the attributes of HTML inside components with the escapes of its own programming language
    (a backslash doubled, a no-break space as `\u{a0}`), so only harmless ASCII may stand there.
    """
    out: list[str] = []
    origins = Origins()
    size = position = 0
    for tag in TAG.finditer(text):
        for start, piece in (
            (position, _ascii_marks(text[position : tag.start()], sign)),
            (tag.start(), _ascii_marks(_harmless(tag.group()), sign)),
        ):
            origins.note(size, start)
            out.append(piece)
            size += len(piece)
        position = tag.end()
    origins.note(size, position)
    out.append(_ascii_marks(text[position:], sign))
    return "".join(out), origins


def _harmless(tag: str) -> str:
    """A tag whose attributes hold references in place of anything the library would escape."""
    if tag.startswith("<!--"):
        return tag
    quoted = _SINGLE_QUOTED.sub(
        lambda value: value.group(1) or '"' + (value.group(2) or "").replace('"', "&quot;") + '"', tag
    )
    flat = _BLANKS.sub(" ", quoted.replace("\\", "&#92;"))
    return _BEYOND_ASCII.sub(
        lambda found: found.group() if "\ue000" <= found.group() <= "\ue002" else f"&#{ord(found.group())};",
        flat,
    )


def _ascii_marks(text: str, sign: str) -> str:
    return MARK.sub(lambda mark: f"{sign}{'p' if mark.group(1) == PRINT else 'c'}{mark.group(2)}{sign}", text)


def _mark_again(found: re.Match[str]) -> str:
    return f"{PRINT if found.group(1) == 'p' else CONTROL}{found.group(2)}\ue001"


def _in_plain_words(
    source: str, protected: Protected, text: str, origins: Origins, message: str
) -> SourceError:
    """The library's message with the place and the words of a person."""
    bare = _BARE_SIGN.search(protected.text)
    if bare:
        offset = protected.origins.of(bare.start())
        return mistake_at(source, offset, "A “<” begins no tag.", "Write &lt; for the sign itself.")
    found = _POSITION.search(message)
    offset = protected.origins.of(origins.of(_characters(text, int(found.group(1))))) if found else 0
    for words, problem, advice in _PLAIN_WORDS:
        if words in message:
            return mistake_at(source, offset, problem, advice)
    return mistake_at(
        source, offset, "This is not well-formed MJML.", "Close every tag and quote every attribute."
    )


def _characters(text: str, octets: int) -> int:
    """The character offset of an offset in UTF-8 octets."""
    return len(text.encode()[:octets].decode(errors="ignore"))
