"""Hands a piece of news to a web address: signed (Standard Webhooks), patient, and never led astray.

The address is somebody's setting, and what stands behind its name can change: the name is resolved once,
every address it has must be one of the public internet unless the installation allows others, and the
connection is made to the very address that was looked at. Redirects are answers like any other: refused.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

import httpx

from models.values import Accepted, Deferred, Outcome, Refused, Reply

TIMEOUT = timedelta(seconds=10)
READ = 1000
"""Octets of an answer that are kept as evidence; nobody reads more."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - how such secrets begin, no secret
_TRANSLATED = ip_network("64:ff9b::/96")
_UNICAST = ip_network("2000::/3")
"""All of IPv6 that leads anywhere; what is outside may carry an address of one's own network."""
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Of protocols, of relays that are gone, of examples: the library's list has them as global."""


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """How news is handed over; `private`: addresses of one's own network, and plain http, are allowed.

    `trusted`: whose certificates are believed; None: those the system trusts.
    """

    secret: str
    private: bool = False
    timeout: timedelta = TIMEOUT
    trusted: ssl.SSLContext | None = None


class ForbiddenAddressError(Exception):
    """The address leads where news must not go, said in a sentence."""


def signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """The value of `webhook-signature`: v1 and HMAC-SHA256 of id, seconds since 1970, body."""
    signed = b".".join((message_id.encode(), str(int(at.timestamp())).encode(), body))
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


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
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Tocsin",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(options.secret, message_id, now, body),
    }
    try:
        async with asyncio.timeout(options.timeout.total_seconds()):
            status, text = await _exchange(url, body, headers, options)
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
    return Deferred(Reply(status, None, text))


async def _exchange(
    url: str, body: bytes, headers: dict[str, str], options: WebhookOptions
) -> tuple[int, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host:
        raise ForbiddenAddressError("It is no web address.")
    if parts.scheme == "http" and not options.private:
        raise ForbiddenAddressError("It is not https.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = await resolve(host, port, private=options.private)
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
        return answer.status_code, " ".join(text[:READ].decode("utf-8", "replace").split())


async def resolve(host: str, port: int, *, private: bool) -> IPv4Address | IPv6Address:
    """The address a name has at this moment; ForbiddenAddressError if any of them is not a public one."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port)
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not addresses:
        raise OSError("the name has no address")
    if not private and not all(is_public(one) for one in addresses):
        raise ForbiddenAddressError("It leads to an address that is not of the public internet.")
    return addresses[0]


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
