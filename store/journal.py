r"""What is on the wire, in an append-only file beside the database: what a killed worker can still tell.

A mark in the database before each message would say the same at the price of a commit each. A line in a
file costs a quarter of a microsecond and survives the process, however it ends; only a machine that loses
its power may lose the last lines, and for that the file names the boot it was written in.

A worker holds its journal under a lock for as long as it lives. A journal whose lock is free belongs to a
worker that is gone: whoever shares its folder adopts it, puts the ledger right, and deletes it.

One line a piece of news, ASCII, `\n` at the end:

    tocsin-journal 1 <worker> <boot> <installation>
    w <delivery> <claim token>                                    from here on the other side may have it
    a <delivery> <claim token> <microseconds since 1970> <JSON>   what was answered

The last line may be torn: it was being written when its worker ended, so nothing had followed from it yet.
"""

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_never

from models.errors import TocsinError
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain

log = logging.getLogger(__name__)

MAGIC = b"tocsin-journal"
VERSION = b"1"
COMPACT_AT = 4 * 1024 * 1024
"""Octets from which on what is recorded is dropped from the file."""
SUFFIX = ".log"
_WORKER = re.compile(r"[0-9a-f]{12}")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_quoted = json.encoder.encode_basestring_ascii
Key = tuple[int, str]
"""A delivery's number and the token under which it was claimed."""


class JournalError(TocsinError):
    """The journal cannot be written, so nothing may go on the wire."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said, and when."""

    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """What a journal tells: by delivery and token the answer, None for what was still on the wire.

    `whole`: nothing can be missing, so that what is not in it never left.
    """

    worker_id: str
    installation: str
    whole: bool
    entries: Mapping[Key, Answer | None] = field(default_factory=dict)


class Journal:
    """One worker's own journal, open for writing."""

    def __init__(self, folder: Path, worker_id: str, installation: str) -> None:
        """Makes `folder` and the file; JournalError when that cannot be done."""
        self._path = folder / f"{worker_id}{SUFFIX}"
        self._header = b" ".join(
            (MAGIC, VERSION, worker_id.encode(), boot_id().encode(), installation.encode())
        )
        self._lines: dict[int, bytes] = {}
        self._broken = False
        self.problem = ""
        """Why it could not be written last time, in a sentence; empty when it could."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file, self._size = self._begin(self._path, b"")
        except OSError as error:
            raise JournalError(*self._words(error)) from error
        self._compact_at = COMPACT_AT

    def on_wire(self, delivery_id: int, token: str) -> None:
        """Note that from now on the other side may have the message; JournalError, and it must not leave."""
        line = f"w {delivery_id} {token}\n".encode()
        self._write(line)
        self._lines[delivery_id] = line

    def answered(self, delivery_id: int, token: str, outcome: Outcome, at: datetime) -> None:
        """Note what was answered. What cannot be noted would be uncertain after a crash, no more."""
        if type(outcome) is Accepted:
            # Nearly all of them: three times as fast as by way of a list.
            reply = outcome.reply
            code = "null" if reply.code is None else reply.code
            enhanced = "null" if reply.enhanced is None else _quoted(reply.enhanced)
            number = outcome.provider_message_id
            named = "null" if number is None else _quoted(number)
            said = f'["Accepted", {code}, {enhanced}, {_quoted(reply.text)}, {named}]'
        else:
            said = json.dumps(_write_outcome(outcome))
        moment = (at - _EPOCH) // _MICROSECOND
        line = f"a {delivery_id} {token} {moment} {said}\n".encode()
        with suppress(JournalError):
            self._write(line)
            self._lines[delivery_id] = line

    def recorded(self, delivery_ids: Iterable[int]) -> None:
        """Forget what stands in the ledger now."""
        for delivery_id in delivery_ids:
            self._lines.pop(delivery_id, None)
        if self._size > self._compact_at:
            self._compact()

    def probe(self) -> bool:
        """Whether it can be written, tried with a line of blanks."""
        with suppress(JournalError):
            self._write(b" " * 250 + b"\n")
            return True
        return False

    def close(self) -> None:
        """Let go; the file stays for who comes next if anything in it is not recorded."""
        if not self._lines:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        if self._broken:
            raise JournalError(self.problem)
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(None, "it was written in part")  # noqa: TRY301 - the disk is full
        except OSError as error:
            self._mend()
            self.problem = " ".join(self._words(error))
            raise JournalError(self.problem) from error
        self._size += written
        self.problem = ""

    def _mend(self) -> None:
        """Cut off what was written of a line: the next one must begin a line."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._broken = True

    def _compact(self) -> None:
        """Go on in a new file that holds only what is not recorded; it takes the old one's name whole."""
        fresh = self._path.with_suffix(".new")
        try:
            file, size = self._begin(fresh, b"".join(self._lines.values()))
            fresh.rename(self._path)
        except OSError as error:
            log.warning("journal not made smaller", extra={"problem": error.strerror})
            self._compact_at = self._size * 2
            return
        os.close(self._file)
        self._file, self._size, self._compact_at = file, size, COMPACT_AT

    def _begin(self, path: Path, lines: bytes) -> tuple[int, int]:
        file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            text = self._header + b"\n" + lines
            if os.write(file, text) != len(text):
                raise OSError(None, "No space left on device")  # noqa: TRY301 - as the system says it
        except OSError:
            os.close(file)
            raise
        return file, len(text)

    def _words(self, error: OSError) -> tuple[str, str]:
        return (
            f"The journal {self._path} cannot be written: {error.strerror}.",
            "Nothing is sent without it: make room, or let the service write there.",
        )


class AbandonedJournal:
    """A dead worker's journal, locked by this process until it is deleted or let go."""

    def __init__(self, path: Path, file: int, account: Account) -> None:
        """`file`: the open and locked file."""
        self._path = path
        self._file = file
        self.account = account

    def delete(self) -> None:
        """All of it is in the ledger."""
        self._path.with_suffix(".new").unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Leave it for another time."""
        os.close(self._file)


def has_others(folder: Path, worker_id: str) -> bool:
    """Whether a journal other than this worker's lies in `folder`."""
    return any(path.stem != worker_id for path in _journals(folder))


def abandoned_journals(folder: Path, installation: str) -> Iterator[AbandonedJournal]:
    """The journals of workers that are gone, of this installation, each under its lock."""
    for path in sorted(_journals(folder)):
        try:
            found = _adopt(path)
        except OSError as error:
            log.warning("journal not read", extra={"journal": path.name, "problem": error.strerror})
            continue
        if found is None:
            continue
        # A header that was never finished names nobody: the name of the file does.
        if found.account.installation not in {"", installation}:
            found.let_go()
            continue
        yield found


def _journals(folder: Path) -> Iterator[Path]:
    """Files that are called as a worker calls its journal: a copy somebody kept is none."""
    return (path for path in folder.glob(f"*{SUFFIX}") if _WORKER.fullmatch(path.stem))


def _adopt(path: Path) -> AbandonedJournal | None:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its worker may have gone on in a new file, or another have adopted it, before the lock was ours.
        if os.fstat(file).st_ino != path.stat().st_ino:
            raise FileNotFoundError  # noqa: TRY301
        with open(file, "rb", closefd=False) as reader:
            account = read_journal(reader.read(), worker_id=path.stem, boot=boot_id())
    except (BlockingIOError, FileNotFoundError):
        os.close(file)
        return None
    except OSError:
        os.close(file)
        raise
    return AbandonedJournal(path, file, account)


def read_journal(data: bytes, *, worker_id: str, boot: str) -> Account:
    """What a journal tells, however it ends; never an answer that was not written.

    `boot`: the present one. In another, or with lines that cannot be read, news may be missing.
    """
    # What follows the last line's end was being written: nothing had followed from it.
    lines = data.split(b"\n")[:-1]
    header = lines[0].split(b" ") if lines else []
    if len(header) != 5 or header[:2] != [MAGIC, VERSION] or header[2] != worker_id.encode():
        # Begun and never used, or lost with the power: nobody can tell.
        return Account(worker_id, "", whole=False)
    whole = header[3] == boot.encode() != b""
    entries: dict[Key, Answer | None] = {}
    for line in lines[1:]:
        try:
            _read_line(line, entries)
        except (ValueError, LookupError, TypeError, OverflowError):
            whole = False
    return Account(worker_id, header[4].decode(errors="replace"), whole, entries)


def _read_line(line: bytes, entries: dict[Key, Answer | None]) -> None:
    if not line.strip(b" "):
        return
    kind, number, token, *rest = line.decode("ascii").split(" ", 4)
    match kind, rest:
        case "w", []:
            entries.setdefault((int(number), token), None)
        case "a", [moment, said]:
            outcome = _read_outcome(json.loads(said))
            entries[int(number), token] = Answer(outcome, _EPOCH + int(moment) * _MICROSECOND)
        case _:
            raise ValueError(kind)


def _write_outcome(outcome: Outcome) -> list[object]:
    reply = outcome.reply
    said: list[object] = [type(outcome).__name__, reply.code, reply.enhanced, reply.text]
    match outcome:
        case Accepted():
            said.append(outcome.provider_message_id)
        case Deferred():
            wait = outcome.retry_after
            said += [None if wait is None else wait.total_seconds(), outcome.unreached]
        case Refused() | Uncertain():
            pass
        case _:
            assert_never(outcome)
    return said


def _read_outcome(said: list[object]) -> Outcome:
    kind, code, enhanced, text, *rest = said
    reply = Reply(
        code if isinstance(code, int) else None, enhanced if isinstance(enhanced, str) else None, str(text)
    )
    match kind, rest:
        case "Accepted", [number]:
            return Accepted(reply, None if number is None else str(number))
        case "Deferred", [wait, unreached]:
            after = timedelta(seconds=wait) if isinstance(wait, int | float) else None
            return Deferred(reply, after, unreached=bool(unreached))
        case "Refused", []:
            return Refused(reply)
        case "Uncertain", []:
            return Uncertain(reply)
        case _:
            raise ValueError(kind)


def boot_id() -> str:
    """What names this run of the machine; empty where the system has no such thing."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
