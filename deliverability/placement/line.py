"""One seed mailbox over IMAP (RFC 3501): which of our mails lie in it, and where.

Mails are found by their own header fields among the newest of each folder, not by SEARCH HEADER, which
several providers answer by halves. Nothing is opened or moved (EXAMINE, BODY.PEEK): that would be
engagement. imapclient blocks, so all of this runs in a thread; `Line.cut` ends it from outside.
"""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from imapclient.exceptions import IMAPClientError, LoginError

from deliverability.placement.bounded import BoundedClient, cut, leave
from deliverability.placement.folders import CATEGORIES, Folder, Place, folders_to_look_in, tab_of_labels
from deliverability.signals.origin import DELIVERY_HEADER
from models.seed import SeedAuth, SeedMailbox
from models.tokens import TOKEN_LENGTH

MOST_MAILS = 500
AT_ONCE = 100
LARGEST_HEADER = 64 * 1024
MARGIN = timedelta(days=2)
"""SINCE asks by the day, in whatever zone the server lives."""
GMAIL = "X-GM-EXT-1"
NAMES = f"BODY.PEEK[HEADER.FIELDS ({DELIVERY_HEADER.upper()} MESSAGE-ID)]"
_TOKEN = re.compile(rf"(?<![a-z2-7])[a-z2-7]{{{TOKEN_LENGTH}}}(?![a-z2-7])".encode(), re.IGNORECASE)
Fetched = Mapping[int, Mapping[bytes, object]]


class _Client(Protocol):
    """The few commands used of imapclient, which carries no types."""

    def login(self, username: str, password: str) -> object: ...
    def oauth2_login(self, user: str, access_token: str) -> object: ...
    def has_capability(self, capability: str) -> bool: ...
    def list_folders(self) -> Sequence[tuple[Sequence[bytes], bytes, str]]: ...
    def select_folder(self, folder: str, readonly: bool = ...) -> object: ...  # noqa: FBT001 - theirs
    def search(self, criteria: Sequence[object]) -> Sequence[int]: ...
    def fetch(self, messages: Sequence[int], data: Sequence[str]) -> Fetched: ...
    def logout(self) -> object: ...
    def shutdown(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A mail of ours that lies in a folder; `headers` are the first octets of its header, as they stand."""

    delivery_id: int
    folder: Folder
    headers: bytes
    tab: str = ""


class Line:
    """A line to one mailbox; every step may raise OSError or IMAPClientError."""

    def __init__(self, seed: SeedMailbox, timeout_seconds: float, ssl_context: ssl.SSLContext | None) -> None:
        """Nothing is open yet. `timeout_seconds` is for each answer."""
        self._seed = seed
        self._timeout = timeout_seconds
        self._trusted = ssl_context
        self._socket: socket.socket | None = None
        self._is_cut = False

    def look(self, secret: str, names: Mapping[str, int], since: datetime) -> list[Sighting]:
        """Sign in with a password or an access token, find what is `names`d (by token), sign out. Blocks.

        Mails that came before `since` are not looked at.
        """
        client = self._open(secret)
        try:
            found: list[Sighting] = []
            for folder in self._folders(client):
                client.select_folder(folder.name, readonly=True)
                found.extend(_sightings(client, folder, names, since))
            return found
        finally:
            leave(client)

    def name_folders(self, secret: str) -> list[Folder]:
        """Sign in and say which folders would be looked into. Blocks."""
        client = self._open(secret)
        try:
            return self._folders(client)
        finally:
            leave(client)

    def cut(self) -> None:
        """End it from another thread, without waiting: whoever waits for an answer there gets an error."""
        self._is_cut = True
        if self._socket is not None:
            cut(self._socket)

    def _open(self, secret: str) -> _Client:
        seed = self._seed
        client: _Client = BoundedClient(
            seed.imap_host,
            seed.imap_port,
            tls=seed.tls,
            trusted=self._trusted if seed.tls else None,
            timeout_seconds=self._timeout,
            on_open=self._connected,
        )
        try:
            if seed.auth is SeedAuth.XOAUTH2:
                client.oauth2_login(seed.username, secret)
            else:
                client.login(seed.username, secret)
        except BaseException:
            leave(client)
            raise
        return client

    def _connected(self, opened: socket.socket) -> None:
        self._socket = opened
        if self._is_cut:
            opened.close()
            raise TimeoutError  # cut while the line was being opened

    def _folders(self, client: _Client) -> list[Folder]:
        listed = [(flags, str(name)) for flags, _, name in client.list_folders()]
        return folders_to_look_in(listed, gmail=client.has_capability(GMAIL))


def is_of_imap(error: Exception) -> bool:
    """Whether it came of the server's answers."""
    return isinstance(error, IMAPClientError)


def is_refused_sign_in(error: Exception) -> bool:
    """Whether the server did not accept who we say we are."""
    return isinstance(error, LoginError)


def _sightings(
    client: _Client, folder: Folder, names: Mapping[str, int], since: datetime
) -> Iterator[Sighting]:
    mails = _ours(client, names, since)
    tabs = _tabs(client, list(mails)) if mails and folder.has_tabs else {}
    for start in range(0, len(mails), AT_ONCE):
        numbers = list(mails)[start : start + AT_ONCE]
        headers = client.fetch(numbers, [f"BODY.PEEK[HEADER]<0.{LARGEST_HEADER}>"])
        for number in numbers:
            tab = tabs.get(number, "") if folder.place is not Place.TAB else folder.name
            its = replace(folder, place=Place.TAB) if tab else folder
            yield Sighting(mails[number], its, _body(headers.get(number, {})), tab)


def _ours(client: _Client, names: Mapping[str, int], since: datetime) -> dict[int, int]:
    """UID and delivery of each mail of ours in the open folder, among its newest."""
    numbers = sorted(client.search(["SINCE", (since - MARGIN).date()]))[-MOST_MAILS:]
    found: dict[int, int] = {}
    for start in range(0, len(numbers), AT_ONCE):
        for number, items in client.fetch(numbers[start : start + AT_ONCE], [NAMES]).items():
            tokens = (token.decode().lower() for token in _TOKEN.findall(_body(items)))
            delivery_id = next((names[token] for token in tokens if token in names), None)
            if delivery_id is not None:
                found[number] = delivery_id
    return found


def _tabs(client: _Client, numbers: Sequence[int]) -> dict[int, str]:
    """The tab of each mail that is in one, by category; by its labels where that cannot be asked."""
    listed = ",".join(map(str, numbers))
    found: dict[int, str] = {}
    try:
        for category in CATEGORIES:
            of_it = client.search(["UID", listed, "X-GM-RAW", f"category:{category}"])
            found |= dict.fromkeys(of_it, category)
    except IMAPClientError as error:
        if isinstance(error, LoginError):
            raise
        labels = client.fetch(numbers, ["X-GM-LABELS"])
        for number, items in labels.items():
            told = items.get(b"X-GM-LABELS")
            tab = tab_of_labels(told) if isinstance(told, list | tuple) else ""
            if tab:
                found[number] = tab
    return found


def _body(items: Mapping[bytes, object]) -> bytes:
    """The one section that was asked for, however the server writes its name."""
    for name, value in items.items():
        if name.upper().startswith(b"BODY[") and isinstance(value, bytes):
            return value
    return b""
