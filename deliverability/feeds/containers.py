"""What reports come packed in: gzip and zip, unpacked in pieces, never more than was allowed.

What a header says of its size is not believed: octets are counted as they come out, and one archive has
one allowance, whatever is in it. A compressed file may be cut short or broken at its end: what came out
before is kept, and the problem told. Only what every reporter uses is unpacked (deflate); other methods of
zip may ask for gigabytes before the first octet.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from deliverability.feeds.values import UnreadableReportError

MAX_FILE = 20_000_000
"""Octets of a file as it comes."""
MAX_UNPACKED = 50_000_000
"""Octets that may come out of it; the longest reports of the largest receivers have a tenth of that."""
MAX_IN_MAIL = 20_000_000
"""The same of a mail that comes by itself: anybody can send one, and the reading takes a second for 5 MB."""
MAX_RATIO = 400
"""So much may come out of one octet; reports have up to a hundred."""
FREE = 2_000_000
"""Octets for which nobody asks about the ratio."""
MAX_MEMBERS = 50
MAX_ENTRIES = 1000
MAX_DEPTH = 3
PIECE = 65_536
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
_ENTRY = b"PK\x01\x02"
_LOCAL = struct.Struct("<4sHHHHHIIIHH")


@dataclass(slots=True)
class Allowance:
    """How much may still come out; UnreadableReportError beyond it."""

    left: int

    @classmethod
    def of(cls, raw: bytes, most: int = MAX_UNPACKED) -> "Allowance":
        """That of a file with so many octets, or of a mail with all it carries."""
        return cls(min(most, max(FREE, MAX_RATIO * len(raw))))

    def take(self, octets: int) -> None:
        """Use so many."""
        self.left -= octets
        if self.left < 0:
            raise UnreadableReportError(
                "It unpacks to more than a report can have.", "If it is one all the same, unpack it first."
            )


@dataclass(frozen=True, slots=True)
class Content:
    """What was in a file: octets that are packed no more, and what was wrong with the packing."""

    octets: bytes
    problem: str = ""


def unpack(raw: bytes, allowance: Allowance | None = None) -> list[Content]:
    """What is in `raw`: itself where it is not packed; UnreadableReportError when nothing can be had.

    `allowance`: shared with others; without it, the file has one of its own.
    """
    if len(raw) > MAX_FILE:
        raise UnreadableReportError(f"It is larger than {MAX_FILE // 1_000_000} megabytes.")
    return list(_unpack(raw, allowance or Allowance.of(raw), MAX_DEPTH))


def is_packed(raw: bytes) -> bool:
    """Whether it begins as gzip or zip does."""
    return raw.startswith((GZIP, ZIP))


def _unpack(raw: bytes, allowance: Allowance, depth: int) -> Iterator[Content]:
    if not is_packed(raw):
        yield Content(raw)
        return
    if not depth:
        raise UnreadableReportError("It is packed too many times over.")
    contents = [_gunzip(raw, allowance)] if raw.startswith(GZIP) else _unzip(raw, allowance)
    for content in contents:
        if content.problem and not is_packed(content.octets):
            yield content
        else:
            yield from _unpack(content.octets, allowance, depth - 1)


def _gunzip(raw: bytes, allowance: Allowance) -> Content:
    """All members of a gzip file, one after the other (RFC 1952 section 2.2)."""
    found = bytearray()
    waiting = raw
    problem = ""
    while waiting.startswith(GZIP) and not problem:
        waiting, problem = _inflate(waiting, 16 + zlib.MAX_WBITS, found, allowance)
    if not found:
        raise UnreadableReportError(problem or "The gzip file is empty.")
    return Content(bytes(found), problem)


def _inflate(raw: bytes, window: int, found: bytearray, allowance: Allowance) -> tuple[bytes, str]:
    """Put what comes out into `found`; what stands behind the stream, and what was wrong with it."""
    machine = zlib.decompressobj(window)
    waiting = raw
    try:
        while not machine.eof:
            piece = machine.decompress(waiting, PIECE)
            allowance.take(len(piece))
            found += piece
            waiting = machine.unconsumed_tail
            if not piece and not waiting and not machine.eof:
                return b"", "The compressed file is cut short."
    except zlib.error as error:
        return b"", f"The compressed file is broken: {error}."
    return machine.unused_data, ""


def _unzip(raw: bytes, allowance: Allowance) -> list[Content]:
    # Before the list of contents is read: a list of a million names is a bomb, too.
    if raw.count(_ENTRY) > MAX_ENTRIES:
        raise UnreadableReportError("The zip file holds too many files.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [one for one in archive.infolist() if _is_wanted(one)]
            found = [_member(archive, one, allowance) for one in members[:MAX_MEMBERS]]
    except UnreadableReportError:
        raise
    except Exception:  # noqa: BLE001 - zipfile raises a dozen kinds on what is broken
        return [_cut_zip(raw, allowance)]
    readable = [one for one in found if one.octets]
    if not readable:
        raise UnreadableReportError(found[0].problem if found else "The zip file is empty.")
    return readable


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not entry.filename.startswith("__MACOSX/")


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, allowance: Allowance) -> Content:
    if entry.flag_bits & 1:
        return Content(b"", "The zip file asks for a password.")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return Content(b"", "The zip file is packed in a way no reporter uses.")
    found = bytearray()
    try:
        with archive.open(entry) as stream:
            while piece := stream.read(PIECE):
                allowance.take(len(piece))
                found += piece
    except UnreadableReportError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return Content(bytes(found), f"The zip file is broken: {error}.")
    return Content(bytes(found))


def _cut_zip(raw: bytes, allowance: Allowance) -> Content:
    """The first file of an archive whose list of contents, at its end, is missing."""
    found = bytearray()
    problem = ""
    if len(raw) >= _LOCAL.size:
        fields = _LOCAL.unpack_from(raw)
        start = _LOCAL.size + fields[-2] + fields[-1]
        if fields[3] == zipfile.ZIP_DEFLATED and not fields[2] & 1:
            _, problem = _inflate(raw[start:], -zlib.MAX_WBITS, found, allowance)
    if not found:
        raise UnreadableReportError("The zip file is broken.")
    return Content(bytes(found), problem or "The zip file is cut short.")
