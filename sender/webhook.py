"""Hands a piece of news to a web address: signed (Standard Webhooks), patient, and never led astray.

The address is somebody's setting, and what stands behind its name can change: the name is resolved once,
every address it has must be one of the public internet unless the installation allows others, and the
connection is made to the very address that was looked at. Redirects are answers like any other: refused.
"""

import asyncio
import base64
import binascii
import re
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx
from standardwebhooks import Webhook

from models.values import Accepted, Deferred, Outcome, Refused, Reply

TIMEOUT = timedelta(seconds=10)
LONGEST_REST = timedelta(days=1)
"""However long the other side asks to be left alone, it is tried again after this."""
READ = 1000
"""Octets of an answer that are kept as evidence; nobody reads more."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - how such secrets begin, no secret
_TRANSLATED = ip_network("64:ff9b::/96")
_UNICAST = ip_network("2000::/3")
"""All of IPv6 that leads anywhere; what is outside may carry an address of one's own network."""
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Of protocols, of relays that are gone, of examples: the library's list has them as global."""


PORTS = frozenset({80, 443, *range(1024, 65536)}) - {
    *(1433, 1521, 2049, 2375, 2376, 2379, 3306, 3389, 5432, 5900, 5984, 6379, 9042, 9200, 9300, 11211, 27017)
}
"""Where web servers are; not where mail, shells and databases answer."""
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE | re.ASCII)
_NAMES = ThreadPoolExecutor(16, thread_name_prefix="webhook-names")
"""Names are resolved apart from other work: a slow name server must not hold it up."""


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """How news is handed over; `private`: addresses of one's own network, and plain http, are allowed.

    `before`: the secret that was before, which signs as well while it is being changed.
    `loopback`: this machine itself, and plain http to it, are allowed, for rehearsals. `trusted`: whose
    certificates are believed; None: those the system trusts.
    """

    secret: str
    before: str = ""
    private: bool = False
    loopback: bool = False
    timeout: timedelta = TIMEOUT
    trusted: ssl.SSLContext | None = None


class ForbiddenAddressError(Exception):
    """The address leads where news must not go, said in a sentence."""


def signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """The value of `webhook-signature`: v1 and HMAC-SHA256 of id, seconds since 1970, body."""
    return Webhook(key_of(secret)).sign(message_id, at.astimezone(UTC), body.decode())


def key_of(secret: str) -> bytes:
    """The octets of a secret: `whsec_` and base64, or its own characters."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


async def post(url: str, body: bytes, *, message_id: str, now: datetime, options: WebhookOptions) -> Outcome:
    """Hand `body` (JSON) over, once: Accepted by a 2xx, Refused by 410 or out of bounds, else Deferred.

    `message_id` stays the same when the same news is tried again, so that the other side can tell.
    """
    secrets = filter(None, (options.secret, options.before))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Tocsin",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signature(one, message_id, now, body) for one in secrets),
    }
    try:
        async with asyncio.timeout(options.timeout.total_seconds()):
            status, text, rest = await _exchange(url, body, headers, options)
    except ForbiddenAddressError as error:
        return Refused(Reply(None, None, str(error)))
    except TimeoutError:
        return Deferred(Reply(None, None, f"No answer within {options.timeout.total_seconds():g} seconds."))
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        return Deferred(Reply(None, None, f"It could not be reached: {words}"[:300]))
    if 200 <= status < 300:
        return Accepted(Reply(status, None, text))
    if status == httpx.codes.GONE:
        return Refused(Reply(status, None, text or "Gone"))
    return Deferred(Reply(status, None, text), read_rest(rest, now))


def read_rest(text: str, now: datetime) -> timedelta | None:
    """What `Retry-After` asks for, in seconds or as a date (RFC 9110 section 10.2.3); None: unreadable."""
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        wanted = timedelta(seconds=int(text))
    else:
        try:
            wanted = parsedate_to_datetime(text).astimezone(UTC) - now
        except (ValueError, OverflowError):
            return None
    return min(max(wanted, timedelta()), LONGEST_REST)


def check_address(url: str, *, private: bool = False, loopback: bool = False) -> tuple[SplitResult, str, int]:
    """The parts, the host and the port of an address news may go to, as far as its spelling tells.

    ForbiddenAddressError for anything but https to a host by name, or by a plain public address, at a port
    where web servers are. Spellings that only some programs read as an address (2130706433, 0x7f.1, 127.1)
    are refused, whatever they lead to, and so is a name or a password before the host.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise ForbiddenAddressError("It is no web address.") from error
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable():
        raise ForbiddenAddressError("It is no web address.")
    if any(sign in url for sign in " \\"):
        raise ForbiddenAddressError("It is no web address.")
    if parts.username is not None or parts.password is not None:
        raise ForbiddenAddressError("It holds a name or a password before the host.")
    if parts.scheme == "http" and not (private or loopback):
        raise ForbiddenAddressError("It is not https.")
    try:
        address = ip_address(host)
    except ValueError:
        labels = host.split(".")
        # A last label that begins with a figure is an address in some spelling: no such domain exists.
        if not all(map(_NAME.fullmatch, labels)) or labels[-1][0].isdigit() or len(host) > 253:
            raise ForbiddenAddressError("It is no web address.") from None
    else:
        _require_allowed([address], private=private, loopback=loopback, plain=parts.scheme == "http")
    port = (443 if parts.scheme == "https" else 80) if port is None else port
    if port not in PORTS and not (private or loopback):
        raise ForbiddenAddressError(f"Nothing is posted to port {port}.")
    return parts, host, port


async def _exchange(
    url: str, body: bytes, headers: dict[str, str], options: WebhookOptions
) -> tuple[int, str, str]:
    parts, host, port = check_address(url, private=options.private, loopback=options.loopback)
    address = await resolve(
        host, port, private=options.private, loopback=options.loopback, plain=parts.scheme == "http"
    )
    literal = f"[{address}]" if address.version == 6 else str(address)
    there = urlunsplit((parts.scheme, f"{literal}:{port}", parts.path or "/", parts.query, ""))
    named = f"[{host}]" if ":" in host else host
    shown = named if parts.port is None else f"{named}:{parts.port}"
    async with (
        # No proxy of the environment: it would resolve the name anew.
        httpx.AsyncClient(
            timeout=options.timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
            verify=options.trusted or _system(),
        ) as client,
        client.stream(
            "POST",
            there,
            content=body,
            headers={**headers, "Host": shown, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host},
        ) as answer,
    ):
        text = b""
        async for piece in answer.aiter_raw():  # never unpacked: it may be a bomb
            text += piece
            if len(text) >= READ:
                break
        kept = " ".join(text[:READ].decode("utf-8", "replace").replace("\0", "").split())
        return answer.status_code, kept, answer.headers.get("retry-after", "")


async def resolve(
    host: str, port: int, *, private: bool, loopback: bool = False, plain: bool = False
) -> IPv4Address | IPv6Address:
    """The address a name has at this moment; ForbiddenAddressError if one of them is not allowed.

    `plain`: for a call without https, which goes to this machine only, or to one's own network.
    """
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_NAMES, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not addresses:
        raise OSError("the name has no address")
    _require_allowed(addresses, private=private, loopback=loopback, plain=plain)
    return addresses[0]


def _require_allowed(
    addresses: Sequence[IPv4Address | IPv6Address], *, private: bool, loopback: bool, plain: bool
) -> None:
    if private:
        return
    allowed = all((loopback and one.is_loopback) or (not plain and is_public(one)) for one in addresses)
    if not allowed:
        raise ForbiddenAddressError(
            "It is not https." if plain else "It leads to an address that is not of the public internet."
        )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is of the public internet, also where it carries another within it."""
    if isinstance(address, IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            within = IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.teredo is not None:
            return False
        if within is not None:
            return is_public(within)
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in one for one in _SPECIAL)


@cache
def _system() -> ssl.SSLContext:
    return ssl.create_default_context()
