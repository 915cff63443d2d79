"""What each code of a problem means and what to do about it: the pages its `type` leads to, in English.

Programmers read them, of every country; what their users are to read, they write themselves.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from models.errors import NotFoundError
from web.api.problems import CODES
from web.view import environment

router = APIRouter(include_in_schema=False)
_WAIT: Final = "Wait for as many seconds as Retry-After says, then make the same call again."
EXPLAINED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "bad_request": (
            "The request cannot be read: its body is no JSON.",
            "Send JSON in UTF-8, with Content-Type: application/json.",
        ),
        "unauthenticated": (
            "There is no key in the Authorization header, or it is unknown, has ended or is revoked.",
            "Send Authorization: Bearer tcn_live_…; an administrator makes keys on the page “API keys”.",
        ),
        "key_not_allowed_here": (
            "The key is bound to networks, and the call came from elsewhere.",
            "Call from there, or make a key for this place. Behind a proxy, see TOCSIN_TRUSTED_PROXIES.",
        ),
        "missing_scope": (
            "The key opens, but not this: it lacks the scope that the detail names.",
            "Make a key that may do it; a key's scopes never change.",
        ),
        "live_key_needed": (
            "What everybody shares is not a test's to change: a test key may read it.",
            "Use a live key.",
        ),
        "identity_not_allowed": (
            "The key is bound to identities, and the message names another one.",
            "Name one of those that GET /v1/key lists, or leave it to auto.",
        ),
        "not_found": (
            "There is nothing of that id or name, or it is another mode's: test keys see what they made.",
            "Look at the id; ids of other installations are unknown here.",
        ),
        "method_not_allowed": (
            "The address is right, the method is not.",
            "The header Allow lists those that are.",
        ),
        "conflict": (
            "What is asked does not go with the state things are in.",
            "Read the thing again; the detail says what stands in the way.",
        ),
        "checks_in_the_way": (
            "The campaign may not leave as it is: checks stand in its way, which errors lists.",
            "Mend what they say. Past some of them an administrator may go with a reason.",
        ),
        "call_in_flight": (
            "A call under the same Idempotency-Key is being made at this very moment.",
            _WAIT,
        ),
        "too_large": ("The body is larger than this address takes.", "Send it in several parts."),
        "unsupported_media_type": (
            "The body is of a type that is not read here.",
            "Send Content-Type: application/json; files of people come as text/csv or application/x-ndjson.",
        ),
        "invalid": (
            "Parts of the request are not as its description says; errors names each, and what to write.",
            "Mend those parts. The same call again gets the same answer.",
        ),
        "missing_variables": (
            "The template needs values that nobody gave; errors names each. Nothing was queued.",
            "Give them in variables, or give the template a fallback.",
        ),
        "identity_required": (
            "Nobody can be chosen by himself as the one who writes.",
            "Name an identity in the call.",
        ),
        "identity_unable": (
            "That identity does not send at present: it is suspended, retired or not shown to be yours.",
            "Its page says what is missing.",
        ),
        "contact_unreachable": (
            "The contact has no address for the template's channel.",
            "Give the contact one, or take a template of the other channel.",
        ),
        "channel_mismatch": (
            "The template is of one channel and the address of the other.",
            "Take an e-mail template for an e-mail address, a text template for a number.",
        ),
        "expires_too_soon": (
            "The message would expire before it may be sent.",
            "Let it expire later, or send it earlier.",
        ),
        "no_way_to_leave": (
            "The content of the message has no way to leave: an e-mail of a campaign needs one.",
            "Put {{ unsubscribe_url }} into it.",
        ),
        "unusable": ("What was sent is well formed and cannot be used; the detail says why.", "Change it."),
        "idempotency_key_reused": (
            "That Idempotency-Key was sent before, with another body or to another address.",
            "Draw a new key for each new call; keep it only to make the same call again.",
        ),
        "rate_limited": ("The key has made its calls of this minute.", _WAIT),
        "internal": (
            "Something failed here. Whether the call did anything is not known.",
            "Make it again under the same Idempotency-Key. The log has the reason under request_id.",
        ),
        "unavailable": ("The service cannot take this on at the moment.", _WAIT),
    }
)
"""Of each code: what it means, what to do."""


def explain(code: str) -> tuple[str, str]:
    """What a code means, and what to do."""
    return EXPLAINED.get(code, (f"{CODES[code][1]}.", ""))


@router.get("/errors")
async def all_problems(_request: Request) -> Response:
    """Every code."""
    return _page(tuple(CODES))


@router.get("/errors/{code}")
async def one_problem(_request: Request, code: str) -> Response:
    """One code."""
    if code not in CODES:
        raise NotFoundError("There is no such code.")
    return _page((code,))


def _page(codes: tuple[str, ...]) -> Response:
    text = (
        environment("en")
        .get_template("api_errors.html")
        .render(codes=[(code, *CODES[code], *explain(code)) for code in codes])
    )
    return Response(text, media_type="text/html", headers={"Cache-Control": "public, max-age=3600"})
