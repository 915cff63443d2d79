"""The front door as one application: routes, protection, and what is shown when something goes wrong."""

import logging
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import BadInputError, ConflictError, NotFoundError, TocsinError
from web.access import ForbiddenError, FormRefusedError, SetupNeededError, SignInNeededError
from web.api import make_api
from web.api.problems import ApiProblemError, answer_with
from web.api.threshold import lay
from web.context import WebContext
from web.door import make_front_door
from web.i18n import N_
from web.pages import ROUTERS as PAGES
from web.protection import SECURITY_HEADERS, BodyTooLargeError, Protection
from web.public import ROUTERS as PUBLIC
from web.view import public_page

log = logging.getLogger(__name__)
HOOKS, API = "/hooks/", "/v1/"
MACHINE_WORDS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        403: ("Not proven", "This call is not proven to be the provider's: its secret, or its signature."),
        404: ("Not set up", "No such webhook is set up here."),
        429: (
            "Too many calls",
            "Too many calls of this address were not proven. Wait, then try again.",
        ),
    }
)
"""English, as no person of the organisation reads it first."""


def create_app(context: WebContext) -> FastAPI:
    """The application that serves pages, public links and provider hooks with the parts of `context`."""
    # The API describes itself, under /v1; pages are for people.
    app = FastAPI(title="Tocsin", openapi_url=None, docs_url=None, redoc_url=None)
    door = app.state.front_door = make_front_door(context)
    app.state.vitals = context.vitals
    app.add_middleware(Protection, https=context.secure, too_large=_announced_too_large(context))
    # First, so that programs, who call often, are not held up by two hundred pages to choose from.
    api = make_api(context, door)
    lay(api, f"{context.public_url}/v1")
    app.mount("/v1", api)
    app.router.add_route(
        "/v1", _no_such_call, methods=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    )
    for router in (*PUBLIC, *PAGES):
        app.include_router(router)
    app.add_exception_handler(SetupNeededError, _to_setup)
    app.add_exception_handler(SignInNeededError, _to_sign_in)
    app.add_exception_handler(ForbiddenError, _forbidden)
    app.add_exception_handler(FormRefusedError, _form_refused)
    app.add_exception_handler(BodyTooLargeError, _too_large)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(TocsinError, _tocsin_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _announced_too_large(context: WebContext) -> ASGIApp:
    """Answers who announces more than is taken; the connection ends, since nobody reads what would come."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = PlainTextResponse("This request is too large.\n", 413)
        if scope["path"].startswith(API):
            response = _told_to_a_program(context, ApiProblemError("too_large", "Send less at a time."))
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    return refuse


async def _no_such_call(request: Request) -> Response:
    """The bare address of the API: a redirection would only lead to nothing, and might lose the key."""
    context = request.app.state.front_door.context
    return _told_to_a_program(context, ApiProblemError("not_found", "Calls begin with /v1/: see /v1/docs."))


async def _to_setup(_request: Request, _error: Exception) -> Response:
    return RedirectResponse("/setup", status_code=303)


async def _to_sign_in(request: Request, _error: Exception) -> Response:
    if request.method != "GET" or request.url.path == "/":
        return RedirectResponse("/sign-in", status_code=303)
    return RedirectResponse(f"/sign-in?{urlencode({'next': request.url.path})}", status_code=303)


def _trouble(request: Request, status: int, title: str, text: str, advice: str = "") -> Response:
    if request.url.path.startswith(HOOKS):
        return _told_to_a_machine(status, title, text)
    if request.url.path.startswith(API):
        # An address with a line break in it belongs to no mounted application.
        problem = ApiProblemError("not_found", "There is nothing at this address.")
        return _told_to_a_program(request.app.state.front_door.context, problem)
    return public_page(request, "trouble.html", status, status=status, title=title, text=text, advice=advice)


def _told_to_a_program(context: WebContext, problem: ApiProblemError) -> Response:
    """What the API did not come to see, in its own form."""
    number = f"req_{secrets.token_hex(12)}"
    response = answer_with(problem, number, f"{context.public_url}{API.rstrip('/')}")
    response.headers["Request-Id"] = number
    return response


def _told_to_a_machine(status: int, title: str, text: str) -> Response:
    """RFC 9457: providers show it to whoever set the webhook up."""
    title, text = MACHINE_WORDS.get(status, (title, text))
    content = {"title": title, "status": status, "detail": text}
    return JSONResponse(content, status, media_type="application/problem+json")


async def _forbidden(request: Request, _error: Exception) -> Response:
    return _trouble(
        request,
        403,
        N_("Not for this account"),
        N_("Your role does not reach this page."),
        N_("Ask an administrator of your organisation."),
    )


async def _form_refused(request: Request, _error: Exception) -> Response:
    return _trouble(
        request,
        403,
        N_("This form has gone stale"),
        N_("Nothing was changed."),
        N_("Go back, load the page again and send the form once more."),
    )


async def _too_large(request: Request, _error: Exception) -> Response:
    return _trouble(request, 413, N_("Too large"), N_("What was sent is larger than this page accepts."))


async def _not_found(request: Request, _error: Exception) -> Response:
    return _trouble(
        request, 404, N_("Nothing here"), N_("There is no such page."), N_("The link may be incomplete.")
    )


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return await _not_found(request, error)
    title = N_("This does not work here") if status < 500 else N_("Something went wrong")
    response = _trouble(request, status, title, N_("The request was not understood."))
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


async def _tocsin_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, TocsinError):
        return await _unexpected(request, error)
    match error:
        case NotFoundError():
            status, title = 404, N_("Nothing here")
        case ConflictError():
            status, title = 409, N_("Not as things stand")
        case BadInputError():
            status, title = 400, N_("This cannot be used")
        case _:
            log.error("page refused", extra={"path": request.url.path, "problem": error.problem})
            status, title = 503, N_("Something is out of order")
    return _trouble(request, status, title, error.problem, error.advice)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("page failed", extra={"path": request.url.path}, exc_info=error)
    response = _trouble(
        request,
        500,
        N_("Something went wrong"),
        N_("This page failed; the reason is in the log of the service."),
        N_("Campaigns under way are not touched by it."),
    )
    # This answer is made outside of the layer that adds them.
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
