"""Mail relays as people write them: `smtp+starttls://user:password@relay.example:587`.

One text instead of five settings, because the parts only make sense together and routes need several.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import unquote, urlsplit


class RelayTls(StrEnum):
    """How the line to a relay is protected, by the scheme of its address."""

    NONE = "smtp"
    STARTTLS = "smtp+starttls"
    IMPLICIT = "smtps"


DEFAULT_PORTS = MappingProxyType({RelayTls.NONE: 25, RelayTls.STARTTLS: 587, RelayTls.IMPLICIT: 465})
HOW_TO_WRITE = "write smtp://, smtp+starttls:// or smtps://, then user:password@host:port"


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """One relay, read from its address; user name and password are percent-decoded."""

    tls: RelayTls
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_url(text: str) -> RelayAddress:
    """The relay behind an address; ValueError with the remedy when it is none."""
    parts = urlsplit(text.strip())
    if parts.scheme not in set(RelayTls):
        raise ValueError(f"is not the address of a mail relay; {HOW_TO_WRITE}")
    tls = RelayTls(parts.scheme)
    if "@" in parts.path + parts.query + parts.fragment:
        # A slash, # or ? in a password ends the host part too early: say so rather than connect elsewhere.
        raise ValueError("holds /, ? or # before the host; percent-encode them in the password (/ is %2F)")
    if not parts.hostname:
        raise ValueError(f"names no host; {HOW_TO_WRITE}")
    try:
        port = parts.port or DEFAULT_PORTS[tls]
    except ValueError:
        raise ValueError("has a port that is not a number from 1 to 65535") from None
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("goes on after the port; write user:password@host:port and no more")
    if (parts.username is None) != (parts.password is None):
        raise ValueError(
            "has a user name without a password or the other way round; write user:password@host"
        )
    return RelayAddress(
        tls=tls,
        host=parts.hostname,
        port=port,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def mask_url(text: str) -> str:
    """The same address with its password replaced by dots, fit to be shown."""
    head, at, tail = text.rpartition("@")
    scheme, separator, user = head.partition("://")
    if not at or ":" not in (user if separator else head):
        return text
    if not separator:
        return f"{head.partition(':')[0]}:•••@{tail}"
    return f"{scheme}://{user.partition(':')[0]}:•••@{tail}"
