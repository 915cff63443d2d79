"""For whoever watches over the processes: is it alive, can it work, and how much there is to do.

The figures tell volumes, so they are for this machine, or for who knows the token; a request that came
through a proxy is not from this machine, whatever address it seems to have. A proxy that forwards everything
need not say that it does, so its other habits are looked for, too: the public name in Host, or HTTP/1.0, in
which nginx asks unless told otherwise. Everybody else gets the answer of a page that does not exist.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"}
)
FORWARDED = "x-forwarded-"
BY_HABIT = "1.0"
FIGURES_TYPE = "text/plain; version=1.0.0; charset=utf-8"
NOT_KEPT = {"Cache-Control": "no-store"}


async def _nothing() -> str:
    return ""


async def _no_figures() -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a process says how it is.

    `trouble`: why it cannot work, a short word without particulars; empty when it can. `figures`: in the
    form Prometheus reads. `token`: what opens the figures to other machines; with it, none are shown without.
    `public_host`: the name by which others reach the pages, empty where none but this machine does.
    """

    trouble: Callable[[], Awaitable[str]] = field(default=_nothing)
    figures: Callable[[], Awaitable[bytes]] = field(default=_no_figures)
    token: str = ""
    public_host: str = ""


router = APIRouter()


def create_health_app(vitals: Vitals) -> FastAPI:
    """An application for a process without pages: the three addresses, and nothing else."""
    app = FastAPI(title="Tocsin", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.vitals = vitals
    app.include_router(router)
    return app


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def alive() -> Response:
    """200 while the process is there."""
    return PlainTextResponse("ok\n", headers=NOT_KEPT)


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def ready(request: Request) -> Response:
    """200 when it can work, 503 with a word why not."""
    trouble = await _vitals(request).trouble()
    return PlainTextResponse(f"{trouble or 'ok'}\n", status_code=503 if trouble else 200, headers=NOT_KEPT)


@router.get("/metrics")
async def figures(request: Request) -> Response:
    """The figures, to who may see them."""
    vitals = _vitals(request)
    if not _may_see(request, vitals):
        raise HTTPException(404)
    return Response(await vitals.figures(), media_type=FIGURES_TYPE, headers=NOT_KEPT)


def _vitals(request: Request) -> Vitals:
    vitals: Vitals = request.app.state.vitals
    return vitals


def _may_see(request: Request, vitals: Vitals) -> bool:
    if vitals.token:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {vitals.token}".encode())
    if _is_forwarded(request, vitals.public_host):
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _is_forwarded(request: Request, public_host: str) -> bool:
    """Whether somebody asks in another's name, as far as it shows."""
    if any(name in PROXY_HEADERS or name.startswith(FORWARDED) for name in request.headers):
        return True
    asked_for = (request.url.hostname or "").rstrip(".")
    return request.scope.get("http_version") == BY_HABIT or (bool(public_host) and asked_for == public_host)
