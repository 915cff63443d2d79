"""A compiled part as straight pieces: text that is the same for everybody, slots for values, code between.

Jinja would pass through all of a template for each person, slot by slot. Most of a message is text with
plain merge fields in it, which joining strings does in a hundredth of the time; what is left for Jinja is
code: conditions with what stands in them, loops, expressions. All code of a part is one Jinja template, its
outputs divided by NUL, which neither a template nor a value may hold.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from models.errors import TemplateError
from templates.blocks import Block, Values, compile_block
from templates.language import Part, Sandbox, compile_part, fields_of, parse
from templates.source import CONTROL, PRINT, Protected
from templates.spelling import Column

_DIVIDER = "\0"
_SPLIT_MARKS = re.compile(rf"([{PRINT}{CONTROL}]\d+\ue001)")
_PLAIN_SLOT = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}\Z")
_STATEMENT = re.compile(r"\{%\s*(\w+)")
_COMMENT = "{##}"


class Kind(Enum):
    """What a piece is: text for everybody, a slot (its field's name) or code."""

    TEXT = "text"
    SLOT = "slot"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template; in `text` and `code` merge code is written out, not marked."""

    kind: Kind
    text: str

    @property
    def repeats(self) -> bool:
        """Whether it holds a loop, so that its length is anybody's guess."""
        return self.kind is Kind.CODE and re.search(r"\{%\s*for\b", self.text) is not None


def cut(source: Protected, text: str, plain: Collection[str]) -> list[Piece]:
    """The pieces of `text`, marked as in `source`; `plain` are the fields that may become slots.

    A block stays together, from its `if` or `for` to its end.
    """
    pieces: list[Piece] = []
    code, depth = "", 0
    for index, part in enumerate(_SPLIT_MARKS.split(text)):
        if not index % 2:
            if depth:
                code += part
            elif part:
                pieces.append(Piece(Kind.TEXT, part))
            continue
        written = source.restore(part)
        statement = _STATEMENT.match(written)
        word = statement[1] if statement else ""
        slot = _PLAIN_SLOT.match(written)
        if not depth and slot and slot[1] in plain:
            pieces.append(Piece(Kind.SLOT, slot[1]))
            continue
        if not depth and written == _COMMENT:
            continue
        code += written
        depth += (word in {"if", "for"}) - word.startswith("end")
        if not depth:
            pieces.append(Piece(Kind.CODE, code))
            code = ""
    return pieces


def give_blanks_to_code(pieces: Sequence[Piece]) -> list[Piece]:
    """The same, with blanks beside code made part of it, and code divided by blanks alone made one.

    Whether a condition that does not hold leaves two blanks in a row can then be seen in the code's output
    alone.
    """
    out: list[Piece] = []
    for piece in pieces:
        text = piece.text
        if piece.kind is Kind.TEXT and out and out[-1].kind is Kind.CODE and text.startswith(" "):
            out[-1] = Piece(Kind.CODE, out[-1].text + " ")
            text = text.lstrip(" ")
        if piece.kind is Kind.CODE and out and out[-1].kind is Kind.TEXT and out[-1].text.endswith(" "):
            out[-1] = Piece(Kind.TEXT, out[-1].text.rstrip(" "))
            text = f" {text}"
            if not out[-1].text:
                out.pop()
        if piece.kind is Kind.CODE and out and out[-1].kind is Kind.CODE:
            out[-1] = Piece(Kind.CODE, out[-1].text + text)
        elif text:
            out.append(Piece(piece.kind, text))
    return out


@dataclass(frozen=True, slots=True)
class Segments:
    """One compiled part; may be rendered from any number of threads.

    `code_places` are the places of the code's outputs among the pieces, in order.
    """

    code_places: tuple[int, ...]
    _column: Column
    _skeleton: tuple[str, ...]
    _slots: tuple[tuple[str, tuple[int, ...]], ...]
    _blocks: tuple[tuple[int, Block], ...]
    _code: Part | None
    _left_places: tuple[int, ...]
    _left_fields: frozenset[str]

    def fill(self, values: Values) -> list[str]:
        """What to join for one person."""
        column = self._column
        pieces = list(self._skeleton)
        for name, places in self._slots:
            value = values[name][column]
            for place in places:
                pieces[place] = value
        for place, block in self._blocks:
            pieces[place] = block(values)
        if self._code is not None:
            self._run_code(self._code, pieces, values)
        return pieces

    def _run_code(self, code: Part, pieces: list[str], values: Values) -> None:
        """What is left to Jinja."""
        shown = {name: values[name].clean for name in self._left_fields if name in values}
        outputs = code.render(shown).split(_DIVIDER)
        if len(outputs) != len(self._left_places):
            raise TemplateError("The template writes a character that no message may carry.")
        for place, output in zip(self._left_places, outputs, strict=True):
            pieces[place] = output


def compile_segments(
    environment: Sandbox, pieces: Sequence[Piece], column: Column, fields: Collection[str]
) -> Segments:
    """The part made of `pieces`, its values spelled as in `column`; `fields` are those it may name.

    SourceError for what the language refuses.
    """
    slots: dict[str, list[int]] = {}
    blocks: dict[int, Block] = {}
    left: dict[int, str] = {}
    for place, piece in enumerate(pieces):
        match piece.kind:
            case Kind.SLOT:
                slots.setdefault(piece.text, []).append(place)
            case Kind.CODE:
                block = compile_block(parse(environment, piece.text).body, column, fields)
                if block is None:
                    left[place] = piece.text
                else:
                    blocks[place] = block
            case Kind.TEXT:
                pass
    source = _DIVIDER.join(left.values())
    return Segments(
        code_places=tuple(sorted([*blocks, *left])),
        _column=column,
        _skeleton=tuple(piece.text if piece.kind is Kind.TEXT else "" for piece in pieces),
        _slots=tuple((name, tuple(places)) for name, places in slots.items()),
        _blocks=tuple(blocks.items()),
        _code=compile_part(environment, source) if left else None,
        _left_places=tuple(left),
        _left_fields=fields_of(environment, parse(environment, source)),
    )
