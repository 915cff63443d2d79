"""Pages made of a file in `html/` and the values a page module found.

Escaping is always on; a variable that is missing is an error, so that a page never shows a hole.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from models.access import Role
from models.providers import provider_name
from web.access import VISITOR_LIFETIME, Visit, set_cookie, tongue_of
from web.borrowed import say_borrowed
from web.door import front_door
from web.i18n import LANGUAGES, Tongue, is_single, read_catalogue
from web.notices import NOTICES
from web.words import TONES, word_for

HTML = Path(__file__).parent / "html"
STATIC = Path(__file__).parent / "static"


@cache
def static_versions() -> Mapping[str, str]:
    """File in `static/` → the first digits of its SHA-256, so that browsers may keep it for ever."""
    return MappingProxyType(
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in sorted(STATIC.iterdir())}
    )


def static_url(name: str) -> str:
    """The address of a file in `static/`; KeyError when there is none."""
    return f"/static/{name}?v={static_versions()[name]}"


@cache
def environment(language: str) -> Environment:
    """The page maker of one language."""
    made = Environment(
        loader=FileSystemLoader(HTML),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    catalogue = read_catalogue(language)

    def gettext(text: str) -> str:
        return catalogue.get(text, (text,))[0]

    def ngettext(one: str, many: str, count: int) -> str:
        forms = catalogue.get(one, (one, many))
        return forms[0] if is_single(count, language) else forms[-1]

    made.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        static=static_url,
        word_for=word_for,
        provider_name=provider_name,
        tones=TONES,
        languages=LANGUAGES,
        Role=Role,
    )
    return made


def render(name: str, tongue: Tongue, /, **values: object) -> str:
    """The text of the page `html/{name}` in the reader's language."""

    def told(text: str) -> str:
        return say_borrowed(tongue, text)

    return environment(tongue.language).get_template(name).render(tongue=tongue, told=told, **values)


def page(visit: Visit, name: str, status: int = 200, /, **values: object) -> HTMLResponse:
    """A page for somebody of the organisation, or for the forms that come before the sign-in."""
    text = render(
        name,
        visit.tongue,
        visit=visit,
        user=visit.user,
        csrf=visit.csrf,
        path=visit.request.url.path,
        notice=NOTICES.get(visit.query.text("said"), ""),
        **values,
    )
    response = HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})
    if visit.visitor is not None:
        set_cookie(response, visit.context, "tocsin_visitor", visit.visitor, VISITOR_LIFETIME)
    return response


def public_page(request: Request, name: str, status: int = 200, /, **values: object) -> HTMLResponse:
    """A page for the outside: no account, no cookie, no database (the page may be about its loss)."""
    tongue = values.pop("tongue", None)
    if not isinstance(tongue, Tongue):
        tongue = tongue_of(request, front_door(request).context)
    text = render(name, tongue, **values)
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def go(path: str, said: str = "") -> RedirectResponse:
    """On to another page after a form, with a notice from `web.notices`."""
    address = f"{path}?{urlencode({'said': said})}" if said else path
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
