"""What goes wrong, in a form programs can act on: RFC 9457, with codes that never change their meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import JSONResponse

CODES: Final = MappingProxyType(
    {
        "bad_request": (400, "The request cannot be read"),
        "unauthenticated": (401, "No valid key"),
        "key_not_allowed_here": (403, "Not from this address"),
        "missing_scope": (403, "The key may not do this"),
        "live_key_needed": (403, "A test key may not do this"),
        "identity_not_allowed": (403, "The key may not write as that identity"),
        "not_found": (404, "Nothing there"),
        "method_not_allowed": (405, "Not with this method"),
        "conflict": (409, "Not as things stand"),
        "checks_in_the_way": (409, "Checks stand in the campaign's way"),
        "call_in_flight": (409, "The same call is being made"),
        "too_large": (413, "The request is too large"),
        "unsupported_media_type": (415, "The body is of a type that is not read here"),
        "invalid": (422, "Parts of the request are not valid"),
        "missing_variables": (422, "The message would lack variables"),
        "identity_required": (422, "Name an identity"),
        "identity_unable": (422, "That identity cannot send at present"),
        "contact_unreachable": (422, "That contact cannot be reached this way"),
        "channel_mismatch": (422, "Template and recipient are of two channels"),
        "expires_too_soon": (422, "It would expire before it is sent"),
        "no_way_to_leave": (422, "The message says no way to stop them"),
        "unusable": (422, "This cannot be used"),
        "idempotency_key_reused": (422, "That Idempotency-Key belongs to another call"),
        "rate_limited": (429, "Too many calls"),
        "internal": (500, "Something failed here"),
        "unavailable": (503, "Not at this moment"),
    }
)
"""Every code, its status and its title."""
MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One part of a request that is not as it should be. `field`: a path such as `to.email`.

    `position`: where in a text, in characters from 0.
    """

    field: str
    code: str
    message: str
    position: int | None = None


class ApiProblemError(Exception):
    """A call is answered with a problem; `code` is one of `CODES`."""

    def __init__(
        self,
        code: str,
        detail: str,
        faults: Sequence[Fault] = (),
        *,
        headers: dict[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """`detail`: a sentence about this very call; `headers`: of the answer; `more`: further members."""
        super().__init__(detail)
        self.code, self.detail, self.faults, self.headers = code, detail, tuple(faults), headers or {}
        self.more = more or {}


def body_of(problem: ApiProblemError, request_id: str, base: str) -> dict[str, Any]:
    """The JSON of a problem; `base`: the address under which each code is explained."""
    status, title = CODES[problem.code]
    told: dict[str, Any] = {
        "type": f"{base}/errors/{problem.code}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.faults:
        told["errors"] = [
            {name: value for name, value in asdict(fault).items() if value is not None}
            for fault in problem.faults
        ]
    return told | dict(problem.more)


def answer_with(problem: ApiProblemError, request_id: str, base: str) -> JSONResponse:
    """The whole answer."""
    return JSONResponse(
        body_of(problem, request_id, base),
        CODES[problem.code][0],
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )
