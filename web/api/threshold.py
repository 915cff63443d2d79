"""What is asked of every call before its body is read, and what is told of an address in general.

Bodies that are no JSON in UTF-8, or are packed, are refused by what their headers say: what would be made of
them otherwise is a complaint about parts that are missing. Bodies of whoever has no key are not read at all:
megabytes of JSON take long to take apart. Plain ASGI, for speed.
"""

from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import TocsinError
from web.api.description import all_routes
from web.api.problems import ApiProblemError, answer_with

FILES: Final = "/contacts/imports"
"""Where other bodies than JSON are taken, and looked at there."""
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PLAIN: Final = {"", "identity"}
_UTF_8: Final = {"", "utf-8", "utf8"}


def lay(api: FastAPI, base: str) -> None:
    """Put it into the application, within the layer that marks answers. `base`: the address of the API."""
    # 404 in place of a redirection, which would be to http:// behind a proxy that says nothing of itself.
    api.router.redirect_slashes = False
    api.user_middleware.append(Middleware(Threshold, api=api, base=base))


class Threshold:
    """Refuses bodies nobody here reads; says of an address which methods it has."""

    def __init__(self, app: ASGIApp, *, api: FastAPI, base: str) -> None:
        """`app`: what answers, of `api`."""
        self.app = app
        self._base = base
        self._api = api
        self._routes = [(route.path_regex, route.methods or set()) for route in all_routes(api)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
        problem = objection_to(Headers(scope=scope), path) or await self._nobody(scope, path)
        if problem is not None:
            number = scope.get("state", {}).get("request_id", "")
            await answer_with(problem, number, self._base)(scope, receive, send)
            return

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                MutableHeaders(scope=message)["Allow"] = ", ".join(self._methods_of(path))
            await send(message)

        await self.app(scope, receive, send_allowed)

    async def _nobody(self, scope: Scope, path: str) -> ApiProblemError | None:
        """Why whoever sends a body has no valid key; None where there is one, or no body is waited for."""
        method = str(scope["method"])
        if method not in CHANGING or not any(
            method in has and shape.match(path) for shape, has in self._routes
        ):
            return None
        # As the application sees the call: what is learnt of it is kept with it.
        request = Request({**scope, "app": self._api})
        try:
            await self._api.state.gatehouse.recognise(request)
        except ApiProblemError as problem:
            return problem
        except TocsinError:
            # The database is away: the application meets it again, and has the words for it.
            return None
        return None

    def _methods_of(self, path: str) -> list[str]:
        """Of all its routes: the first that is found knows its own alone."""
        return sorted({method for shape, has in self._routes if shape.match(path) for method in has})


def objection_to(headers: Headers, path: str) -> ApiProblemError | None:
    """Why a body is not read, by what is said of it; None where there is none, or it may be."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return None
    if headers.get("content-encoding", "").strip().lower() not in _PLAIN:
        return _refused("Send the body as it is, not packed.", **{"Accept-Encoding": "identity"})
    if path.startswith(FILES):
        return None
    kind, *options = headers.get("content-type", "").lower().split(";")
    if kind.strip() != "application/json" and not kind.strip().endswith("+json"):
        return _refused("Send JSON, with Content-Type: application/json.", Accept="application/json")
    said = dict(option.strip().partition("=")[::2] for option in options)
    if said.get("charset", "").strip('"') not in _UTF_8:
        return _refused("Send the JSON in UTF-8.", Accept="application/json")
    return None


def _refused(detail: str, **headers: str) -> ApiProblemError:
    return ApiProblemError("unsupported_media_type", detail, headers=headers)
