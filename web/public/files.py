"""The few files of the pages, from memory."""

from functools import cache
from mimetypes import guess_type

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from web.view import STATIC, static_versions

router = APIRouter()
A_YEAR = 31_536_000


@cache
def read_static(name: str) -> bytes:
    """A file of `static/`. Only names that were found there are asked for."""
    return (STATIC / name).read_bytes()


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    """A style, script or drawing; kept by browsers for ever under its versioned address."""
    if name not in static_versions():
        raise HTTPException(404)
    versioned = request.query_params.get("v") == static_versions()[name]
    keep = f"public, max-age={A_YEAR}, immutable" if versioned else "no-cache"
    kind = guess_type(name)[0] or "application/octet-stream"
    return Response(read_static(name), media_type=kind, headers={"Cache-Control": keep})


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Browsers ask for it unasked; the drawing is an SVG."""
    return Response(
        read_static("logo.svg"),
        media_type="image/svg+xml",
        headers={"Cache-Control": "public, max-age=86400"},
    )


@router.get("/robots.txt")
async def robots() -> Response:
    """Nothing here is for search engines."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
