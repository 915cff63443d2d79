"""What a webhook asks us to read on the web: a signing certificate, or the address that confirms it.

Only addresses that the provider's reader has found to be the provider's own get here; redirects are not
followed, so that none leads elsewhere.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable

Fetch = Callable[[str], Awaitable[bytes]]
Usable = Callable[[bytes], bool]
TIMEOUT_S = 10.0
LARGEST = 64 * 1024
MOST_KEPT = 16


class FetchError(Exception):
    """Nothing usable was there."""


async def fetch(url: str, *, seconds: float = TIMEOUT_S, trusted: ssl.SSLContext | None = None) -> bytes:
    """The octets at `url`; FetchError for anything but a small answer 200 within so many `seconds` in all.

    `trusted`: None for whom this machine trusts.
    """
    # With what it brings along, three megabytes of every process that sends and never asks.
    import httpx  # noqa: PLC0415

    content = b""
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(timeout=seconds, follow_redirects=False, verify=trusted or True) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise FetchError(f"answered {answer.status_code}")
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise FetchError("too large")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise FetchError(type(error).__name__) from error
    return content


class Remembered:
    """A `Fetch` that reads each address once, keeps the last few, and never what is not `usable`."""

    def __init__(self, fetch: Fetch, usable: Usable) -> None:
        """`fetch` reads what is not remembered."""
        self._fetch = fetch
        self._usable = usable
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Lock()

    def knows(self, url: str) -> bool:
        """Whether it need not be read any more."""
        return url in self._kept

    async def __call__(self, url: str) -> bytes:
        """The octets at `url`; FetchError when they are not usable."""
        if url in self._kept:
            self._kept.move_to_end(url)
            return self._kept[url]
        # One at a time: of many calls that come at once the first reads for all.
        async with self._turn:
            if url not in self._kept:
                found = await self._fetch(url)
                if not self._usable(found):
                    raise FetchError("not what was expected")
                self._kept[url] = found
                if len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[url]
