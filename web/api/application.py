"""The API as an application of its own, mounted under /v1: its routes, its problems, its description."""

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.errors import BadInputError, ConflictError, NotFoundError, TocsinError
from web.api import (
    campaign_actions,
    campaigns,
    contact_parts,
    contacts,
    events,
    handbook,
    identities,
    imports,
    interactions,
    key,
    messages,
    problem_pages,
    segments,
    sent_messages,
    suppressions,
    templates,
    webhooks,
)
from web.api.auth import Gatehouse
from web.api.description import describer
from web.api.faults import faults_of, invalid
from web.api.marks import Marks
from web.api.problems import CODES, ApiProblemError, answer_with
from web.context import WebContext
from web.door import FrontDoor
from web.protection import BodyTooLargeError

log = logging.getLogger(__name__)
VERSION = "1"
ROUTERS = (
    key.router,
    messages.router,
    sent_messages.router,
    events.router,
    campaigns.router,
    campaign_actions.router,
    segments.router,
    templates.router,
    identities.router,
    # Before people, whose addresses would take it for one of theirs.
    imports.router,
    contacts.router,
    contact_parts.router,
    webhooks.router,
    interactions.router,
    suppressions.router,
)
_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}


def make_api(context: WebContext, door: FrontDoor) -> FastAPI:
    """The application; it shares the front door with the pages."""
    api = FastAPI(
        title="Tocsin API",
        version=VERSION,
        summary="Messages, people, segments, campaigns and what became of them.",
        openapi_url="/openapi.json" if context.api else None,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": f"{context.public_url}/v1"}],
    )
    api.state.front_door = door
    api.state.gatehouse = Gatehouse()
    for router in (*ROUTERS, problem_pages.router, handbook.router) if context.api else ():
        api.include_router(router)
    api.openapi = describer(api)  # type: ignore[method-assign]
    api.add_middleware(Marks)
    api.add_exception_handler(ApiProblemError, _problem)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(BodyTooLargeError, _too_large)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(TocsinError, _tocsin_error)
    api.add_exception_handler(Exception, _unexpected)
    return api


def _answer(request: Request, problem: ApiProblemError) -> Response:
    context: WebContext = request.app.state.front_door.context
    number = getattr(request.state, "request_id", "")
    response = answer_with(problem, number, f"{context.public_url}/v1")
    # The answer to what nobody foresaw is made outside of the layer that marks the others.
    response.headers["Request-Id"] = number
    return response


async def _problem(request: Request, error: Exception) -> Response:
    return _answer(request, error if isinstance(error, ApiProblemError) else _internal())


async def _invalid(request: Request, error: Exception) -> Response:
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    if any(fault["type"] == "json_invalid" for fault in found):
        return _answer(request, ApiProblemError("bad_request", "The body is no JSON."))
    return _answer(request, invalid(faults_of(found)))


async def _too_large(request: Request, _error: Exception) -> Response:
    return _answer(request, ApiProblemError("too_large", "Send less at a time."))


async def _http_error(request: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, BodyTooLargeError):
        return await _too_large(request, error)
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = _BY_STATUS.get(status, "bad_request" if status < 500 else "internal")
    detail = _nothing(request) if code == "not_found" else CODES[code][1] + "."
    response = _answer(request, ApiProblemError(code, detail))
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


def _nothing(request: Request) -> str:
    if request.app.state.front_door.context.api:
        return "There is nothing at this address."
    return "The API is switched off on this installation."


async def _tocsin_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, TocsinError):
        return await _unexpected(request, error)
    match error:
        case NotFoundError():
            code = "not_found"
        case ConflictError():
            code = "conflict"
        case BadInputError():
            code = "unusable"
        case _:
            log.error("call refused", extra={"path": request.url.path, "problem": error.problem})
            code = "unavailable"
    headers = {"Retry-After": "5"} if code == "unavailable" else None
    return _answer(request, ApiProblemError(code, str(error), headers=headers))


async def _unexpected(request: Request, error: Exception) -> Response:
    identifier = getattr(request.state, "request_id", "")
    log.error("call failed", extra={"path": request.url.path, "request_id": identifier}, exc_info=error)
    return _answer(request, _internal())


def _internal() -> ApiProblemError:
    return ApiProblemError("internal", "The reason is in the log of the service, under the request's number.")
