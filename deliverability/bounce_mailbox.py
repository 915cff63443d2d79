"""A mailbox in which bounces and complaints gather, read over IMAP (RFC 3501) every minute or so.

For those whose mail server belongs to somebody else: the return path's domain is delivered into one
mailbox, and here its news is recorded as the listener records it. Mails are looked at by UID, each once as
long as UIDVALIDITY stays, and never opened (BODY.PEEK). A mail is marked only after its news is committed;
if Tocsin ends between the two, the mail is read again and is known already. Nothing is ever deleted, and
what is no business of ours is not even marked. A mail that cannot be read is set aside, and the next one is.

imapclient blocks, so every step is taken in a thread.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from deliverability.arrival import KEPT_BYTES, SetAside, take_mail
from deliverability.feedback import Applied
from deliverability.placement import explain
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


@dataclass(frozen=True, slots=True)
class BounceRun:
    """What one look brought: mails that told news, mails left alone, and what stood in the way.

    `set_aside`: mails that could not be read.
    """

    recorded: int = 0
    left_alone: int = 0
    set_aside: int = 0
    problem: str = ""


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


async def poll_bounces(
    database: Database,
    tokens: Tokens,
    clock: Clock,
    mailbox: BounceMailbox,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
) -> BounceRun:
    """Look once into the mailbox and record what is new there; what stands in the way is told once.

    `timeout_seconds` is for each answer of the server. StoreError when the database is away: nothing is
    marked then, and the next look begins where this one did.
    """
    try:
        line = await asyncio.to_thread(_Line, mailbox, timeout_seconds, ssl_context)
        try:
            run = await _read_on(database, tokens, clock, mailbox, line)
        finally:
            await asyncio.to_thread(line.close)
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
    recorded = left_alone = set_aside = 0
    problem = ""
    waiting = await asyncio.to_thread(line.unread, after)
    for start in range(0, len(waiting), AT_ONCE):
        numbers = waiting[start : start + AT_ONCE]
        mails = await asyncio.to_thread(line.fetch, numbers)
        done, news, aside = await _record(database, tokens, clock, mails)
        # A folder that is missing keeps no news from being read; a lost line does, and ends this look.
        problem = await asyncio.to_thread(line.mark, done) or problem
        step = Progress(line.uid_validity, numbers[-1], recorded=news, left_alone=len(mails) - len(done))
        async with database.write() as session:
            await mailboxes.advance(session, mailbox.place, step, clock.now())
        recorded += step.recorded
        left_alone += step.left_alone
        set_aside += aside
    return BounceRun(recorded, left_alone, set_aside, problem)


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


class _Line:
    """A connection to the mailbox, signed in, with its folder open. Blocks; see the threads above."""

    def __init__(
        self, mailbox: BounceMailbox, timeout_seconds: float, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._mailbox = mailbox
        tls = mailbox.tls is MailboxTls.IMPLICIT
        self._client: _Client = IMAPClient(
            mailbox.host, mailbox.port, ssl=tls, ssl_context=ssl_context, timeout=timeout_seconds
        )
        try:
            opened = _open(self._client, mailbox, ssl_context)
        except BaseException:
            self.close()
            raise
        self.uid_validity = int(str(opened.get(b"UIDVALIDITY", 0)))
        flags = opened.get(b"PERMANENTFLAGS", ())
        names = {flag.lower() for flag in flags} if isinstance(flags, tuple) else set()
        self._takes_keyword = bool(names & {b"\\*", KEYWORD.lower().encode()})

    def unread(self, after: int) -> list[int]:
        """The UIDs above `after`, lowest first, of mails that are not marked."""
        criteria = ["UID", f"{after + 1}:*"]
        if self._takes_keyword and self._mailbox.mark == KEYWORD_MARK:
            criteria += ["UNKEYWORD", KEYWORD]
        # `5:*` is 3 where 3 is the last one there is (RFC 3501 section 9).
        return sorted(number for number in self._client.search(criteria) if number > after)

    def fetch(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The beginning of each mail that is still there."""
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
            if self._mailbox.mark.startswith(MOVE_PREFIX):
                self._move(numbers, self._mailbox.mark.removeprefix(MOVE_PREFIX))
            elif self._mailbox.mark == KEYWORD_MARK and self._takes_keyword:
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
        with suppress(OSError, IMAPClientError):
            self._client.logout()


def _open(
    client: _Client, mailbox: BounceMailbox, ssl_context: ssl.SSLContext | None
) -> Mapping[bytes, object]:
    """Sign in and open the folder; what the server says of it."""
    if mailbox.tls is MailboxTls.STARTTLS:
        client.starttls(ssl_context or ssl.create_default_context())
    client.login(mailbox.username, mailbox.password)
    return client.select_folder(mailbox.folder)
