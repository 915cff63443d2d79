"""Calls that may be made twice: the Idempotency-Key, and what is answered to each time."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import Header
from starlette.responses import Response

from store.idempotency import Answered, Call, Different, InFlight
from web.api.auth import Caller
from web.api.problems import ApiProblemError

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Your own name for this call. Made again under the same name within 24 hours, it does "
        "nothing new and gets the same answer.",
    ),
]


def call_of(caller: Caller, key: str | None, body: Any) -> Call | None:
    """The call as it is kept, None without a key. `body`: as it was read, so that spelling does not count."""
    if key is None:
        return None
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(f"{caller.request.url.path}\n{canonical}".encode()).hexdigest()
    return Call(caller.key.id, key, digest)


def answer(found: Answered | Different | InFlight) -> Response:
    """What is sent; ApiProblemError for another call under the same key, and for one that is under way."""
    match found:
        case Answered(status, text, fresh):
            headers = {} if fresh else {"Idempotency-Replayed": "true"}
            kind = "application/problem+json" if status >= 400 else "application/json"
            return Response(text, status, headers, media_type=kind)
        case Different():
            problem = "That Idempotency-Key was sent with another body or to another address."
            raise ApiProblemError("idempotency_key_reused", problem)
        case InFlight():
            raise ApiProblemError(
                "call_in_flight", "The same call is being made right now.", headers={"Retry-After": "1"}
            )
