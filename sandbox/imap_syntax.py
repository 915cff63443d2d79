"""IMAP's grammar (RFC 3501 section 9), as much of it as a client that looks for mail sends.

A command is read into words: plain text for atoms, quoted strings and literals alike, nested lists for
parentheses. What is in square brackets stays with its atom: `BODY.PEEK[HEADER.FIELDS (FROM)]` is one word.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

MAX_COMMAND_BYTES = 64 * 1024
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r?\n$")

Word: TypeAlias = "str | list[Word]"


class ImapSyntaxError(Exception):
    """The client sent what cannot be read: answered with BAD."""


class ImapTooLongError(Exception):
    """The client sent more than a command may hold: the connection ends."""


async def read_command(
    reader: asyncio.StreamReader, go_on: Callable[[], Awaitable[None]]
) -> list[Word] | None:
    """The next command's words, tag first; None when the client is gone.

    Asks for the literals in it by `go_on` (RFC 3501 section 4.3; with `+` they come unasked, RFC 7888).

    Raises:
        ImapSyntaxError: quotes or parentheses that do not close.
        ImapTooLongError: more than `MAX_COMMAND_BYTES`.
    """
    words = _Words()
    budget = MAX_COMMAND_BYTES
    while True:
        line = await _read_line(reader)
        if not line:
            return None
        budget -= len(line)
        literal = _LITERAL.search(line)
        if literal is None:
            words.add_text(line.rstrip(b"\r\n").decode("utf-8", "replace"))
            return words.finish()
        size = int(literal[1])
        budget -= size
        if budget < 0:
            raise ImapTooLongError
        words.add_text(line[: literal.start()].decode("utf-8", "replace"))
        if not literal[2]:
            await go_on()
        words.add_word((await reader.readexactly(size)).decode("utf-8", "replace"))


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError as problem:
        raise ImapTooLongError from problem


class _Words:
    """Words in the making, over several stretches of text with literals between them."""

    def __init__(self) -> None:
        self._stack: list[list[Word]] = [[]]

    def add_word(self, word: str) -> None:
        """One finished word, from a literal."""
        self._stack[-1].append(word)

    def add_text(self, text: str) -> None:
        """Every word in `text`."""
        position = 0
        while position < len(text):
            position = self._take(text, position)

    def finish(self) -> list[Word]:
        """All words."""
        if len(self._stack) != 1:
            raise ImapSyntaxError("Parentheses do not close")
        return self._stack[0]

    def _take(self, text: str, start: int) -> int:
        """Take one thing at `start`; returns where the next begins."""
        match text[start]:
            case " ":
                return start + 1
            case "(":
                self._stack.append([])
                return start + 1
            case ")":
                if len(self._stack) == 1:
                    raise ImapSyntaxError("A parenthesis too many")
                inner = self._stack.pop()
                self._stack[-1].append(inner)
                return start + 1
            case '"':
                word, end = _read_quoted(text, start + 1)
            case _:
                word, end = _read_atom(text, start)
        self._stack[-1].append(word)
        return end


def _read_quoted(text: str, start: int) -> tuple[str, int]:
    written: list[str] = []
    position = start
    while position < len(text):
        if text[position] == '"':
            return "".join(written), position + 1
        if text[position] == "\\":
            position += 1
        written.append(text[position : position + 1])
        position += 1
    raise ImapSyntaxError("A quoted string does not close")


def _read_atom(text: str, start: int) -> tuple[str, int]:
    position, depth = start, 0
    while position < len(text):
        character = text[position]
        depth += (character == "[") - (character == "]")
        if depth <= 0 and character in ' ()"':
            break
        position += 1
    return text[start:position], position


def quote(text: str) -> str:
    """A quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_set(text: str, highest: int) -> list[tuple[int, int]]:
    """A sequence set (`1,3:5,7:*`) as ranges, both ends included; `*` is `highest`."""
    ranges = []
    for part in text.split(","):
        ends = part.split(":")
        if len(ends) > 2 or not all(end == "*" or (end.isdecimal() and int(end) > 0) for end in ends):
            raise ImapSyntaxError(f"No such set: {part}")
        numbers = [highest if end == "*" else int(end) for end in ends]
        ranges.append((min(numbers), max(numbers)))
    return ranges
