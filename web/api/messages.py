"""Messages: a CRM hands them over, one or five hundred at a time."""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from models.errors import TocsinError
from scheduler.accepting import Acceptor
from scheduler.asked import Ask, Receipt, Refusal, Results, Wish
from scheduler.forms import Forms
from scheduler.gathering import Gathering
from web.api.auth import Caller, SendsMessages
from web.api.calls import IdempotencyKey, answer, call_of, told_before
from web.api.message_schemas import BatchIn, BatchOut, MessageIn, MessageOut, ResultOut, told_of
from web.api.problems import CODES, ApiProblemError, Fault, body_of
from web.api.schemas import problems
from web.api.waking import ring
from web.api.wishes import read_wish

router = APIRouter(tags=["messages"])
MOST_AT_ONCE = 500


def acceptor_of(caller: Caller) -> Acceptor:
    """Who takes wishes on; one a process, since it remembers compiled templates."""
    return gathering_of(caller).acceptor


def gathering_of(caller: Caller) -> Gathering:
    """Where calls of one message each meet; one a process."""
    state = caller.request.app.state
    found: Gathering | None = getattr(state, "gathering", None)
    if found is None:
        context = caller.context
        forms = Forms(context.database, context.language)
        hours, zone = context.outlook.rhythm.windows, context.zone
        acceptor = Acceptor(context.database, context.clock, forms, hours, zone, price=context.price)
        found = state.gathering = Gathering(acceptor)
    return found


@router.post(
    "/messages",
    status_code=202,
    response_model=MessageOut,
    responses=problems(
        "invalid", "not_found", "idempotency_key_reused", "call_in_flight", "identity_not_allowed"
    ),
)
async def send(caller: SendsMessages, body: MessageIn, key: IdempotencyKey = None) -> Response:
    """Hand over one message.

    202: it is on record and will be sent, or its person must not be written to, which is a result
    (`status: suppressed`) and no error. Nothing answered with 202 is lost.
    """
    call = call_of(caller, key, body.model_dump(mode="json"))
    try:
        wish = await read_wish(caller, body, "")
    except (ApiProblemError, TocsinError):
        # What it names may be gone since it was answered: the answer stands.
        known = await told_before(caller, call)
        if known is None:
            raise
        return known

    def tell(results: Results) -> tuple[int, str]:
        (result,) = results
        if isinstance(result, Refusal):
            raise _refused(result)
        told = told_of(caller.ids, result, base(caller), knows_people=caller.knows_people)
        return 202, told.model_dump_json(exclude_none=True)

    found = await gathering_of(caller).accept(Ask(caller.asker, [wish], tell, call))
    ring(caller.request, caller.context.wake)
    return answer(found)


@router.post(
    "/messages/batch",
    status_code=207,
    response_model=BatchOut,
    responses=problems("invalid", "idempotency_key_reused", "call_in_flight"),
)
async def send_many(caller: SendsMessages, body: BatchIn, key: IdempotencyKey = None) -> Response:
    """Hand over up to 500 messages at once; one result each, in their order.

    What is wrong with one keeps no other. All that can be accepted is, in one transaction.
    """
    read: list[Wish | ApiProblemError] = []
    for place, wanted in enumerate(body.messages):
        try:
            read.append(await read_wish(caller, wanted, f"messages.{place}."))
        except ApiProblemError as problem:
            read.append(problem)
    wishes = [one for one in read if isinstance(one, Wish)]

    def tell(results: Results) -> tuple[int, str]:
        told = _batch(caller, read, results)
        return 207, json.dumps(told, separators=(",", ":"))

    call = call_of(caller, key, body.model_dump(mode="json"))
    found = await acceptor_of(caller).accept(caller.asker, wishes, tell, call)
    ring(caller.request, caller.context.wake)
    return answer(found)


def base(caller: Caller) -> str:
    """The address of the API."""
    return f"{caller.context.public_url}/v1"


def _refused(refusal: Refusal, place: str = "") -> ApiProblemError:
    faults = [
        Fault(
            place + (f"variables.{part}" if refusal.code == "missing_variables" else part),
            refusal.code,
            refusal.problem,
        )
        for part in refusal.parts
    ]
    return ApiProblemError(refusal.code, refusal.problem, faults)


def _batch(caller: Caller, read: Sequence[Wish | ApiProblemError], results: Results) -> dict[str, Any]:
    following = iter(results)
    told: list[ResultOut] = []
    for place, one in enumerate(read):
        result = next(following) if isinstance(one, Wish) else one
        match result:
            case Receipt():
                message = told_of(caller.ids, result, base(caller), knows_people=caller.knows_people)
                told.append(ResultOut(status=202, message=message))
            case Refusal():
                told.append(_problem_of(caller, _refused(result, f"messages.{place}.")))
            case ApiProblemError():
                told.append(_problem_of(caller, result))
    accepted = sum(one.message is not None for one in told)
    batch = BatchOut(accepted=accepted, refused=len(told) - accepted, results=told)
    return batch.model_dump(mode="json", exclude_none=True)


def _problem_of(caller: Caller, problem: ApiProblemError) -> ResultOut:
    body = body_of(problem, caller.request.state.request_id, base(caller))
    return ResultOut.model_validate({"status": CODES[problem.code][0], "problem": body})
