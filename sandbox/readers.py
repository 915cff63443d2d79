"""The people who read, and the robots that read before them: what they do on the web with a message.

They only ever go to the service under rehearsal: a message is full of addresses of real places, and a
rehearsal must not visit them. Redirects are looked at and not followed, for the same reason.
"""

import asyncio
import email
import email.policy
import re
from collections import deque
from html import unescape
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from sandbox.errands import Errands
from sandbox.errors import OutsideLoopbackError
from sandbox.fates import draw
from sandbox.witness import Letter, Witness

MAX_AT_ONCE = 8
ATTEMPTS = 6
RETRY_SECONDS = 0.5
TIMEOUT_SECONDS = 20.0
READER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
ROBOT_AGENT = "Mozilla/5.0 (compatible; MailScanner/2.1)"
_HREF = re.compile(r"""href\s*=\s*["']([^"']+)["']""", re.IGNORECASE)
_BARE_URL = re.compile(r"https?://[^\s<>\"')\]]+")


class Readers:
    """Everybody who opens links. One HTTP client, at most `MAX_AT_ONCE` requests at a time."""

    def __init__(self, errands: Errands, witness: Witness, *, seed: int) -> None:
        """`web_base` is the address of the service, on the loopback; set it before mail comes."""
        self.web_base = ""
        self.locations: deque[str] = deque(maxlen=1000)
        self._errands = errands
        self._witness = witness
        self._seed = seed
        self._turn = asyncio.Semaphore(MAX_AT_ONCE)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def click(self, letter: Letter) -> None:
        """Open one or two of the links that were meant to be opened."""
        links = self._own_links(letter, with_unsubscribe=False)
        if not links:
            return
        first = int(draw(self._seed, "link", letter.recipient) * len(links))
        chosen = [links[first]]
        if draw(self._seed, "again", letter.recipient) < 0.3:
            chosen.append(links[0])
        for link in dict.fromkeys(chosen):
            answer = await self._request("GET", link, READER_AGENT)
            if answer is not None:
                self._witness.row(letter).clicks += 1
                self._remember(answer)

    async def scan(self, letter: Letter) -> None:
        """Open everything at once, as a security robot does: none of it is a person's doing."""
        for link in self._own_links(letter, with_unsubscribe=True):
            if await self._request("GET", link, ROBOT_AGENT) is not None:
                self._witness.row(letter).scans += 1

    async def unsubscribe(self, letter: Letter) -> None:
        """Press the mail program's own button: a POST without cookies or page (RFC 8058 section 3.2)."""
        url = letter.headers.one_click_url
        if url is None:
            return
        answer = await self._request("POST", url, "", data={"List-Unsubscribe": "One-Click"})
        if answer is None:
            return
        self._witness.row(letter).unsubscribes[answer.status_code] += 1
        if answer.is_success:
            self._witness.saw_opt_out(letter.recipient, "unsubscribe")

    async def post(self, url: str, form: dict[str, str], headers: dict[str, str]) -> int | None:
        """Post a form to the service, for the text-message provider; HTTP status, None: nobody is there."""
        answer = await self._request("POST", url, "TwilioProxy/1.1", data=form, headers=headers)
        return None if answer is None else answer.status_code

    def check(self, url: str) -> None:
        """Raise `OutsideLoopbackError` unless `url` is the service's, on the loopback."""
        wanted, base = urlsplit(url), urlsplit(self.web_base)
        same = (wanted.scheme, wanted.netloc) == (base.scheme, base.netloc) and wanted.scheme in {
            "http",
            "https",
        }
        if not same or not _is_loopback(wanted.hostname or ""):
            raise OutsideLoopbackError(url)

    def _own_links(self, letter: Letter, *, with_unsubscribe: bool) -> list[str]:
        """The links in a message that lead to the service, each once, in order."""
        unsubscribe = letter.headers.unsubscribe_url
        leave_path = urlsplit(unsubscribe or "").path.rpartition("/")[0]
        found = links_in(letter.content)
        if with_unsubscribe and unsubscribe:
            found.append(unsubscribe)
        own = []
        for link in dict.fromkeys(found):
            try:
                self.check(link)
            except OutsideLoopbackError:
                continue
            leaves = bool(leave_path) and urlsplit(link).path.startswith(f"{leave_path}/")
            if with_unsubscribe or not leaves:
                own.append(link)
        return own

    async def _request(
        self,
        method: str,
        url: str,
        agent: str,
        *,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        """The answer, None when the service cannot be reached in spite of several attempts."""
        self.check(url)
        sent = {"user-agent": agent, **(headers or {})}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._turn:
                    return await self._client.request(method, url, data=data, headers=sent)
            except httpx.TransportError:
                # Real time, whatever the world's speed: the service may be restarting.
                await asyncio.sleep(RETRY_SECONDS * attempt)
        return None

    def _remember(self, answer: httpx.Response) -> None:
        location = answer.headers.get("location")
        if location:
            self.locations.append(location)


def links_in(content: bytes) -> list[str]:
    """The web addresses in the HTML part of a message, or in its text when it has no HTML; in order."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("html", "plain"))
    if body is None:
        return []
    text = str(body.get_content())
    if body.get_content_type() == "text/html":
        return [unescape(link) for link in _HREF.findall(text) if link.lower().startswith("http")]
    return [link.rstrip(".,;") for link in _BARE_URL.findall(text)]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
