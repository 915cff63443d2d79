"""Webhooks: programs say where they want to hear of what happens, and look at what was posted there."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.api import Scope
from models.errors import BadInputError
from models.webhook import EndpointState, NoticeState, WebhookEndpoint
from scheduler import endpoints
from scheduler.endpoints import Wanted
from store import webhook_notices, webhooks
from web.api.auth import Caller, may
from web.api.ids import Kind
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging, one_of
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import problems
from web.api.webhook_schemas import (
    DeliveryOut,
    RedeliveredOut,
    RedeliverIn,
    RotateIn,
    SecretOut,
    WebhookIn,
    WebhookMadeOut,
    WebhookOut,
    WebhookPatchIn,
    parts_of,
    told_delivery,
    told_webhook,
)

router = APIRouter(tags=["webhooks"])
Reads = Annotated[Caller, may(Scope.WEBHOOKS_READ)]
Writes = Annotated[Caller, may(Scope.WEBHOOKS_WRITE)]
WebhookId = Annotated[str, Path(max_length=40, examples=["whk_abc"], description="The id of a webhook.")]
DeliveryId = Annotated[str, Path(max_length=40, examples=["ntc_abc"], description="The id of a delivery.")]


@router.post(
    "/webhooks", status_code=201, response_model=WebhookMadeOut, responses=problems("invalid", "conflict")
)
async def make(caller: Writes, body: WebhookIn) -> Response:
    """Have events posted to an address, signed as Standard Webhooks has it. The secret is told this once.

    One made with a test key hears of tests only, one made with a live key of everything else.
    """
    context = caller.context
    async with context.database.write() as session:
        try:
            made, secret = await endpoints.make_endpoint(
                session,
                Wanted(body.url, body.event_types, body.description),
                mode=caller.key.mode,
                keyring=context.keyring,
                by=caller.name,
                now=context.clock.now(),
                loopback=context.webhooks_here,
            )
        except BadInputError as error:
            raise _at_url(error) from error
    told = parts_of(caller.ids, made, context.clock.now())
    return one_of(WebhookMadeOut(**told, secret=secret), status=201)


@router.get("/webhooks", response_model=PageOut[WebhookOut], responses=problems("invalid"))
async def list_all(
    caller: Reads, limit: Limit = 50, cursor: Cursor = None, fields: Fields = None
) -> Response:
    """The webhooks of this key's mode, oldest first."""
    paging = Paging(caller, limit, cursor)
    async with caller.context.database.read() as session:
        found = await webhooks.list_endpoints(session, caller.key.mode)
    after = 0 if paging.after is None else int(paging.after[0])
    rest = [one for one in found if one.id > after][: paging.wanted]
    now = caller.context.clock.now()
    return paging.answer(
        rest, lambda one: (one.id,), WebhookOut, lambda one: told_webhook(caller.ids, one, now), fields
    )


@router.get("/webhooks/{webhook_id}", response_model=WebhookOut, responses=problems("not_found"))
async def look(caller: Reads, webhook_id: WebhookId) -> Response:
    """One webhook, and whether it works."""
    async with caller.context.database.read() as session:
        return _told(caller, await _find(session, caller, webhook_id))


@router.patch(
    "/webhooks/{webhook_id}",
    response_model=WebhookOut,
    responses=problems("invalid", "not_found", "conflict"),
)
async def change(caller: Writes, webhook_id: WebhookId, body: WebhookPatchIn) -> Response:
    """Change what is given. What waits to be told goes to the new address."""
    context, now = caller.context, caller.context.clock.now()
    async with context.database.write() as session:
        found = await _find(session, caller, webhook_id)
        wanted = Wanted(
            body.url if body.url is not None else found.url,
            body.event_types if body.event_types is not None else found.event_types,
            body.description if body.description is not None else found.description,
        )
        try:
            await endpoints.change_endpoint(
                session, found, wanted, by=caller.name, now=now, loopback=context.webhooks_here
            )
        except BadInputError as error:
            raise _at_url(error) from error
        if body.enabled is not None and body.enabled is not (found.state is EndpointState.ENABLED):
            turn = endpoints.enable if body.enabled else endpoints.disable
            await turn(session, found, by=caller.name, now=now)
        await session.refresh(found)
        return _told(caller, found)


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=problems("not_found"))
async def remove(caller: Writes, webhook_id: WebhookId) -> Response:
    """Post nothing there any more; its log goes with it."""
    async with caller.context.database.write() as session:
        found = await _find(session, caller, webhook_id)
        await endpoints.remove(session, found, by=caller.name, now=caller.context.clock.now())
    return Response(status_code=204)


@router.post(
    "/webhooks/{webhook_id}:rotate-secret",
    responses=problems("invalid", "not_found"),
)
async def rotate(caller: Writes, webhook_id: WebhookId, body: RotateIn | None = None) -> SecretOut:
    """A new secret, told this once. For a while, a day unless you say otherwise, both sign every call."""
    now = caller.context.clock.now()
    overlap = timedelta(seconds=(body or RotateIn()).overlap)
    async with caller.context.database.write() as session:
        found = await _find(session, caller, webhook_id)
        secret = await endpoints.rotate_secret(
            session, found, keyring=caller.context.keyring, now=now, overlap=overlap
        )
    return SecretOut(secret=secret, overlaps_until=now + overlap)


@router.post(
    "/webhooks/{webhook_id}:ping",
    status_code=202,
    response_model=DeliveryOut,
    responses=problems("not_found", "conflict"),
)
async def try_out(caller: Writes, webhook_id: WebhookId) -> Response:
    """Have `webhook.ping` posted, which means nothing, to see whether it arrives."""
    async with caller.context.database.write() as session:
        found = await _find(session, caller, webhook_id)
        notice = await endpoints.try_out(session, found, caller.context.clock.now())
    return one_of(told_delivery(caller.ids, notice, whole=True), status=202)


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    response_model=PageOut[DeliveryOut],
    responses=problems("invalid", "not_found"),
)
async def log(
    caller: Reads,
    webhook_id: WebhookId,
    *,
    state: Annotated[NoticeState | None, Query(description="Only those.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """What was posted there in the last thirty days, or waits to be, the latest first."""
    paging = Paging(caller, limit, cursor)
    before = None if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await _find(session, caller, webhook_id)
        rows = await webhook_notices.list_notices(
            session, found.id, state=state, before_id=before, limit=paging.wanted
        )
    return paging.answer(
        rows, lambda one: (one.id,), DeliveryOut, lambda one: told_delivery(caller.ids, one), fields
    )


@router.get(
    "/webhooks/{webhook_id}/deliveries/{delivery_id}",
    response_model=DeliveryOut,
    responses=problems("not_found"),
)
async def look_at_delivery(caller: Reads, webhook_id: WebhookId, delivery_id: DeliveryId) -> Response:
    """One of them, with what is posted."""
    async with caller.context.database.read() as session:
        found = await _find(session, caller, webhook_id)
        number = caller.ids.read(Kind.NOTICE, delivery_id)
        notice = await webhook_notices.get_notice(session, found.id, number)
    return one_of(told_delivery(caller.ids, notice, whole=True))


@router.post(
    "/webhooks/{webhook_id}/deliveries/{delivery_id}:redeliver",
    status_code=202,
    responses=problems("not_found", "conflict"),
)
async def tell_again(caller: Writes, webhook_id: WebhookId, delivery_id: DeliveryId) -> RedeliveredOut:
    """Post one again, at once, under the same `webhook-id`. 0: it is just being posted."""
    now = caller.context.clock.now()
    async with caller.context.database.write() as session:
        found = await _find(session, caller, webhook_id)
        number = caller.ids.read(Kind.NOTICE, delivery_id)
        notice = await webhook_notices.get_notice(session, found.id, number)
        many = await endpoints.tell_again(session, found, now=now, notice_id=notice.id)
    return RedeliveredOut(redelivered=many)


@router.post(
    "/webhooks/{webhook_id}:redeliver",
    status_code=202,
    responses=problems("invalid", "not_found", "conflict"),
)
async def tell_all_again(caller: Writes, webhook_id: WebhookId, body: RedeliverIn) -> RedeliveredOut:
    """Post again, at once, all that were noted since a moment, each under the same `webhook-id`."""
    now = caller.context.clock.now()
    async with caller.context.database.write() as session:
        found = await _find(session, caller, webhook_id)
        many = await endpoints.tell_again(
            session, found, now=now, since=body.since, failed_only=body.failed_only
        )
    return RedeliveredOut(redelivered=many)


async def _find(session: AsyncSession, caller: Caller, webhook_id: str) -> WebhookEndpoint:
    number = caller.ids.read(Kind.WEBHOOK, webhook_id)
    return await webhooks.get_endpoint(session, number, caller.key.mode)


def _told(caller: Caller, found: WebhookEndpoint) -> Response:
    return one_of(told_webhook(caller.ids, found, caller.context.clock.now()))


def _at_url(error: BadInputError) -> ApiProblemError:
    return ApiProblemError("invalid", str(error), [Fault("url", "invalid", error.problem)])
