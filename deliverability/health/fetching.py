"""Texts over HTTPS, such as a policy of MTA-STS (RFC 8461 section 3.3): small ones, and soon."""

import asyncio
import socket
import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

from deliverability.health.setup import CannotFetchError
from deliverability.hook_fetch import FetchError, fetch

SECONDS = 5.0


class TextFetcher:
    """A `setup.FetchText`. `trusted`: None for whom this machine trusts; `anywhere`: private hosts too."""

    def __init__(
        self, *, seconds: float = SECONDS, trusted: ssl.SSLContext | None = None, anywhere: bool = False
    ) -> None:
        """`seconds` is for all of one text; 64 kB are the most that is read of it."""
        self._seconds = seconds
        self._trusted = trusted
        self._anywhere = anywhere

    async def __call__(self, url: str) -> str:
        """The text at `url`, redirects not followed; CannotFetchError for all but a small answer 200."""
        try:
            async with asyncio.timeout(self._seconds):
                if not self._anywhere:
                    await _require_public(url)
                content = await fetch(url, seconds=self._seconds, trusted=self._trusted)
        except FetchError as error:
            raise CannotFetchError(str(error)) from error
        except (OSError, ValueError) as error:
            raise CannotFetchError(type(error).__name__) from error
        return content.decode("utf-8", "replace")


async def _require_public(url: str) -> None:
    """A zone says where its policy is, and could name a machine of ours: only public hosts are asked."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise CannotFetchError("not an address of HTTPS")
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    if not all(ip_address(str(address[0])).is_global for *_, address in found):
        raise CannotFetchError("not an address of the public internet")
