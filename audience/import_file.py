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
from collections.abc import Iterator
from dataclasses import dataclass
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
    record = next(_records(path, encoding, separator, skipped), None)
    if record is None or record.problem:
        raise ImportFileError("The first line of the file cannot be read.", "It should name the columns.")
    header = tuple(" ".join(cell.split()) for cell in record.cells)
    if len(header) > MAXIMUM_COLUMNS:
        raise ImportFileError(f"The file has more than {MAXIMUM_COLUMNS} columns.")
    return header, record.line


def _records(path: Path, encoding: str, separator: str, skipped: int) -> Iterator[Record]:
    raw, text = _open(path, encoding)
    with raw, text:
        yield from _parse(text, separator, skipped)


def _lines(text: IO[str]) -> Iterator[str]:
    """The lines of the file; one too long to be a record is replaced by one that is refused."""
    while line := text.readline(_LONGEST_LINE):
        if len(line) < _LONGEST_LINE or line.endswith(("\n", "\r")):
            yield line
            continue
        while rest := text.readline(_LONGEST_LINE):
            if rest.endswith(("\n", "\r")):
                break
        yield _OVERLONG


def _parse(text: IO[str], separator: str, skipped: int) -> Iterator[Record]:
    for _ in range(skipped):
        text.readline(_LONGEST_LINE)
    reader = csv.reader(_lines(text), delimiter=separator, skipinitialspace=True)
    while True:
        line = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            last = skipped + reader.line_num
            yield Record(line, last, [], _unreadable(line, last))
            continue
        if cells:
            yield Record(line, skipped + reader.line_num, cells)


def _unreadable(line: int, last: int) -> str:
    if last > line:
        return f"A quote is opened and not closed: lines {line} to {last} cannot be told apart."
    return "A cell of this line is far too long."


class RecordReader:
    """The records after the header, in order, and how far into the file they reach."""

    def __init__(self, source: SourceFile) -> None:
        """`source` as `inspect_file` found it."""
        self._raw, self._text = _open(source.path, source.encoding)
        self._records = _parse(self._text, source.separator, source.first_line - 1)
        next(self._records, None)

    def __iter__(self) -> Iterator[Record]:
        return self._records

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the file so far, a little ahead of the records."""
        return self._raw.tell()

    def close(self) -> None:
        """Let go of the file."""
        self._text.close()
