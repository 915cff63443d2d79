"""What a webhook asks us to read on the web: a signing certificate, or the address that confirms it.

Only addresses that the provider's reader has found to be the provider's own get here; redirects are not
followed, so that none leads elsewhere.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import httpx

Fetch = Callable[[str], Awaitable[bytes]]
TIMEOUT_S = 10.0
LARGEST = 64 * 1024
MOST_KEPT = 16


class FetchError(Exception):
    """Nothing usable was there."""


async def fetch(url: str) -> bytes:
    """The octets at `url`; FetchError for anything but a small answer 200."""
    content = b""
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client,
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
    """A `Fetch` that reads each address once, and keeps the last few."""

    def __init__(self, fetch: Fetch) -> None:
        """`fetch` reads what is not remembered."""
        self._fetch = fetch
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def __call__(self, url: str) -> bytes:
        """The octets at `url`."""
        if url not in self._kept:
            self._kept[url] = await self._fetch(url)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return self._kept[url]
