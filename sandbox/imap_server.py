"""The seed mailboxes over IMAP4rev1 (RFC 3501): enough for imaplib and imapclient to look for mail.

Plain text, since it listens on the loopback only; LOGIN and XOAUTH2. Read-only but for flags: seeds are
looked at. Gmail's extensions (X-GM-EXT-1) are there in mailboxes that have them.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from sandbox.imap_fetch import fetch_lines
from sandbox.imap_manners import REFUSED_TOKEN, Breakage, ImapManners, read_xoauth2
from sandbox.imap_search import search
from sandbox.imap_syntax import ImapSyntaxError, ImapTooLongError, Word, quote, read_command, read_set
from sandbox.mailboxes import Mailbox, MailFolder, StoredMail

CAPABILITIES = "IMAP4rev1 LITERAL+ SPECIAL-USE ID NAMESPACE UNSELECT AUTH=XOAUTH2"
LABELLED = f"{CAPABILITIES} X-GM-EXT-1"
UID_VALIDITY = 1
MAX_LINE_BYTES = 64 * 1024


class ImapServer:
    """One listening port of the loopback for every seed account."""

    def __init__(self, mailboxes: Mapping[str, Mailbox], manners: ImapManners | None = None) -> None:
        """`mailboxes` by user name; messages filed later are seen by open sessions too."""
        self.mailboxes = mailboxes
        self.manners = manners or ImapManners()
        self.sign_ins: list[str] = []
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self) -> tuple[str, int]:
        """Listen on a free port; returns host and port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=MAX_LINE_BYTES)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address

    async def stop(self) -> None:
        """Stop listening and end every session."""
        if self._server is None:
            return
        self._server.close()
        sessions = list(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ImapTooLongError):
            pass
        finally:
            writer.close()
            # Cancelled while closing: the world stops, and the transport is closed already.
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


class Session:
    """One connection, from the greeting to LOGOUT."""

    def __init__(
        self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Nobody is signed in yet."""
        self._mailboxes = server.mailboxes
        self._manners = server.manners
        self._sign_ins = server.sign_ins
        self._reader = reader
        self._writer = writer
        self._mailbox: Mailbox | None = None
        self._folder: MailFolder | None = None
        self._commands: dict[str, Callable[[list[Word]], Awaitable[str]]] = {
            "CAPABILITY": self._capability,
            "NOOP": self._noop,
            "ID": self._id,
            "LOGIN": self._login,
            "AUTHENTICATE": self._authenticate,
            "NAMESPACE": self._namespace,
            "LIST": self._list,
            "LSUB": self._list,
            "SELECT": self._select,
            "EXAMINE": self._select,
            "STATUS": self._status,
            "CHECK": self._noop,
            "CLOSE": self._close,
            "UNSELECT": self._close,
            "UID": self._uid,
            "SEARCH": self._search,
            "FETCH": self._fetch,
        }

    async def run(self) -> None:
        """Greet and answer commands until LOGOUT or the end of the connection."""
        if self._manners.breaks is Breakage.AT_ONCE:
            raise ConnectionResetError
        self._say(f"* OK [CAPABILITY {CAPABILITIES}] Seed mailboxes ready")
        while True:
            await self._writer.drain()
            try:
                words = await read_command(self._reader, self._ask_for_literal)
            except ImapSyntaxError as problem:
                self._say(f"* BAD {problem}")
                continue
            if words is None:
                return
            tag, name, arguments = _split(words)
            if name == "LOGOUT":
                self._say("* BYE See you", f"{tag} OK LOGOUT done")
                await self._writer.drain()
                return
            await asyncio.sleep(self._manners.slow_seconds)
            await self._close_line(name, f"{tag} {await self._answer(name, arguments)}")

    async def _close_line(self, name: str, tagged: str) -> None:
        """The tagged line, in the manner of the place."""
        if self._manners.breaks is Breakage.AFTER_SIGN_IN and self._mailbox is not None and name == "LIST":
            raise ConnectionResetError
        if self._manners.drip:
            for letter in tagged:
                self._writer.write(letter.encode())
                await self._writer.drain()
                await asyncio.sleep(0.05)
            tagged = ""
        self._say(tagged)

    async def _ask_for_literal(self) -> None:
        self._say("+ Go on")
        await self._writer.drain()

    async def _answer(self, name: str, arguments: list[Word]) -> str:
        """The tagged line for one command."""
        command = self._commands.get(name)
        if command is None:
            return f"BAD Unknown command {name}"
        if self._mailbox is None and name not in {"CAPABILITY", "NOOP", "ID", "LOGIN", "AUTHENTICATE"}:
            return "NO LOGIN first"
        if self._folder is None and name in {"UID", "SEARCH", "FETCH", "CHECK", "CLOSE", "UNSELECT"}:
            return "NO SELECT a folder first"
        try:
            return await command(arguments)
        except ImapSyntaxError as problem:
            return f"BAD {problem}"

    async def _capability(self, _: list[Word]) -> str:
        self._say(f"* CAPABILITY {self._abilities}")
        return "OK CAPABILITY done"

    async def _noop(self, _: list[Word]) -> str:
        if self._folder is not None:
            self._say(f"* {len(self._folder.mails)} EXISTS")
        return "OK Done"

    async def _id(self, _: list[Word]) -> str:
        self._say('* ID ("name" "Sandbox")')
        return "OK ID done"

    async def _login(self, arguments: list[Word]) -> str:
        username, password = _texts(arguments, 2)
        mailbox = self._mailboxes.get(username.lower())
        if mailbox is None or mailbox.account.password != password or not mailbox.takes_password:
            return "NO [AUTHENTICATIONFAILED] Wrong user name or password"
        return self._sign_in(mailbox, f"LOGIN {username}")

    async def _authenticate(self, arguments: list[Word]) -> str:
        """SASL XOAUTH2, with the initial response or without (RFC 4959)."""
        mechanism, *initial = _texts(arguments, len(arguments))
        if mechanism.upper() != "XOAUTH2":
            return "NO [CANNOT] No such mechanism"
        told = read_xoauth2(initial[0] if initial else await self._ask("+ "))
        user, token = told or ("", "")
        mailbox = self._mailboxes.get(user.lower())
        if mailbox is None or token not in mailbox.access_tokens:
            await self._ask(f"+ {REFUSED_TOKEN}")
            return "NO [AUTHENTICATIONFAILED] Invalid credentials"
        return self._sign_in(mailbox, f"XOAUTH2 {user} {token}")

    async def _ask(self, line: str) -> str:
        """A continuation, and the client's answer to it."""
        self._say(line)
        await self._writer.drain()
        return (await self._reader.readline()).decode("utf-8", "replace").strip()

    def _sign_in(self, mailbox: Mailbox, how: str) -> str:
        if self._manners.full:
            return "NO [UNAVAILABLE] Too many connections, try later"
        self._sign_ins.append(how)
        self._mailbox = mailbox
        return f"OK [CAPABILITY {self._abilities}] Signed in"

    @property
    def _abilities(self) -> str:
        return LABELLED if self._mailbox is not None and self._mailbox.labelled else CAPABILITIES

    async def _namespace(self, _: list[Word]) -> str:
        self._say('* NAMESPACE (("" "/")) NIL NIL')
        return "OK NAMESPACE done"

    async def _list(self, arguments: list[Word]) -> str:
        """Every folder for a wildcard; for the empty pattern the separator alone (RFC 3501 section 6.3.8)."""
        # LIST (SPECIAL-USE) "" "*" of RFC 6154 has its selection in front.
        only_special = bool(arguments) and isinstance(arguments[0], list)
        pattern = _texts(arguments[only_special:], 2)[1]
        if pattern == "":
            self._say('* LIST (\\Noselect) "/" ""')
            return "OK LIST done"
        for folder in self._mailbox.folders if self._mailbox else []:
            wanted = bool(set(pattern) & {"*", "%"}) or folder.wire_name.upper() == pattern.upper()
            if not wanted or (only_special and not folder.special_use):
                continue
            use = "" if self._manners.unlisted else folder.special_use
            attributes = " ".join(["\\HasNoChildren", *filter(None, [use])])
            self._say(f'* LIST ({attributes}) "/" {quote(folder.wire_name)}')
        return "OK LIST done"

    async def _select(self, arguments: list[Word]) -> str:
        self._folder = None
        folder = self._find(_texts(arguments[:1], 1)[0])
        if folder is None:
            return "NO [NONEXISTENT] No such folder"
        self._folder = folder
        self._say(
            f"* {len(folder.mails)} EXISTS",
            "* 0 RECENT",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS ()] No flag stays",
            f"* OK [UIDVALIDITY {UID_VALIDITY}] Valid",
            f"* OK [UIDNEXT {folder.next_uid}] Next",
        )
        return "OK [READ-ONLY] Selected"

    async def _status(self, arguments: list[Word]) -> str:
        folder = self._find(_texts(arguments[:1], 1)[0])
        if folder is None:
            return "NO [NONEXISTENT] No such folder"
        known = {
            "MESSAGES": len(folder.mails),
            "RECENT": 0,
            "UIDNEXT": folder.next_uid,
            "UIDVALIDITY": UID_VALIDITY,
            "UNSEEN": len(folder.mails),
        }
        wanted = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], list) else list(known)
        names = [item.upper() for item in wanted if isinstance(item, str)]
        items = [f"{name} {known[name]}" for name in names if name in known]
        self._say(f"* STATUS {quote(folder.wire_name)} ({' '.join(items)})")
        return "OK STATUS done"

    async def _close(self, _: list[Word]) -> str:
        self._folder = None
        return "OK Closed"

    async def _uid(self, arguments: list[Word]) -> str:
        name = _texts(arguments[:1], 1)[0].upper()
        match name:
            case "SEARCH":
                return await self._search(arguments[1:], by_uid=True)
            case "FETCH":
                return await self._fetch(arguments[1:], by_uid=True)
            case _:
                return f"BAD Unknown command UID {name}"

    async def _search(self, arguments: list[Word], *, by_uid: bool = False) -> str:
        raw = any(isinstance(word, str) and word.upper() == "X-GM-RAW" for word in arguments)
        if raw and (self._manners.no_raw or self._mailbox is None or not self._mailbox.labelled):
            return "BAD Unknown search key X-GM-RAW"
        found = search(arguments, self._mails())
        numbers = [str(mail.uid if by_uid else number) for number, mail in found]
        self._say(" ".join(["* SEARCH", *numbers]))
        return "OK SEARCH done"

    async def _fetch(self, arguments: list[Word], *, by_uid: bool = False) -> str:
        mails = self._mails()
        if len(arguments) != 2:
            raise ImapSyntaxError("FETCH wants a set and what to fetch")
        highest = (mails[-1].uid if by_uid else len(mails)) if mails else 0
        ranges = read_set(_texts(arguments[:1], 1)[0], highest)
        for number, mail in enumerate(list(mails), 1):
            position = mail.uid if by_uid else number
            if any(low <= position <= high for low, high in ranges):
                lines = fetch_lines(number, mail, arguments[1], by_uid=by_uid)
                if self._manners.breaks is Breakage.AMID_FETCH:
                    self._writer.write(lines[: len(lines) // 2])
                    await self._writer.drain()
                    raise ConnectionResetError
                self._writer.write(lines)
                await self._writer.drain()
        return "OK FETCH done"

    def _mails(self) -> list[StoredMail]:
        return self._folder.mails if self._folder else []

    def _find(self, name: str) -> MailFolder | None:
        return self._mailbox.folder(name) if self._mailbox else None

    def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())


def _split(words: list[Word]) -> tuple[str, str, list[Word]]:
    """Tag, command and arguments; "*" and "" for what is not even that."""
    tag = words[0] if words and isinstance(words[0], str) else "*"
    name = words[1].upper() if len(words) > 1 and isinstance(words[1], str) else ""
    return tag, name, words[2:]


def _texts(words: list[Word], count: int) -> list[str]:
    """Exactly `count` words that are no lists."""
    texts = [word for word in words if isinstance(word, str)]
    if len(words) != count or len(texts) != count:
        raise ImapSyntaxError(f"{count} arguments were expected")
    return texts
