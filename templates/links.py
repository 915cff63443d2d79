"""Links: found, numbered and replaced by numbers, and turned back into one person's target.

The address behind a number stays on the server, so a link in a mail can lead nowhere but where the
template says: the host of a target is always written in the template, never taken from a value, or the
redirect would be open to anybody who can edit a contact.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from html import unescape
from typing import Any
from urllib.parse import quote

from jinja2 import Undefined

from models.errors import TemplateError
from templates.label import NOTICE_FIELD
from templates.language import Absent, Part, Sandbox, compile_part, fields_of, parse
from templates.personalise import clean
from templates.source import MARK, PRINT, Protected

UNSUBSCRIBE_FIELD = "unsubscribe_url"
CLICK_FIELD = "click_base"
_ANCHOR = re.compile(r"""(<(?:a|area)\b(?:[^>"']|"[^"]*"|'[^']*')*?\shref=")([^"]*)(")""", re.IGNORECASE)
_SOURCE = re.compile(r"""(<img\b(?:[^>"']|"[^"]*"|'[^']*')*?\ssrc=")([^"]*)(")""", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_LEFT_ALONE = re.compile(r"(?:mailto|tel|sms):|#|$", re.IGNORECASE)
_OURS = re.compile(rf"^\{{\{{\s*(?:{UNSUBSCRIBE_FIELD}|{NOTICE_FIELD})\b[^}}]*\}}\}}$")
"""Links to pages of our own, which nobody's visit is counted on."""
# Each value is put between these two while a target is checked; quote() lets neither through.
_OPEN, _CLOSE = "\ue000", "\ue001"
_STATIC_HOST = re.compile(
    r"https?://(?:\[[0-9a-fA-F:.]+\]|[^\s/?#\\@:\[\]\ue000\ue001]+)(?::\d+)?(?=[/?#]|$)", re.IGNORECASE
)
_HOST = re.compile(r"(https?://)([^\[/?#:][^/?#:]*)", re.IGNORECASE)
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_URL_SIGNS = "!#$%&'()*+,/:;=?@[]~-._" + _OPEN + _CLOSE


def number_links(html: Protected) -> tuple[str, tuple[str, ...]]:
    """The protected HTML with each web link as a slot for `{click_base}/{index}`, and the targets in order.

    The same target has the same number throughout. mailto:, tel:, sms:, anchors and links to our own pages
    stay as they are, their values URL-escaped. Raises TemplateError for a link that leads elsewhere.
    """
    targets: dict[str, int] = {}
    base = html.set_aside(PRINT, f"{{{{{CLICK_FIELD}}}}}")

    def replace(anchor: re.Match[str]) -> str:
        target = html.restore(unescape(anchor.group(2)).strip())
        if _OURS.match(target):
            return anchor.group()
        if _LEFT_ALONE.match(target):
            return anchor.group(1) + _escape_values(html, anchor.group(2)) + anchor.group(3)
        check_target(target)
        index = targets.setdefault(target, len(targets))
        return f"{anchor.group(1)}{base}/{index}{anchor.group(3)}"

    text = _ANCHOR.sub(replace, html.text)
    text = _SOURCE.sub(
        lambda image: image.group(1) + _escape_values(html, image.group(2)) + image.group(3), text
    )
    return text, tuple(targets)


def _escape_values(html: Protected, address: str) -> str:
    """The address with each of its values URL-escaped."""

    def wrap(mark: re.Match[str]) -> str:
        code = html.restore(mark.group())
        return (
            html.set_aside(PRINT, f"{{{{ ({code[2:-2]})|urlencode }}}}")
            if mark.group(1) == PRINT
            else mark.group()
        )

    return MARK.sub(wrap, address)


def check_target(target: str) -> None:
    """TemplateError when a target is no web address, or its host is not written in the template."""
    code_first = target.startswith(("{{", "{%"))
    if not code_first and not _WEB.match(target):
        raise TemplateError(
            f"The link “{target[:80]}” is no web address.", "Begin it with https://, mailto: or tel:."
        )
    if target.startswith("{{") or (
        not code_first and not _STATIC_HOST.match(re.sub(r"\{\{.*?\}\}|\{%.*?%\}", _OPEN, target))
    ):
        raise TemplateError(
            f"The host of the link “{target[:80]}” comes from a merge field.",
            "Write https:// and the host in the template; fields may follow after the first slash.",
        )
    parse(_environment(), target)


def target_fields(target: str) -> frozenset[str]:
    """The merge fields a target asks for."""
    environment = _environment()
    return fields_of(environment, parse(environment, target))


def render_target(target: str, values: Mapping[str, str], fallbacks: Mapping[str, str] | None = None) -> str:
    """The address behind a link, for one person, in ASCII; values are URL-escaped, missing ones empty.

    Empty rather than refused: when somebody clicks, the person's data may have been erased since, and the
    page should open all the same. Raises TemplateError unless the result is http(s) with a host that the
    template itself wrote.
    """
    part, fields = _compiled(target)
    filled: dict[str, Any] = {}
    for name in fields:
        value = clean(values.get(name, "")) or clean((fallbacks or {}).get(name, ""))
        if value:
            filled[name] = value
    url = part.render(filled).strip()
    if not _STATIC_HOST.match(url):
        raise TemplateError(
            "A link does not lead to a host written in its template.",
            "Write https:// and the host in the template.",
        )
    return _as_ascii(url.replace(_OPEN, "").replace(_CLOSE, ""))


@lru_cache(maxsize=1024)
def _compiled(target: str) -> tuple[Part, frozenset[str]]:
    return compile_part(_environment(), target), target_fields(target)


def _quote_value(value: Any) -> str:
    if value is None or isinstance(value, Undefined):
        return ""
    return f"{_OPEN}{quote(clean(str(value)), safe='')}{_CLOSE}"


class _Erased(Absent):
    """A value that is not there any more: empty."""

    __slots__ = ()

    def __str__(self) -> str:
        return ""


def _environment() -> Sandbox:
    environment = Sandbox(finalize=_quote_value, autoescape=False)
    environment.undefined = _Erased
    # Values are escaped anyway: escaping twice would show the escapes.
    environment.filters["urlencode"] = str
    return environment


def _as_ascii(url: str) -> str:
    """The host in its IDNA form, everything else beyond ASCII percent-encoded; no blanks or controls."""
    match = _HOST.match(url)
    if match:
        try:
            host = match.group(2).encode("idna").decode("ascii")
        except UnicodeError:
            host = ""
        # Some signs become a slash on the way to ASCII, and so would end the host early.
        if not _HOST_NAME.fullmatch(host):
            raise TemplateError("The host of a link is no domain name.", "Correct the link.")
        url = match.group(1) + host + url[match.end() :]
    return quote(url, safe=_URL_SIGNS)
