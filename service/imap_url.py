"""The bounce mailbox as people write it: `imaps://user:password@mail.example/Bounces`."""

from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from models.bounce_box import KEYWORD_MARK, MOVE_PREFIX, BounceMailbox, MailboxTls
from service.hosts import is_local

DEFAULT_PORTS = MappingProxyType({MailboxTls.NONE: 143, MailboxTls.STARTTLS: 143, MailboxTls.IMPLICIT: 993})
HOW_TO_WRITE = "write imaps://user:password@host/folder, or imap+starttls:// in place of imaps://"
NO_MARK = "nothing"


def parse_imap_url(text: str, mark: str = KEYWORD_MARK) -> BounceMailbox:
    """The mailbox behind an address; ValueError with the remedy when it is none. Without a folder, INBOX."""
    parts = urlsplit(text.strip())
    if parts.scheme not in set(MailboxTls):
        raise ValueError(f"is not the address of a mailbox; {HOW_TO_WRITE}")
    if "@" in parts.path + parts.query + parts.fragment:
        raise ValueError("holds /, ? or # before the host; percent-encode them in the password (/ is %2F)")
    tls = MailboxTls(parts.scheme)
    if not parts.hostname or not parts.username or not parts.password:
        raise ValueError(f"lacks a host, a user name or a password; {HOW_TO_WRITE}")
    if tls is MailboxTls.NONE and not is_local(parts.hostname):
        raise ValueError("would send the password unprotected; write imaps:// or imap+starttls://")
    try:
        port = parts.port or DEFAULT_PORTS[tls]
    except ValueError:
        raise ValueError("has a port that is not a number from 1 to 65535") from None
    return BounceMailbox(
        host=parts.hostname,
        port=port,
        username=unquote(parts.username),
        password=unquote(parts.password),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        tls=tls,
        mark=mark,
    )


def check_mark(value: str) -> str:
    """What is done with a mail that was recorded."""
    if value in {KEYWORD_MARK, NO_MARK} or value.removeprefix(MOVE_PREFIX) not in {"", value}:
        return value
    raise ValueError("is no way to mark a mail; write keyword, nothing, or move: and the name of a folder")
