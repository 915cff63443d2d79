"""Seed accounts: mailboxes an organisation opened at each provider to see where its mail lands."""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from sandbox.manners import EVERYBODY, Manners
from sandbox.placement import Folder


@dataclass(frozen=True, slots=True)
class SeedAccount:
    """One account and how to sign in to it over IMAP."""

    address: str
    provider: str
    username: str
    password: str


@dataclass(slots=True)
class StoredMail:
    """One message in a folder; `uid` grows (RFC 3501 section 2.3.1.1).

    `labels` and `category` are Gmail's: a category is one of its tabs, "" the primary one.
    """

    uid: int
    content: bytes
    received_at: datetime
    flags: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    category: str = ""


@dataclass(slots=True)
class MailFolder:
    """One folder. `special_use` is its RFC 6154 attribute with the backslash, "" when it has none."""

    name: str
    special_use: str = ""
    mails: list[StoredMail] = field(default_factory=list)
    next_uid: int = 1

    @property
    def wire_name(self) -> str:
        """The name in modified UTF-7 (RFC 3501 section 5.1.3)."""
        return encode_folder_name(self.name)

    def add(self, content: bytes, received_at: datetime) -> StoredMail:
        """File a message."""
        mail = StoredMail(self.next_uid, content, received_at)
        self.next_uid += 1
        self.mails.append(mail)
        return mail


@dataclass(slots=True)
class Mailbox:
    """One account's folders.

    `labelled`: it speaks Gmail's extensions (X-GM-EXT-1), and all but spam lies in an All Mail folder,
    too. `access_tokens` are those that sign in by XOAUTH2 just now; without `takes_password` nothing else
    does.
    """

    account: SeedAccount
    folders: list[MailFolder]
    labelled: bool = False
    access_tokens: set[str] = field(default_factory=set)
    takes_password: bool = True

    def folder(self, name: str) -> MailFolder | None:
        """By its wire name; INBOX in any case."""
        wanted = "INBOX" if name.upper() == "INBOX" else name
        return next((folder for folder in self.folders if folder.wire_name == wanted), None)

    def file(self, folder: Folder, content: bytes, received_at: datetime) -> None:
        """Put a message where the provider decided; nowhere when it is MISSING."""
        if folder is Folder.MISSING:
            return
        special_use = "\\Junk" if folder is Folder.SPAM else ""
        next(one for one in self.folders if one.special_use == special_use).add(content, received_at)


def open_mailboxes(per_provider: int) -> dict[str, Mailbox]:
    """`per_provider` accounts at every provider that has a domain, by address."""
    accounts = [
        SeedAccount(
            address=f"temoin.{number}@{manners.domains[0]}",
            provider=manners.key,
            username=f"temoin.{number}@{manners.domains[0]}",
            password=f"seed-{manners.key}-{number}",
        )
        for manners in EVERYBODY
        if manners.domains
        for number in range(1, per_provider + 1)
    ]
    by_key = {manners.key: manners for manners in EVERYBODY}
    return {account.address: Mailbox(account, _folders(by_key[account.provider])) for account in accounts}


def with_trace(content: bytes, return_path: str, recipient: str, host: str, received_at: datetime) -> bytes:
    """A message with the header lines that final delivery adds on top (RFC 5321 section 4.4)."""
    when = format_datetime(received_at)
    lines = [
        f"Return-Path: <{return_path}>",
        f"Delivered-To: {recipient}",
        f"Received: from [127.0.0.1] by {host} with ESMTP for <{recipient}>; {when}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + content


def encode_folder_name(name: str) -> str:
    """Modified UTF-7 (RFC 3501 section 5.1.3)."""
    written, beyond_ascii = [], ""
    for character in [*name, ""]:
        if character and not character.isascii():
            beyond_ascii += character
            continue
        if beyond_ascii:
            encoded = base64.b64encode(beyond_ascii.encode("utf-16-be")).decode().rstrip("=")
            written.append(f"&{encoded.replace('/', ',')}-")
            beyond_ascii = ""
        written.append("&-" if character == "&" else character)
    return "".join(written)


def _folders(manners: Manners) -> list[MailFolder]:
    return [
        MailFolder("INBOX"),
        MailFolder("Sent", "\\Sent"),
        MailFolder(manners.junk_folder, "\\Junk"),
        MailFolder("Trash", "\\Trash"),
    ]
