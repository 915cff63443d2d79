"""What every answer carries and every request must fit in: security headers, sizes.

Plain ASGI, because a body has to be counted while it streams in.
"""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MESSAGE_SECURITY_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""For the document of a previewed message: an origin of its own, no scripts, no forms, no way out.

Styles in the document are allowed there and nowhere else: e-mails have no other way to be styled.
"""
SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
)
HTTPS_HEADERS: Mapping[str, str] = MappingProxyType({"Strict-Transport-Security": "max-age=31536000"})

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
LIMIT_BY_PREFIX: tuple[tuple[str, int], ...] = (
    ("/u/", 8 * KIBIBYTE),
    ("/c/", 8 * KIBIBYTE),
    ("/hooks/twilio/", 64 * KIBIBYTE),
    # Batches of events: ten thousand at some providers.
    ("/hooks/sparkpost", 8 * MEBIBYTE),
    ("/hooks/mandrill", 8 * MEBIBYTE),
    ("/hooks/", 2 * MEBIBYTE),
    ("/sign-in", 8 * KIBIBYTE),
    ("/setup", 8 * KIBIBYTE),
    # A list of a million people is about eighty megabytes.
    ("/contacts/import", 256 * MEBIBYTE),
    # Reports of receivers and tables of providers, as long as their readers take them.
    ("/deliverability/authentication", 20 * MEBIBYTE),
    ("/deliverability/declared", 10 * MEBIBYTE),
    ("/v1/contacts/imports", 256 * MEBIBYTE),
    # Five hundred messages with their variables.
    ("/v1/messages/batch", 16 * MEBIBYTE),
    # What Tocsin exports of half a million.
    ("/suppressions/lists", 64 * MEBIBYTE),
)
LIMIT_ELSEWHERE = 2 * MEBIBYTE
"""Octets of a request's body; a long message template has a tenth of this."""


class BodyTooLargeError(Exception):
    """The request's body goes beyond the limit of its path."""


def limit_for(path: str) -> int:
    """The most octets a request to `path` may carry."""
    return next((limit for prefix, limit in LIMIT_BY_PREFIX if path.startswith(prefix)), LIMIT_ELSEWHERE)


class Protection:
    """The outermost layer: refuses bodies that are too large, adds the security headers."""

    def __init__(self, app: ASGIApp, *, https: bool, too_large: ASGIApp | None = None) -> None:
        """`https`: whether browsers should be told never to come back over plain HTTP.

        `too_large` answers a request that announces more than its path takes; without it, a line of text.
        """
        self.app = app
        self._too_large = too_large or _refuse
        self._headers = {**SECURITY_HEADERS, **(HTTPS_HEADERS if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = limit_for(scope["path"])
        seen = 0

        async def receive_within_limit() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise BodyTooLargeError
            return message

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isascii() or not announced.isdigit() or int(announced) > limit:
            await self._too_large(scope, receive, send_protected)
            return
        await self.app(scope, receive_within_limit, send_protected)


async def _refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"This request is too large.\n"})
