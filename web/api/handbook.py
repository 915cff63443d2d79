"""The interactive documentation at /v1/docs: Swagger UI, from files that are installed here.

Its files come with the package `fastapi-offline`; nothing is asked of anybody else, and the page's policy
would not let it. Calls are made from the page to this installation alone.
"""

from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from models.errors import NotFoundError
from web.view import environment

router = APIRouter(include_in_schema=False)
_PACKAGE: Final = "fastapi_offline"
FILES: Final = MappingProxyType({"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"})
"""What is served of the package, and as what."""
START: Final = """\
"use strict";
window.ui = SwaggerUIBundle({
  url: "/v1/openapi.json",
  dom_id: "#handbook",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
});
"""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def folder() -> Path:
    """Where the files lie; the package is only looked for, not loaded."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise NotFoundError("The interactive documentation is not installed.")
    return Path(found.origin).parent / "static"


@router.get("/docs")
async def handbook() -> Response:
    """The page."""
    text = environment("en").get_template("api_docs.html").render()
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(text, media_type="text/html", headers=headers)


@router.get("/docs/start.js")
async def start() -> Response:
    """What sets it going; no script stands in the page itself."""
    return Response(START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/docs/{name}")
async def file(name: str) -> Response:
    """One of the package's files."""
    if name not in FILES:
        raise NotFoundError("There is no such file.")
    kept = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(folder() / name, media_type=FILES[name], headers=kept)
