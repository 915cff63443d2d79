"""Microsoft's Smart Network Data Services, fetched once a day from the address that its portal gives.

The address holds the key and is a secret of the settings: the old automated ones ended in June 2026, and the
next change should cost nobody a new version.
"""

import httpx

from deliverability.feeds.declared_files import read_snds
from deliverability.feeds.figures import MAX_FILE, Figures, UnreadableFiguresError
from deliverability.feeds.postmaster import TIMEOUT_S, DeclaredFeedError, check_address

ADVICE = "Get the address for automated access anew on the SNDS portal."


async def fetch_snds(url: str, *, timeout_seconds: float = TIMEOUT_S) -> Figures:
    """The figures behind the address; none when there was no traffic. DeclaredFeedError otherwise."""
    check_address(url)
    content = b""
    try:
        async with (
            httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > MAX_FILE:
                    raise DeclaredFeedError("SNDS answers at too great a length.", ADVICE)
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        # Never the error's own words: the address stands in them.
        raise DeclaredFeedError(
            f"SNDS cannot be reached ({type(error).__name__}).", "It is asked again by itself."
        ) from None
    if status == 204 or (status == 200 and not content.strip()):
        return Figures(())
    if status != 200:
        raise DeclaredFeedError(f"SNDS answers {status}.", ADVICE)
    try:
        return read_snds(content)
    except UnreadableFiguresError as error:
        raise DeclaredFeedError("SNDS answers with something else than its table.", ADVICE) from error
