"""Webhooks of mail providers: proven first, stored once, answered; a job applies what they tell.

A call that is not the provider's, or came too late, changes nothing. What is told is stored before it is
answered, so none is lost, and never applied here: providers want their answer within seconds.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from deliverability.hook_fetch import FetchError
from deliverability.signals.hooks import (
    PROVIDERS,
    ForgedError,
    HookRequest,
    Provider,
    StaleError,
    is_readable,
)
from models.errors import NotFoundError
from models.values import Signal
from store import incoming, news
from web.access import ForbiddenError
from web.door import FrontDoor, client_address, front_door
from web.public.letters import TooManyError

log = logging.getLogger(__name__)
router = APIRouter()
BODY_S = 30.0
"""How long a call's body may take to arrive."""
SMALL_BYTES = 8 * 1024
MOST_KEPT_UNREAD = 64 * 1024
ResultT = TypeVar("ResultT")


@router.head("/hooks/{provider}")
async def probe(request: Request, provider: str) -> Response:
    """Some providers look whether the address is there before they keep it."""
    _set_up(request, provider)
    return Response(status_code=200)


@router.post("/hooks/{provider}")
async def hook(request: Request, provider: str) -> Response:
    """One call of a provider: 200 once it is stored, and as well when it told nothing new."""
    context, now = front_door(request).context, front_door(request).context.clock.now()
    known, secrets = _set_up(request, provider)
    desk = context.hooks
    if not known.speaks(request.headers.get("content-type", "")):
        return Response(status_code=415)
    try:
        call = await _arrived(request)
        async with desk.reading:
            call, signals = await _proven(request, known, secrets, call, now)
    except (FetchError, TimeoutError) as error:
        # Whoever it is may ask again: nothing is known of it yet.
        log.warning("webhook not proven", extra={"provider": known.key, "problem": str(error)})
        return Response(status_code=503 if isinstance(error, FetchError) else 408)
    await desk.keep(context.database, signals, now)
    desk.count_told(context.database, known.key, now, len(signals))
    log.info("webhook", extra={"provider": known.key, "told": len(signals)})
    address = known.confirms(call) if known.confirms is not None else None
    if address is not None:
        try:
            await desk.fetch(address)
        except FetchError as error:
            # It asks again when it is not answered well.
            log.warning("subscription not confirmed", extra={"provider": known.key, "problem": str(error)})
            return Response(status_code=503)
        log.info("subscription confirmed", extra={"provider": known.key})
    return Response(status_code=200)


def _set_up(request: Request, name: str) -> tuple[Provider, tuple[str, ...]]:
    """The provider and its secrets; 404 where it is unknown or not set up."""
    door = front_door(request)
    provider, secrets = PROVIDERS.get(name), door.context.hook_secrets.get(name, ())
    if provider is None or not secrets:
        raise NotFoundError("No such provider is set up here.")
    return provider, secrets


async def _arrived(request: Request) -> HookRequest:
    """The call; TimeoutError when its body takes too long, so that nobody keeps others waiting."""
    query = f"?{request.url.query}" if request.url.query else ""
    # Signed is the address the provider was given, which a proxy may have rewritten on the way here.
    url = f"{front_door(request).context.public_url}{request.url.path}{query}"
    headers = {name.lower(): value for name, value in request.headers.items()}
    async with asyncio.timeout(BODY_S):
        return HookRequest(url, headers, await request.body())


async def _proven(
    request: Request, provider: Provider, secrets: tuple[str, ...], call: HookRequest, now: datetime
) -> tuple[HookRequest, list[Signal]]:
    """The call and what it tells; ForbiddenError, counted, unless the provider made it.

    TooManyError, uncounted, where too many were forged from there: a right signature passes all the same,
    or a secret that was wrong for a while would keep the provider itself out; passwords are not tried on.
    FetchError when it cannot be known, since what proves it is not to be had.
    """
    door, client = front_door(request), client_address(request)
    context = door.context
    if not provider.has_keys(secrets):
        _turn_away_forgers(door, client)
    try:
        if provider.needs is not None and (address := provider.needs(call, secrets)) is not None:
            if not context.hooks.certificates.knows(address):
                _turn_away_forgers(door, client)
            call = replace(call, fetched=await context.hooks.certificates(address))
        nonce = await _aside(call, provider.verify, call, secrets, now)
        if nonce is not None:
            await _use_once(request, provider, nonce, call.body, now)
    except ForgedError as error:
        _turn_away_forgers(door, client)
        door.forgeries.count(client)
        stale = isinstance(error, StaleError)
        context.hooks.count_refused(context.database, provider.key, now, stale=stale)
        extra = {"provider": provider.key, "stale": stale, "problem": error.problem}
        log.warning("webhook refused", extra=extra)
        raise ForbiddenError from error
    signals = await _aside(call, provider.read, call, context.tokens, now)
    if not signals and not await _aside(call, is_readable, call):
        await _keep_unreadable(request, provider, call.body, now)
    return call, signals


def _turn_away_forgers(door: FrontDoor, client: str) -> None:
    """TooManyError for who has forged too much to be looked at any closer."""
    if wait := door.forgeries.wait(client):
        raise TooManyError(wait)


async def _keep_unreadable(request: Request, provider: Provider, body: bytes, now: datetime) -> None:
    """What is proven and says nothing stays to be looked at, among the originals that led to nobody."""
    log.warning("webhook not understood", extra={"provider": provider.key, "octets": len(body)})
    if body:
        async with front_door(request).context.database.write() as session:
            await incoming.keep(
                session, source=provider.key, raw=body[:MOST_KEPT_UNREAD], matched=False, now=now
            )


async def _use_once(request: Request, provider: Provider, nonce: str, body: bytes, now: datetime) -> None:
    digest = hashlib.sha256(body).hexdigest()
    async with front_door(request).context.database.write() as session:
        if not await news.use_nonce(session, provider.key, nonce, digest, now):
            raise StaleError("This token served another call.")


async def _aside(call: HookRequest, work: Callable[..., ResultT], *arguments: object) -> ResultT:
    """What `work` makes of a call: in a thread, unless the call is so small that this takes longer."""
    if len(call.body) <= SMALL_BYTES:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)
