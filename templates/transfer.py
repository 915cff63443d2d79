"""The transfer encodings, applied to a template once instead of to each message.

HTML becomes 7-bit US-ASCII: character references outside `<style>`, CSS escapes inside it, and lines ended
at blanks where an end of line looks the same (RFC 5322 section 2.1.1 allows 998 octets; MJML writes lines of
39,000). The text part becomes quoted-printable with a soft line break on both sides of every slot (RFC
2045 section 6.7). Both come out in the canonical form of DKIM's relaxed body (RFC 6376 section 3.4.4): no
two blanks in a row, none before a line end. Base64 or quoted-printable for the HTML would need encoding
anew for every recipient.

Works on protected text: marks stand for merge code, see `templates.source`.
"""

import re

from templates.source import CONTROL, MARK, PRINT

LINE_OCTETS = 998
QP_LINE = 72
"""Octets of a quoted-printable line before its soft break; the limit is 76."""
_WRAP_IN_TAG = 400
_WRAP_IN_TEXT = 700
_WRAP_AT_ALL_COST = 940
_SLOT_OCTETS = 330
"""What a value may take as HTML, with something to spare."""

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f\ue000-\ue002]")
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_PART = re.compile(
    r"(?P<condition><!--\[if[^\]]*\]>(?:<!-->)?|<!--<!\[endif\]-->|<!\[endif\]-->)"
    r"|(?P<comment><!--.*?-->)"
    r"|(?P<style><style\b.*?</style\s*>)"
    r"|(?P<pre><pre\b.*?</pre\s*>)"
    r"""|(?P<tag><[!/?a-zA-Z](?:[^>"']|"[^"]*"|'[^']*')*>)""",
    re.DOTALL | re.IGNORECASE,
)
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_BREAKABLE = re.compile(rf"(?<=[^ {PRINT}{CONTROL}\ue001]) (?=[^ .{PRINT}{CONTROL}])")
_BREAKABLE_IN_TAG = re.compile(rf"(?<![ \ue001]) (?=[^ /.>{PRINT}{CONTROL}])")
_BREAKABLE_IN_STYLE = re.compile(rf"(?<=[{{}};,]) (?=[^ .{PRINT}{CONTROL}])")
_IN_TAG, _IN_TEXT = "\ue010", "\ue011"
_BREAK = re.compile(f"([{_IN_TAG}{_IN_TEXT}])")


def encode_html(html: str) -> str:
    """Protected HTML as 7-bit US-ASCII, canonical, its lines ended by CRLF."""
    out: list[str] = []
    position = 0
    for part in _PART.finditer(html):
        out.append(_encode_text(html[position : part.start()]))
        out.append(_ENCODERS[part.lastgroup or ""](part.group()))
        position = part.end()
    out.append(_encode_text(html[position:]))
    return _wrap("".join(out).strip(" "))


def _references(text: str) -> str:
    return _BEYOND_ASCII.sub(lambda found: f"&#{ord(found.group())};", text)


def _encode_text(text: str) -> str:
    return _BREAKABLE.sub(_IN_TEXT, _BLANKS.sub(" ", _references(text)))


def _encode_tag(tag: str) -> str:
    """References also in attributes; breaks only between them, never in a value."""
    pieces = _QUOTED.split(_BLANKS.sub(" ", _references(tag)))
    pieces[::2] = [_BREAKABLE_IN_TAG.sub(_IN_TAG, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _encode_condition(text: str) -> str:
    return _BLANKS.sub(" ", _references(text))


def _encode_style(style: str) -> str:
    """CSS knows no references: an escape, ended by a blank (CSS Syntax 4.3.7)."""
    escaped = _BEYOND_ASCII.sub(lambda found: f"\\{ord(found.group()):x} ", _BLANKS.sub(" ", style))
    return _BREAKABLE_IN_STYLE.sub(_IN_TAG, _BLANKS.sub(" ", escaped))


def _encode_pre(text: str) -> str:
    """Blanks matter here: those that the canonical form would lose become references."""
    text = _references(text).replace("\r\n", "\n").replace("\n", "&#10;").replace("\t", "&#9;")
    head, sign, rest = text.partition(">")
    return head + sign + re.sub(r"(?<= ) |^ | (?=<)", "&#32;", rest)


_ENCODERS = {
    "condition": _encode_condition,
    "comment": _encode_text,
    "style": _encode_style,
    "pre": _encode_pre,
    "tag": _encode_tag,
}


def _weight(text: str) -> int:
    """Octets `text` may take once its marks are replaced by values."""
    return len(MARK.sub("", text)) + _SLOT_OCTETS * text.count(PRINT)


def _wrap(text: str) -> str:
    """End lines at some of the places that allow it, in tags rather than in text."""
    pieces = _BREAK.split(text)
    out = [pieces[0]]
    line = _weight(pieces[0])
    for kind, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        weight = _weight(piece)
        preferred = _WRAP_IN_TAG if kind == _IN_TAG else _WRAP_IN_TEXT
        if line > preferred or line + 1 + weight > _WRAP_AT_ALL_COST:
            out.append("\r\n")
            line = weight
        else:
            out.append(" ")
            line += 1 + weight
        out.append(piece)
    return "".join(out)


def longest_line(html: str) -> int:
    """Octets of the longest line of rendered HTML."""
    return max(map(len, html.split("\r\n")))


def rewrap(html: str) -> str:
    """Rendered HTML with every line within 998 octets, at the price of its looks where nothing else helps."""
    short = encode_html(html)
    return "\r\n".join(piece for line in short.split("\r\n") for piece in _chop(line))


def _chop(line: str) -> list[str]:
    """Pieces of at most 998 octets; a reference is not cut in two."""
    pieces = []
    while len(line) > LINE_OCTETS:
        end = LINE_OCTETS
        start = line.rfind("&", end - 10, end)
        if start > 0 and ";" not in line[start:end]:
            end = start
        pieces.append(line[:end].rstrip(" "))
        line = line[end:].lstrip(" ")
    return [*pieces, line]


# --- quoted-printable ------------------------------------------------------------------------------

_QP = tuple(
    chr(octet) if octet == 32 or (33 <= octet <= 126 and octet != 61) else f"={octet:02X}"
    for octet in range(256)
)
_QP_UNIT = re.compile(r"=[0-9A-F]{2}|[^=]", re.DOTALL)
SOFT_BREAK = "=\r\n"
_SPLIT_MARKS = re.compile(rf"([{PRINT}{CONTROL}]\d+\ue001)")


def quote_value(value: str) -> str:
    """One line of text in quoted-printable, to stand between soft line breaks: lines of at most 75 octets.

    Neither begins with a dot nor ends with a blank.
    """
    if value.isascii() and "=" not in value:
        quoted = value
    else:
        quoted = "".join([_QP[octet] for octet in value.encode("utf-8", "replace")])
    if quoted.startswith("."):
        quoted = "=2E" + quoted[1:]
    if len(quoted) <= QP_LINE:
        return quoted
    return SOFT_BREAK.join(_qp_lines(quoted))


def _qp_lines(quoted: str) -> list[str]:
    """Cut between units, never before a dot."""
    lines: list[str] = []
    line = ""
    for unit in _QP_UNIT.findall(quoted):
        if len(line) + len(unit) > QP_LINE:
            lines.append(line)
            line = ""
        line += "=2E" if not line and unit == "." else unit
    lines.append(line)
    return lines


def encode_text(text: str) -> str:
    """Protected text in quoted-printable, lines of at most 76 octets ended by CRLF."""
    # Every piece leaves the line at its beginning, whatever conditions and loops make of the order.
    pieces = _SPLIT_MARKS.split(text)
    out: list[str] = []
    for index, piece in enumerate(pieces):
        following = pieces[index + 1] if index + 1 < len(pieces) else ""
        if index % 2:
            out.append(piece)
            if piece[0] == PRINT and not following.startswith("\n"):
                out.append(SOFT_BREAK)
        elif piece:
            out.append(_encode_lines(piece))
            if following and not piece.endswith("\n"):
                out.append(SOFT_BREAK)
    return "".join(out)


def _encode_lines(piece: str) -> str:
    encoded = []
    *lines, last = piece.split("\n")
    for line in lines:
        quoted = quote_value(_no_double_blanks(line))
        encoded.append(f"{quoted[:-1]}=20" if quoted.endswith(" ") else quoted)
    encoded.append(quote_value(_no_double_blanks(last)))
    return "\r\n".join(encoded)


def _no_double_blanks(line: str) -> str:
    return re.sub(r" {2,}", " ", line)
