"""Access tokens for mailboxes that take no password (RFC 6749 section 6), kept until they run out.

Gmail and Outlook want SASL XOAUTH2 of applications: a refresh token, sealed on the seed's row, is changed
for an access token that lasts an hour or so. Neither is ever logged or written into a problem.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from deliverability.placement.problems import ConsentError, SeedError
from models.clock import Clock
from models.keyring import Keyring
from models.seed import SeedMailbox

TIMEOUT_SECONDS = 20.0
LARGEST = 64 * 1024
USUAL_LIFE = timedelta(minutes=5)
SPARE = timedelta(minutes=1)
"""How long before its end a token is no longer used: a look at a mailbox takes its time."""
LONGEST_WORD = 60


@dataclass(frozen=True, slots=True)
class _Token:
    access: str
    ends_at: datetime


class AccessTokens:
    """The access tokens of the seeds, for as long as they last; for one process."""

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`ssl_context`: None for whom this machine trusts."""
        self._keyring = keyring
        self._clock = clock
        self._timeout = timeout_seconds
        self._trusted = ssl_context
        self._kept: dict[str, _Token] = {}

    async def token_for(self, seed: SeedMailbox, *, fresh: bool = False) -> str:
        """An access token for the mailbox; `fresh`: not the one at hand, which the server refused.

        A provider may give a new refresh token with it: then `seed.sealed_password` is changed, and the
        caller keeps it. ConsentError when the provider gives none any more, SeedError when it does not
        answer.
        """
        name = f"{seed.token_url} {seed.client_id} {seed.username}"
        known = self._kept.get(name)
        if known is not None and not fresh and known.ends_at > self._clock.now():
            return known.access
        self._kept.pop(name, None)
        answer = await self._ask(seed)
        token = _Token(_text(answer, "access_token"), self._clock.now() + _life(answer))
        if not token.access:
            raise SeedError("The provider's answer holds no access token.", "Check the token address.")
        renewed = _text(answer, "refresh_token")
        if renewed:
            seed.sealed_password = self._keyring.encrypt(renewed)
        self._kept[name] = token
        return token.access

    async def _ask(self, seed: SeedMailbox) -> dict[str, object]:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._keyring.decrypt(seed.sealed_password),
            "client_id": seed.client_id,
        }
        if seed.sealed_client_secret:
            form["client_secret"] = self._keyring.decrypt(seed.sealed_client_secret)
        check_token_url(seed.token_url)
        content = b""
        try:
            async with (
                asyncio.timeout(self._timeout),
                httpx.AsyncClient(
                    timeout=self._timeout, follow_redirects=False, verify=self._trusted or True
                ) as client,
                client.stream("POST", seed.token_url, data=form) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > LARGEST:
                        raise SeedError("The token server answers at too great a length.")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise SeedError(
                f"The token server cannot be asked ({type(error).__name__}).", "Check the token address."
            ) from None
        return _read(status, content)


def check_token_url(url: str) -> None:
    """SeedError unless the address is https, or on this machine: a refresh token goes there."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}):
        return
    raise SeedError("The token address is no https address.", "Copy it from the provider's documentation.")


def _read(status: int, content: bytes) -> dict[str, object]:
    """The answer's fields; errors are told by their code alone, never by what was sent."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    fields: dict[str, object] = answer if isinstance(answer, dict) else {}
    word = _text(fields, "error")[:LONGEST_WORD]
    if status == httpx.codes.OK and not word:
        return fields
    if word == "invalid_grant":
        raise ConsentError(
            "The provider no longer accepts the consent given for this mailbox.",
            "Sign in to the provider again and give Tocsin the new refresh token.",
        )
    raise SeedError(
        f"The token server refuses ({word or status}).", "Check the token address, the client and its secret."
    )


def _life(answer: dict[str, object]) -> timedelta:
    """How long a token may be used; some servers give the seconds as text, some not at all."""
    try:
        told = timedelta(seconds=int(str(answer.get("expires_in", ""))))
    except (ValueError, OverflowError):
        return USUAL_LIFE - SPARE
    return max(timedelta(), min(told, timedelta(days=1)) - SPARE)


def _text(answer: dict[str, object], name: str) -> str:
    found = answer.get(name)
    return found if isinstance(found, str) else ""
