"""A mailbox in which bounces and complaints gather, read over IMAP (RFC 3501) every minute or so.

For those whose mail server belongs to somebody else: the return path's domain is delivered into one
mailbox, and here its news is recorded as the listener records it. Mails are looked at by UID, each once as
long as UIDVALIDITY stays, and never opened (BODY.PEEK). A mail is marked only after its news is committed;
if Tocsin ends between the two, the mail is read again and is known already. Nothing is ever deleted, and
what is no business of ours is not even marked. A mail that cannot be read is set aside, and the next one is.

imapclient blocks, so every step is taken in a thread. Each has its time and its size: a server that drips or
pours ends the look, and what was recorded before stays recorded.
"""

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from deliverability.arrival import KEPT_BYTES, SetAside, take_mail
from deliverability.feedback import Applied
from deliverability.placement import explain
from deliverability.placement.bounded import BoundedClient, cut, in_thread, leave
from models.bounce_box import KEYWORD_MARK, MOVE_PREFIX, BounceMailbox, MailboxTls
from models.clock import Clock
from models.errors import StoreError
from models.tokens import Tokens
from models.values import Cover
from store import Database, mailboxes
from store.mailboxes import Progress

log = logging.getLogger(__name__)

KEYWORD = "TocsinRecorded"
AT_ONCE = 20
TIMEOUT_SECONDS = 20.0
STEP_SECONDS = 120.0
"""For twenty mails, or the sign-in, however slowly the server answers."""
SPAN, MOST_SPANS = 50_000, 40
"""How many UIDs are asked about at once, since a line of the answer has a length, and how often in a look."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BounceRun:
    """What one look brought: mails that told news, mails left alone, and what stood in the way.

    `set_aside`: mails that could not be read.
    """

    recorded: int = 0
    left_alone: int = 0
    set_aside: int = 0
    problem: str = ""

    def __add__(self, other: "BounceRun") -> "BounceRun":
        """Both; of the problems the later one."""
        return BounceRun(
            self.recorded + other.recorded,
            self.left_alone + other.left_alone,
            self.set_aside + other.set_aside,
            other.problem or self.problem,
        )


class _Client(Protocol):
    """The few commands used of imapclient, which carries no types."""

    def starttls(self, ssl_context: ssl.SSLContext | None) -> object: ...
    def login(self, username: str, password: str) -> object: ...
    def select_folder(self, folder: str) -> Mapping[bytes, object]: ...
    def search(self, criteria: Sequence[str]) -> Sequence[int]: ...
    def fetch(self, messages: Sequence[int], data: Sequence[str]) -> Mapping[int, Mapping[bytes, bytes]]: ...
    def add_flags(self, messages: Sequence[int], flags: Sequence[str], silent: bool) -> object: ...  # noqa: FBT001 - theirs
    def has_capability(self, capability: str) -> bool: ...
    def folder_exists(self, folder: str) -> bool: ...
    def create_folder(self, folder: str) -> object: ...
    def move(self, messages: Sequence[int], folder: str) -> object: ...
    def logout(self) -> object: ...
    def shutdown(self) -> None: ...
    def begin_step(self) -> None: ...


async def poll_bounces(
    database: Database,
    tokens: Tokens,
    clock: Clock,
    mailbox: BounceMailbox,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    step_seconds: float = STEP_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
) -> BounceRun:
    """Look once into the mailbox and record what is new there; what stands in the way is told once.

    `timeout_seconds` is for each answer of the server, `step_seconds` for all answers of a step. StoreError
    when the database is away: nothing is marked then, and the next look begins where this one did.
    """
    line = _Line(mailbox, timeout_seconds, step_seconds, ssl_context)
    try:
        try:
            await line.step(line.open)
            run = await _read_on(database, tokens, clock, mailbox, line)
        finally:
            # A server that says no good-bye has said everything that counts.
            with suppress(OSError):
                await line.step(line.close)
    except StoreError:
        raise
    except (OSError, IMAPClientError, ValueError) as error:
        run = BounceRun(problem=explain(error))
    async with database.write() as session:
        is_news = await mailboxes.note_check(session, mailbox.place, at=clock.now(), problem=run.problem)
    if is_news and run.problem:
        log.warning("bounce mailbox not readable", extra={"problem": run.problem})
    elif is_news:
        log.info("bounce mailbox readable again")
    return run


async def _read_on(
    database: Database, tokens: Tokens, clock: Clock, mailbox: BounceMailbox, line: "_Line"
) -> BounceRun:
    async with database.read() as session:
        known = await mailboxes.mailbox_at(session, mailbox.place)
    # Other numbers than before: every mail is unknown again (RFC 3501 section 2.3.1.1).
    after = known.last_uid if known.uid_validity == line.uid_validity else 0
    run = BounceRun()
    for first, last in line.spans(after):
        numbers = await line.step(partial(line.unread, first, last))
        for start in range(0, len(numbers), AT_ONCE):
            run += await _take(database, tokens, clock, line, numbers[start : start + AT_ONCE])
        async with database.write() as session:
            await mailboxes.advance(session, mailbox.place, Progress(line.uid_validity, last), clock.now())
    return run


async def _take(
    database: Database, tokens: Tokens, clock: Clock, line: "_Line", numbers: Sequence[int]
) -> BounceRun:
    """Record some mails, mark those that are in the ledger, and remember how far that was."""
    mails = await line.step(partial(line.fetch, numbers))
    done, news, aside = await _record(database, tokens, clock, mails)
    # A folder that is missing keeps no news from being read; a lost line does, and ends this look.
    problem = await line.step(partial(line.mark, done))
    step = Progress(line.uid_validity, numbers[-1], recorded=news, left_alone=len(mails) - len(done))
    async with database.write() as session:
        await mailboxes.advance(session, line.mailbox.place, step, clock.now())
    return BounceRun(step.recorded, step.left_alone, aside, problem)


async def _record(
    database: Database, tokens: Tokens, clock: Clock, mails: Mapping[int, bytes]
) -> tuple[list[int], int, int]:
    """The mails that are in the ledger, how many told anything new, and how many were set aside."""
    done: list[int] = []
    news = aside = 0
    for number, raw in mails.items():
        taken = await take_mail(database, tokens, raw, Cover("imap", None), clock.now())
        if taken is None:
            continue
        done.append(number)
        if isinstance(taken, SetAside):
            aside += 1
        else:
            told = any(outcome is not Applied.REPEATED for outcome in taken.outcomes)
            news += told or taken.reports.new + taken.reports.mended > 0
    return done, news, aside


@dataclass(eq=False)
class _Line:
    """A connection to the mailbox, signed in, with its folder open. Blocks: `step` takes it into a thread."""

    mailbox: BounceMailbox
    timeout_seconds: float
    step_seconds: float
    ssl_context: ssl.SSLContext | None
    uid_validity: int = 0
    _next: int = 0
    _takes_keyword: bool = False
    _client: _Client = field(init=False)
    _socket: socket.socket | None = None
    _is_cut: bool = False

    async def step(self, work: Callable[[], T]) -> T:
        """One step, within its time; TimeoutError, and then the line is cut."""
        return await in_thread(work, seconds=self.step_seconds, end=self._cut)

    def open(self) -> None:
        """Connect, sign in, open the folder. OSError, IMAPClientError."""
        box = self.mailbox
        self._client = BoundedClient(
            *(box.host, box.port),
            tls=box.tls is MailboxTls.IMPLICIT,
            trusted=self.ssl_context,
            timeout_seconds=self.timeout_seconds,
            on_open=self._connected,
        )
        opened = _open(self._client, box, self.ssl_context)
        self.uid_validity = _number(opened, b"UIDVALIDITY")
        self._next = _number(opened, b"UIDNEXT") or self._after_the_last()
        flags = opened.get(b"PERMANENTFLAGS", ())
        names = {flag.lower() for flag in flags} if isinstance(flags, tuple) else set()
        self._takes_keyword = bool(names & {b"\\*", KEYWORD.lower().encode()})

    def _after_the_last(self) -> int:
        # Servers must tell (RFC 3501 section 6.3.1): one that does not is asked for its last mail.
        found: Sequence[int] = self._client.search(["UID", "*"])
        return max(found, default=0) + 1

    def spans(self, after: int) -> Iterator[tuple[int, int]]:
        """The UIDs above `after`, first and last of each span, as many as are looked at in one look."""
        for first in range(after + 1, self._next, SPAN)[:MOST_SPANS]:
            yield first, min(first + SPAN, self._next) - 1

    def unread(self, first: int, last: int) -> list[int]:
        """The UIDs from `first` to `last`, lowest first, of mails that are not marked."""
        criteria = ["UID", f"{first}:{last}"]
        if self._takes_keyword and self.mailbox.mark == KEYWORD_MARK:
            criteria += ["UNKEYWORD", KEYWORD]
        return sorted(number for number in self._client.search(criteria) if first <= number <= last)

    def fetch(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The beginning of each mail that is still there."""
        self._client.begin_step()
        fetched = self._client.fetch(numbers, [f"BODY.PEEK[]<0.{KEPT_BYTES}>"])
        return {
            number: bytes(fetched[number][b"BODY[]<0>"])
            for number in numbers
            if b"BODY[]<0>" in fetched.get(number, {})
        }

    def mark(self, numbers: Sequence[int]) -> str:
        """Mark mails as recorded; what the server has against it, "" when nothing."""
        if not numbers:
            return ""
        try:
            if self.mailbox.mark.startswith(MOVE_PREFIX):
                self._move(numbers, self.mailbox.mark.removeprefix(MOVE_PREFIX))
            elif self.mailbox.mark == KEYWORD_MARK and self._takes_keyword:
                self._client.add_flags(numbers, [KEYWORD], silent=True)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            return f"Recorded mails cannot be marked: {error}"
        return ""

    def _move(self, numbers: Sequence[int], folder: str) -> None:
        # Without MOVE (RFC 6851) one would have to expunge, and others' deleted mail with it.
        if not self._client.has_capability("MOVE"):
            raise IMAPClientError("the server cannot move mails; set TOCSIN_BOUNCE_IMAP_MARK=keyword")
        if not self._client.folder_exists(folder):
            self._client.create_folder(folder)
        self._client.move(numbers, folder)

    def close(self) -> None:
        """Sign out, whatever the server says."""
        if hasattr(self, "_client"):
            leave(self._client)

    def _connected(self, opened: socket.socket) -> None:
        self._socket = opened
        if self._is_cut:
            opened.close()
            raise TimeoutError  # cut while the line was being opened

    def _cut(self) -> None:
        self._is_cut = True
        if self._socket is not None:
            cut(self._socket)


def _number(opened: Mapping[bytes, object], name: bytes) -> int:
    """What the server said of the folder; 0 where it said nothing."""
    return int(str(opened.get(name, 0)))


def _open(
    client: _Client, mailbox: BounceMailbox, ssl_context: ssl.SSLContext | None
) -> Mapping[bytes, object]:
    """Sign in and open the folder; what the server says of it."""
    if mailbox.tls is MailboxTls.STARTTLS:
        client.starttls(ssl_context or ssl.create_default_context())
    client.login(mailbox.username, mailbox.password)
    return client.select_folder(mailbox.folder)
