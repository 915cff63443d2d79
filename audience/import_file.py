"""A file of contacts as bytes: what it is, how it is written, and its records one after the other.

Read in a stream, twice: once to know its fingerprint and its encoding (a Windows-1252 file may look
like ASCII for its first million lines), once for the records. Lines are numbered as an editor numbers
them, so that a record with line breaks in quotes is found where it is.
"""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final

from models.errors import BadInputError

SEPARATORS: Final = (";", ",", "\t", "|")
MAXIMUM_COLUMNS: Final = 500
_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 1_000_000
# Longer than the csv module takes for one field, so it refuses the record.
_OVERLONG: Final = "x" * 140_000 + "\n"
_SIGNATURES: Final = (
    (b"PK\x03\x04", "This is an Excel or LibreOffice workbook, not a text file."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook, not a text file."),
    (b"%PDF", "This is a PDF, not a text file."),
    (b"\x1f\x8b", "This file is compressed."),
)
_EXCEL_HINT = re.compile(r'"?sep=(.)"?\s*\Z')


class ImportFileError(BadInputError):
    """A file of contacts cannot be read at all."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What the first reading found. `first_line` is the line of the header, from 1."""

    path: Path
    sha256: str
    size: int
    encoding: str
    separator: str
    header: tuple[str, ...]
    first_line: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `line` where it begins, `last_line` where it ends; `problem` when it cannot be read."""

    line: int
    last_line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Records that follow one another: `cells` of each, where it begins and ends, and what is wrong.

    `problems` are by place in the block. `plain`: each record is one line, and none holds a NUL.
    """

    lines: Sequence[int]
    last_lines: Sequence[int]
    cells: list[list[str]]
    problems: dict[int, str] = field(default_factory=dict)
    plain: bool = False

    def record(self, place: int) -> Record:
        """One of them, from 0."""
        return Record(
            self.lines[place], self.last_lines[place], self.cells[place], self.problems.get(place, "")
        )


def inspect_file(path: Path, *, encoding: str | None = None, separator: str | None = None) -> SourceFile:
    """Read the whole file once; ImportFileError, in one line, when it is no table of text."""
    try:
        with path.open("rb") as file:
            sha256, size, found = _survey(file, encoding)
    except OSError as error:
        raise ImportFileError(f"{path} cannot be read: {error.strerror}.") from error
    sign, skipped = _separator(path, found, separator)
    header, first_line = _header(path, found, sign, skipped)
    return SourceFile(path, sha256, size, found, sign, header, first_line)


def _survey(file: IO[bytes], wanted: str | None) -> tuple[str, int, str]:
    """Fingerprint, size and encoding: the one asked for, else UTF-8 when all of it is, else Windows-1252."""
    start = file.read(4096)
    if not start.strip():
        raise ImportFileError("The file is empty.")
    for signature, problem in _SIGNATURES:
        if start.startswith(signature):
            raise ImportFileError(problem, "Save the sheet as CSV (UTF-8) and import that.")
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if _is_binary(start) and not wide and not (wanted or "").lower().startswith("utf-16"):
        raise ImportFileError("This is a binary file, not a text file.", "Save the table as CSV (UTF-8).")
    file.seek(0)
    candidates = [wanted] if wanted else ["utf-16"] if wide else ["utf-8-sig", "cp1252"]
    try:
        decoders = {name: codecs.getincrementaldecoder(name)() for name in candidates}
    except LookupError as error:
        raise ImportFileError(f"There is no encoding “{wanted}”.", "Say utf-8 or cp1252.") from error
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        _feed(decoders, chunk, final=False)
    _feed(decoders, b"", final=True)
    return digest.hexdigest(), size, next(iter(decoders))


def _is_binary(start: bytes) -> bool:
    """A NUL in the header or many of them; a single one further down costs its line alone."""
    return b"\0" in start.split(b"\n", 1)[0] or start.count(0) * 50 > len(start)


def _feed(decoders: dict[str, codecs.IncrementalDecoder], chunk: bytes, *, final: bool) -> None:
    """Try the bytes on every decoder still possible; ImportFileError when none is left."""
    for name, decoder in list(decoders.items()):
        try:
            decoder.decode(chunk, final)
        except UnicodeError:
            del decoders[name]
    if not decoders:
        raise ImportFileError("The file's encoding is not known.", "Save it as CSV UTF-8, or say --encoding.")


def _open(path: Path, encoding: str) -> tuple[io.FileIO, io.TextIOWrapper]:
    raw = io.FileIO(str(path))
    buffered = io.BufferedReader(raw, _CHUNK // 4)
    return raw, io.TextIOWrapper(buffered, encoding=encoding, newline="")


def _separator(path: Path, encoding: str, wanted: str | None) -> tuple[str, int]:
    """The sign between cells, and how many lines to pass over before the header."""
    raw, text = _open(path, encoding)
    with raw, text:
        for skipped, line in enumerate(iter(lambda: text.readline(_LONGEST_LINE), "")):
            hint = _EXCEL_HINT.match(line)
            if hint:
                return wanted or hint[1], skipped + 1
            if line.strip():
                bare = re.sub(r'"[^"]*"?', "", line)
                return wanted or max(SEPARATORS, key=bare.count), skipped
    raise ImportFileError("The file is empty.")


def _header(path: Path, encoding: str, separator: str, skipped: int) -> tuple[tuple[str, ...], int]:
    raw, text = _open(path, encoding)
    with raw, text:
        for _ in range(skipped):
            text.readline(_LONGEST_LINE)
        record = next(_parse(_pieces(text), separator, skipped), None)
    if record is None or record.problem:
        raise ImportFileError("The first line of the file cannot be read.", "It should name the columns.")
    header = tuple(" ".join(cell.split()) for cell in record.cells)
    if len(header) > MAXIMUM_COLUMNS:
        raise ImportFileError(f"The file has more than {MAXIMUM_COLUMNS} columns.")
    return header, record.line


def _pieces(text: IO[str]) -> Iterator[str]:
    """The lines of the file, those that are far too long in pieces."""
    return iter(partial(text.readline, _LONGEST_LINE), "")


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    """The lines of the file; one too long to be a record is replaced by one that is refused."""
    for line in pieces:
        if len(line) < _LONGEST_LINE or line.endswith(("\n", "\r")):
            yield line
            continue
        for rest in pieces:
            if rest.endswith(("\n", "\r")):
                break
        yield _OVERLONG


def _parse(pieces: Iterator[str], separator: str, before: int) -> Iterator[Record]:
    """The records of lines that come after `before` others."""
    reader = csv.reader(_lines(pieces), delimiter=separator, skipinitialspace=True)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            last = before + reader.line_num
            yield Record(line, last, [], _unreadable(line, last))
            continue
        if cells:
            yield Record(line, before + reader.line_num, cells)


def _unreadable(line: int, last: int) -> str:
    if last > line:
        return f"A quote is opened and not closed: lines {line} to {last} cannot be told apart."
    return "A cell of this line is far too long."


class RecordReader:
    """The records after the header, in order, and how far into the file they reach."""

    def __init__(self, source: SourceFile) -> None:
        """`source` as `inspect_file` found it."""
        self._raw, self._text = _open(source.path, source.encoding)
        self._pieces = _pieces(self._text)
        self._separator = source.separator
        self._line = source.first_line - 1
        for _ in range(self._line):
            self._text.readline(_LONGEST_LINE)
        for header in _parse(self._pieces, self._separator, self._line):
            self._line = header.last_line
            break

    def __iter__(self) -> Iterator[Record]:
        """One record after the other, blank ones left out."""
        while block := self.take(1000):
            for place, cells in enumerate(block.cells):
                if cells or place in block.problems:
                    yield block.record(place)

    def take(self, count: int) -> Block | None:
        """The next `count` lines or so, to the end of a record; None at the end of the file."""
        lines = list(islice(self._pieces, count))
        if not lines:
            return None
        cells = self._plain_cells(lines)
        if cells is None:
            return self._carefully(lines)
        numbers = range(self._line + 1, self._line + 1 + len(lines))
        self._line += len(lines)
        return Block(numbers, numbers, cells, plain=True)

    def _plain_cells(self, lines: list[str]) -> list[list[str]] | None:
        """The cells when each line is one record; None when that is not so, or not sure."""
        if len(max(lines, key=len)) >= _LONGEST_LINE or any("\0" in line for line in lines):
            return None
        reader = csv.reader(lines, delimiter=self._separator, skipinitialspace=True)
        try:
            cells = list(reader)
        except csv.Error:
            return None
        # A record still open at the end has the break in a cell.
        if len(cells) != len(lines) or any("\n" in cell or "\r" in cell for cell in cells[-1]):
            return None
        return cells

    def _carefully(self, lines: list[str]) -> Block:
        """Record by record, and past the lines when the last one goes on."""
        records: list[Record] = []
        end = self._line + len(lines)
        for record in _parse(chain(lines, self._pieces), self._separator, self._line):
            records.append(record)
            self._line = record.last_line
            if record.last_line >= end:
                break
        return Block(
            [record.line for record in records],
            [record.last_line for record in records],
            [record.cells for record in records],
            {place: record.problem for place, record in enumerate(records) if record.problem},
        )

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the file so far, a little ahead of the records."""
        return self._raw.tell()

    def close(self) -> None:
        """Let go of the file."""
        self._text.close()
