"""What every answer of the API carries: its number, and what is left to its key. Plain ASGI, for speed."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Marks:
    """Gives every call a number by which it is found in the log, and tells what is left to its key."""

    def __init__(self, app: ASGIApp) -> None:
        """`app`: what answers."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        number = state["request_id"] = f"req_{secrets.token_hex(12)}"

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Request-Id"] = number
                headers.setdefault("Cache-Control", "no-store")
                standing = state.get("standing")
                if standing is not None:
                    headers.update(standing.headers)
            await send(message)

        await self.app(scope, receive, send_marked)
