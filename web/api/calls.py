"""Calls that may be made twice: the Idempotency-Key, and what is answered to each time."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Header
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from store import idempotency
from store.idempotency import Answered, Call, Different, InFlight, Known
from store.imports import may_pass
from web.api.auth import Caller
from web.api.problems import ApiProblemError

ATTEMPTS: Final = 4
"""How often a deed is begun when others write the same rows at the same moment."""

Deed = Callable[[AsyncSession, datetime], Awaitable[tuple[int, str]]]
"""What a call does within a transaction; the status and the body of its answer."""

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
    return Call(caller.key.line_id, key, digest)


def answer(found: Known) -> Response:
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


async def told_before(caller: Caller, call: Call | None) -> Response | None:
    """The answer that a call got before, if it did; for one that cannot be read any more."""
    if call is None:
        return None
    async with caller.context.database.read() as session:
        found = await idempotency.look(session, call, caller.context.clock.now())
    return None if found is None else answer(found)


async def once(caller: Caller, key: str | None, body: Any, deed: Deed) -> Response:
    """Do something in one transaction, and under an Idempotency-Key once: the answer is kept with the deed.

    What raises is neither done nor kept. Who was in the way of another writer begins again.
    """
    call = call_of(caller, key, body)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return answer(await _once(caller, call, deed))
        except Exception as error:
            if attempt == ATTEMPTS or not may_pass(error):
                raise
    raise AssertionError


async def _once(caller: Caller, call: Call | None, deed: Deed) -> Known:
    async with caller.context.database.write() as session:
        now = caller.context.clock.now()
        known = None if call is None else (await idempotency.begin(session, [call], now))[0]
        if known is not None:
            return known
        answered = Answered(*await deed(session, now), fresh=True)
        if call is not None:
            await idempotency.keep(session, [(call, answered)], now)
    return answered
