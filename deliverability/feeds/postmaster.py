"""Gmail's Postmaster Tools API v2, asked once a day: `domains`, `domainStats:query`, `getComplianceStatus`.

Access by an OAuth refresh token of somebody who sees the domains there, or by a service account (RFC 7523);
both change into an access token that lasts an hour and is kept nowhere. Neither is ever logged or told in a
problem. The base address is a setting, so that a rehearsal can stand in for Google.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from deliverability.feeds.figures import Figure
from deliverability.feeds.postmaster_answers import FEEDBACK_RATE, METRICS, read_compliance, read_stats
from models.errors import TocsinError

BASE_URL = "https://gmailpostmastertools.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SCOPE = "https://www.googleapis.com/auth/postmaster.traffic.readonly"
TIMEOUT_S = 30.0
LARGEST = 5_000_000
PAGE = 200
MOST_PAGES = 50
MOST_DOMAINS = 500
MOST_FEEDBACK_IDS = 20
LONGEST_WAIT_S = 30.0
"""A wait that the API asks for is sat out up to here; a longer one ends the look."""
TRIES = 3
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class DeclaredFeedError(TocsinError):
    """A source of declared figures cannot be asked; `wait`: how long it wants to be left alone."""

    def __init__(self, problem: str, advice: str = "", wait: timedelta = timedelta(0)) -> None:
        """`problem` never holds a secret."""
        super().__init__(problem, advice)
        self.wait = wait


class _DeniedError(Exception):
    """This one thing is not ours to see."""


@dataclass(frozen=True, slots=True)
class PostmasterAccess:
    """How to sign in: a refresh token with its client, or the JSON of a service account's key."""

    refresh_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    service_account: str = field(default="", repr=False)
    base_url: str = BASE_URL
    token_url: str = TOKEN_URL


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look brought; `denied`: domains it may not see."""

    figures: tuple[Figure, ...]
    denied: tuple[str, ...] = ()


class Postmaster:
    """The API, as one look sees it."""

    def __init__(
        self,
        access: PostmasterAccess,
        *,
        now: datetime,
        timeout_seconds: float = TIMEOUT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`now` dates the assertion of a service account."""
        self._access = access
        self._now = now
        self._timeout = timeout_seconds
        self._sleep = sleep
        self._token = ""

    async def look(self, since: date, until: date) -> Looked:
        """The figures of every domain there, from `since` to `until`; DeclaredFeedError when it cannot be."""
        figures: list[Figure] = []
        denied: list[str] = []
        async with httpx.AsyncClient(
            base_url=self._access.base_url, timeout=self._timeout, follow_redirects=False
        ) as client:
            for domain in await self._domains(client):
                try:
                    found = await self._stats(client, domain, METRICS, since, until)
                    figures += found
                    figures += await self._feedback_rates(client, domain, found, since, until)
                    path = f"/v2/domains/{quote(domain, safe='')}/complianceStatus"
                    answer = await self._call(client, "GET", path)
                    figures += read_compliance(answer, domain, until).figures
                except _DeniedError:
                    denied.append(domain)
        return Looked(tuple(figures), tuple(denied))

    async def _domains(self, client: httpx.AsyncClient) -> list[str]:
        found: list[str] = []
        page = ""
        for _ in range(MOST_PAGES):
            parameters = {"pageSize": str(PAGE), **({"pageToken": page} if page else {})}
            try:
                answer = await self._call(client, "GET", "/v2/domains", parameters=parameters)
            except _DeniedError as error:
                raise DeclaredFeedError(
                    "Postmaster Tools refuses: this account may not use its API.",
                    "Switch the API on in Google Cloud, and consent to postmaster.traffic.readonly.",
                ) from error
            listed = answer.get("domains")
            names = (
                [one.get("name") for one in listed if isinstance(one, dict)]
                if isinstance(listed, list)
                else []
            )
            found += [name.removeprefix("domains/") for name in names if isinstance(name, str)]
            page = str(answer.get("nextPageToken") or "")
            if not page:
                break
        return found[:MOST_DOMAINS]

    async def _stats(
        self,
        client: httpx.AsyncClient,
        domain: str,
        metrics: tuple[tuple[str, str, str], ...],
        since: date,
        until: date,
    ) -> list[Figure]:
        wish: dict[str, Any] = {
            "metricDefinitions": [
                {
                    "name": name,
                    "baseMetric": {"standardMetric": metric},
                    **({"filter": condition} if condition else {}),
                }
                for name, metric, condition in metrics
            ],
            "timeQuery": {"dateRanges": {"dateRanges": [{"start": _written(since), "end": _written(until)}]}},
            "aggregationGranularity": "DAILY",
            "pageSize": PAGE,
        }
        found: list[Figure] = []
        path = f"/v2/domains/{quote(domain, safe='')}/domainStats:query"
        for _ in range(MOST_PAGES):
            answer = await self._call(client, "POST", path, wish)
            found += read_stats(answer, subject=domain).figures
            page = str(answer.get("nextPageToken") or "")
            if not page:
                break
            wish["pageToken"] = page
        return found

    async def _feedback_rates(
        self, client: httpx.AsyncClient, domain: str, found: list[Figure], since: date, until: date
    ) -> list[Figure]:
        """How much of each Feedback-ID's mail was called spam; the identifier is what it is about."""
        names = [
            str(name) for one in found if one.metric == "feedback_ids" for name in one.details.get("ids", ())
        ]
        rates: list[Figure] = []
        for name in list(dict.fromkeys(names))[:MOST_FEEDBACK_IDS]:
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            metric = (FEEDBACK_RATE, "FEEDBACK_LOOP_SPAM_RATE", f'feedback_loop_id = "{escaped}"')
            found_rates = await self._stats(client, domain, (metric,), since, until)
            rates += [replace(one, subject=name[:253], details={"domain": domain}) for one in found_rates]
        return rates

    async def _call(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        content: dict[str, Any] | None = None,
        *,
        parameters: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """One answer; waits as long as it is asked to, and takes a fresh token once."""
        for attempt in range(TRIES):
            self._token = self._token or await self._sign_in()
            headers = {"Authorization": f"Bearer {self._token}"}
            status, answer, wait = await _ask(
                client, method, path, headers=headers, json_content=content, parameters=parameters
            )
            if status == 200:
                return answer
            if status in {403, 404}:
                raise _DeniedError
            if status == 401:
                if attempt:
                    raise DeclaredFeedError("Postmaster Tools refuses the access token.", _CONSENT)
                self._token = ""
                continue
            if status == 429 or status >= 500:
                if attempt + 1 < TRIES and wait <= LONGEST_WAIT_S:
                    await self._sleep(wait or 2.0**attempt)
                    continue
                raise DeclaredFeedError(
                    f"Postmaster Tools wants to be left alone for now ({status}).",
                    "It is asked again by itself.",
                    timedelta(seconds=wait),
                )
            raise DeclaredFeedError(f"Postmaster Tools answers {status}.", "It is asked again tomorrow.")
        raise DeclaredFeedError("Postmaster Tools cannot be asked.", _CONSENT)

    async def _sign_in(self) -> str:
        access = self._access
        check_address(access.token_url)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": access.refresh_token,
            "client_id": access.client_id,
            "client_secret": access.client_secret,
        }
        if access.service_account:
            form = {"grant_type": _GRANT, "assertion": make_assertion(access, self._now)}
        async with httpx.AsyncClient(timeout=self._timeout, follow_redirects=False) as client:
            status, answer, _ = await _ask(client, "POST", access.token_url, form=form)
        token = answer.get("access_token")
        if status == 200 and isinstance(token, str) and token:
            return token
        word = str(answer.get("error", status))[:60]
        raise DeclaredFeedError(f"Google gives no access to Postmaster Tools ({word}).", _CONSENT)


_CONSENT = "Sign in again, and write the new refresh token, or the service account's key, into the settings."


async def _ask(
    client: httpx.AsyncClient,
    method: str,
    address: str,
    *,
    headers: dict[str, str] | None = None,
    json_content: dict[str, Any] | None = None,
    form: dict[str, str] | None = None,
    parameters: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any], float]:
    """Status, the object answered ({} for anything else), and the seconds that Retry-After asks for."""
    content = b""
    try:
        async with client.stream(
            method, address, headers=headers, json=json_content, data=form, params=parameters
        ) as answer:
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise DeclaredFeedError("Postmaster Tools answers at too great a length.")
            status, wait = answer.status_code, _seconds(answer.headers.get("Retry-After", ""))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise DeclaredFeedError(
            f"Postmaster Tools cannot be reached ({type(error).__name__}).", "It is asked again by itself."
        ) from None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = {}
    return status, found if isinstance(found, dict) else {}, wait


def _seconds(text: str) -> float:
    """Of a Retry-After; one that is a date counts as an hour."""
    if not text.strip():
        return 0.0
    return min(float(text), 86_400.0) if text.strip().isdigit() else 3600.0


def _written(on: date) -> dict[str, int]:
    return {"year": on.year, "month": on.month, "day": on.day}


def check_address(url: str) -> None:
    """DeclaredFeedError unless the address is https, or on this machine: secrets go there."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    ):
        return
    raise DeclaredFeedError("The address is no https address.", "Secrets are not sent over the open network.")


def make_assertion(access: PostmasterAccess, now: datetime) -> str:
    """What a service account shows for a token: claims signed with its key (RFC 7523, RS256)."""
    try:
        account = json.loads(access.service_account)
        key = serialization.load_pem_private_key(str(account["private_key"]).encode(), None)
        email = str(account["client_email"])
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        raise DeclaredFeedError(
            "The key of the service account cannot be read.", "Download it again from Google Cloud, as JSON."
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise DeclaredFeedError("The key of the service account is no RSA key.")
    issued = int(now.timestamp())
    claims = {"iss": email, "scope": SCOPE, "aud": access.token_url, "iat": issued, "exp": issued + 3600}
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_encoded(signature)}"


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
