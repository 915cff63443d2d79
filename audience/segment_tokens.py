"""The text of a segment cut into words, signs and quoted values, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from models.errors import SegmentError

MAXIMUM_TEXT_LENGTH: Final = 50_000
SIGNS: Final = ("<=", ">=", "<", ">", ":", "=", "(", ")", "|", ",")

_TOKEN = re.compile(
    r"(?P<blank>\s+)"
    r'|"(?P<straight>(?:[^"\\]|\\.)*)"(?P<star1>\*?)'
    r"|“(?P<curly>[^”]*)”(?P<star2>\*?)"
    r"|«\s*(?P<french>[^»]*?)\s*»(?P<star3>\*?)"
    r"|(?P<sign><=|>=|[<>:=()|,])"
    r'|(?P<word>[^\s<>:=()|,"“”«»]+)',
    re.DOTALL,
)


class TokenKind(Enum):
    """What a piece of the text is."""

    WORD = auto()
    QUOTED = auto()
    SIGN = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One piece: `text` without quotes, `start` its place from 0; `star`: a `*` follows it at once."""

    kind: TokenKind
    text: str
    start: int
    star: bool = False


class SegmentSyntaxError(SegmentError):
    """The text of a segment cannot be read; `position` counts characters from 0.

    Printed with the line concerned and a caret under the place.
    """

    def __init__(self, problem: str, text: str, position: int, advice: str = "") -> None:
        """`problem` says what was expected at `position` of `text`."""
        super().__init__(problem, advice)
        self.text = text
        self.position = position

    def __str__(self) -> str:
        if not self.text.strip():
            return super().__str__()
        start = self.text.rfind("\n", 0, self.position) + 1
        line = self.text[start:].split("\n", 1)[0]
        column = self.position - start
        # A long rule is shown around the place alone.
        cut = max(0, column - 50)
        shown = line[cut : cut + 90].replace("\t", " ")
        return f"{super().__str__()}\n  {shown}\n  {' ' * (column - cut)}^"


def tokens_of(text: str) -> Iterator[Token]:
    """The pieces of `text`, the END last; SegmentSyntaxError at a quote that is never closed."""
    if len(text) > MAXIMUM_TEXT_LENGTH:
        raise SegmentError(f"The text of a segment has at most {MAXIMUM_TEXT_LENGTH:,} characters.")
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SegmentSyntaxError("This quote is never closed.", text, position)
        if match["blank"] is None:
            yield _token(match)
        position = match.end()
    yield Token(TokenKind.END, "", len(text))


def _token(match: re.Match[str]) -> Token:
    start = match.start()
    if match["sign"] is not None:
        return Token(TokenKind.SIGN, match["sign"], start)
    if match["word"] is not None:
        word = match["word"]
        star = len(word) > 1 and word.endswith("*")
        return Token(TokenKind.WORD, word[:-1] if star else word, start, star)
    if match["straight"] is not None:
        unescaped = re.sub(r"\\(.)", r"\1", match["straight"], flags=re.DOTALL)
        return Token(TokenKind.QUOTED, unescaped, start, bool(match["star1"]))
    if match["curly"] is not None:
        return Token(TokenKind.QUOTED, match["curly"], start, bool(match["star2"]))
    return Token(TokenKind.QUOTED, match["french"], start, bool(match["star3"]))
