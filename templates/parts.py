"""The HTML and the text of a compiled e-mail, and the proof that what they render may go out as it is.

Looking through 45 kB for two blanks in a row, a long line or a dot costs more than writing them. The text
that is the same for everybody is looked through once, when it is compiled; values are short and cleaned;
what code puts out is looked at each time. Whatever is not proven this way is mended, or checked, as a whole.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from templates.blocks import Values
from templates.personalise import LINE_OF_VALUE, html_sandbox, text_sandbox
from templates.segments import Kind, Piece, Segments, compile_segments, cut, give_blanks_to_code
from templates.source import Protected
from templates.spelling import Column
from templates.transfer import LINE_OCTETS, SOFT_BREAK, longest_line, rewrap

_BLANKS = re.compile(" +")
_BLANK_LINES = re.compile(r"\r\n\r\n\r\n(?:\r\n)*")
_CRLF = "\r\n"
_TWO_BLANK_LINES = _CRLF * 3
_LINE_ENDS = (_CRLF, SOFT_BREAK)


@dataclass(frozen=True, slots=True)
class Fields:
    """The merge fields of a message; some have an empty fallback, and so may be empty where they stand."""

    all: frozenset[str]
    never_empty: frozenset[str]


@dataclass(frozen=True, slots=True)
class HtmlPart:
    """The HTML part: 7-bit, lines of at most 998 octets, DKIM's relaxed canonical form."""

    _segments: Segments
    _proven: bool
    _doubtful: "tuple[_LongLine, ...]"

    def render(self, values: Values) -> tuple[bytes, bool]:
        """The part for one person, and whether it is proven (`EmailMessage.proven`)."""
        pieces = self._segments.fill(values)
        proven = self._proven
        for place in self._segments.code_places:
            if "  " in pieces[place]:
                pieces[place] = _BLANKS.sub(" ", pieces[place])
            proven = proven and _is_harmless(pieces[place])
        proven = proven and all(_fits(pieces, line) for line in self._doubtful)
        html = "".join(pieces)
        return (html if proven else _mend(html)).encode("ascii"), proven


def compile_html(source: Protected, encoded: str, fields: Fields) -> HtmlPart:
    """The part from protected HTML in its transfer encoding."""
    pieces = give_blanks_to_code([*cut(source, encoded, fields.never_empty), Piece(Kind.TEXT, _CRLF)])
    return HtmlPart(
        _segments=compile_segments(html_sandbox(), pieces, Column.HTML, fields.all),
        _proven=_is_straight(pieces),
        _doubtful=_long_lines(pieces),
    )


@dataclass(frozen=True, slots=True)
class _LongLine:
    """A line of the template that values and code, at these places, could make longer than 998 octets.

    `static`: the octets of its text.
    """

    places: tuple[int, ...]
    static: int


def _long_lines(pieces: Sequence[Piece]) -> tuple[_LongLine, ...]:
    doubtful: list[_LongLine] = []
    places: list[int] = []
    static = most = 0
    for place, piece in enumerate(pieces):
        if piece.kind is not Kind.TEXT:
            places.append(place)
            most += _most_octets(piece)
            continue
        first, *others = piece.text.split(_CRLF)
        static += len(first)
        for following in others:
            if places and static + most > LINE_OCTETS:
                doubtful.append(_LongLine(tuple(places), static))
            places, static, most = [], len(following), 0
    return (*doubtful, _LongLine(tuple(places), static)) if places else tuple(doubtful)


def _fits(pieces: Sequence[str], line: _LongLine) -> bool:
    """Whether what a line has become is no longer than 998 octets, in however many lines of its own."""
    whole = line.static
    for place in line.places:
        whole += len(pieces[place])
    return whole <= LINE_OCTETS or all(_line_through(pieces, place) <= LINE_OCTETS for place in line.places)


def _most_octets(piece: Piece) -> int:
    """What a value, or the output of code, takes at most."""
    if piece.repeats:
        return LINE_OCTETS + 1
    if piece.kind is Kind.SLOT:
        return LINE_OF_VALUE
    return len(piece.text) + LINE_OF_VALUE * piece.text.count("{{")


def _is_straight(pieces: Sequence[Piece]) -> bool:
    """Whether clean values in the slots, and harmless outputs of code, make lines that nobody need check."""
    stood_in = "".join(piece.text if piece.kind is Kind.TEXT else "x" for piece in pieces)
    seams = all(
        not (text.text.endswith(_CRLF) if text is one else text.text.startswith(_CRLF))
        for one, other in pairwise(pieces)
        if (one.kind is Kind.TEXT) != (other.kind is Kind.TEXT)
        for text in (one if one.kind is Kind.TEXT else other,)
    )
    return (
        seams
        and stood_in.isascii()
        and "\t" not in stood_in
        and longest_line(stood_in) <= LINE_OCTETS
        and _is_harmless(stood_in)
    )


def _is_harmless(text: str) -> bool:
    """Whether text adds no blank before a line end, no dot after one, and no line end that is not CRLF."""
    if "\n" not in text and "\r" not in text:
        return "  " not in text and not text.startswith(".")
    return (
        "  " not in text
        and " \r\n" not in text
        and "\r\n." not in text
        and not text.startswith(".")
        and text.count("\n") == text.count("\r") == text.count(_CRLF)
    )


def _line_through(pieces: Sequence[str], place: int) -> int:
    """Octets of the longest line that the piece at `place` has a part in."""
    before = after = 0
    for piece in reversed(pieces[:place]):
        end = piece.rfind("\n")
        before += len(piece) - end - 1
        if end >= 0:
            break
    for piece in pieces[place + 1 :]:
        end = piece.find("\r")
        after += len(piece) if end < 0 else end
        if end >= 0:
            break
    first, *others = pieces[place].split(_CRLF)
    if not others:
        return before + len(first) + after
    return max(before + len(first), len(others[-1]) + after, *map(len, others))


def _mend(html: str) -> str:
    """The HTML with every line within its limit and canonical, whatever that does to its looks."""
    html = _BLANKS.sub(" ", html.removesuffix(_CRLF))
    if longest_line(html) > LINE_OCTETS:
        html = rewrap(html)
    return html + _CRLF


@dataclass(frozen=True, slots=True)
class TextPart:
    """The text part: quoted-printable, DKIM's relaxed canonical form, no line begun by a dot.

    `_ended` are the places of code after which the line ends; `_spaced`: the static text alone has too many
    blank lines somewhere.
    """

    _segments: Segments
    _proven: bool
    _ended: frozenset[int]
    _spaced: bool

    def render(self, values: Values) -> tuple[bytes, bool]:
        """The part for one person, and whether it is proven (`EmailMessage.proven`)."""
        pieces = self._segments.fill(values)
        proven, spaced = self._proven, self._spaced
        for place in self._segments.code_places:
            output = pieces[place]
            proven = proven and _keeps_lines(output, ended=place in self._ended)
            # After a soft break, and between the blank lines of the static text, nothing adds up.
            spaced = spaced or not output.endswith(SOFT_BREAK) or _TWO_BLANK_LINES in output
        text = "".join(pieces)
        # What a false condition leaves behind: blank lines, and a soft break at the very end.
        if spaced and _TWO_BLANK_LINES in text:
            text = _BLANK_LINES.sub(_one_blank_line, text)
        return (text.rstrip("=\r\n ") + _CRLF).encode("ascii"), proven


def _one_blank_line(found: re.Match[str]) -> str:
    """One blank line instead of several; a soft break before them ends no line of the text."""
    if found.string.startswith("=", found.start() - 1):
        return found[0][: 3 * len(_CRLF)]
    return _CRLF * 2


def compile_text(source: Protected, encoded: str, fields: Fields) -> TextPart:
    """The part from protected text in quoted-printable."""
    pieces = cut(source, encoded, fields.never_empty)
    return TextPart(
        _segments=compile_segments(text_sandbox(), pieces, Column.TEXT, fields.all),
        _proven=all(_stands_alone(pieces)),
        _ended=frozenset(
            place
            for place, (piece, following) in enumerate(pairwise(pieces))
            if piece.kind is Kind.CODE and following.text.startswith(_LINE_ENDS)
        ),
        _spaced=_TWO_BLANK_LINES
        in "".join(SOFT_BREAK if piece.kind is Kind.CODE else piece.text for piece in pieces).replace(
            SOFT_BREAK + _CRLF * 2, ""
        ),
    )


def _stands_alone(pieces: Sequence[Piece]) -> Iterator[bool]:
    """For each piece of text whether it leaves the line at its beginning, and the next one may end it."""
    for index, piece in enumerate(pieces):
        if piece.kind is Kind.TEXT:
            yield (
                piece.text.isascii() and _is_harmless(piece.text) and longest_line(piece.text) <= LINE_OCTETS
            )
            yield index == len(pieces) - 1 or piece.text.endswith(_CRLF)
        elif piece.kind is Kind.SLOT:
            following = pieces[index + 1].text if index + 1 < len(pieces) else ""
            yield following.startswith(_LINE_ENDS)


def _keeps_lines(output: str, *, ended: bool) -> bool:
    """Whether what code put out changes nothing about the lines around it; `ended`: a line end follows it."""
    if not output:
        return True
    stands = not output.endswith(" ") if ended else output.endswith(_CRLF)
    return stands and _is_harmless(output) and longest_line(output) <= LINE_OCTETS
