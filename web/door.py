"""What all requests share: the context, the counts of tries, the answers remembered between requests."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.requests import Request

from web.context import WebContext
from web.throttle import Throttle

FAILED_SIGN_INS_AN_ACCOUNT = 10
FAILED_SIGN_INS_AN_ADDRESS = 30
FORGED_TOKENS_AN_ADDRESS = 60
VISITS_AN_ADDRESS = 20_000
SPAN = timedelta(minutes=15)


@dataclass
class FrontDoor:
    """The state of the front door; nothing here has to survive a restart.

    `accounts` and `addresses` count failed sign-ins, `forgeries` tokens that we did not sign, `visits`
    everything a client address asks of the public pages (mail scanners come from few addresses and
    follow every link, so the limit is high).
    """

    context: WebContext
    accounts: Throttle
    addresses: Throttle
    forgeries: Throttle
    visits: Throttle
    has_users: bool = False
    setting_up: asyncio.Lock = field(default_factory=asyncio.Lock)
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))


def make_front_door(context: WebContext) -> FrontDoor:
    """The door of one service, with nobody in front of it yet."""

    def throttle(limit: int) -> Throttle:
        return Throttle(context.clock, limit=limit, span=SPAN)

    return FrontDoor(
        context,
        accounts=throttle(FAILED_SIGN_INS_AN_ACCOUNT),
        addresses=throttle(FAILED_SIGN_INS_AN_ADDRESS),
        forgeries=throttle(FORGED_TOKENS_AN_ADDRESS),
        visits=throttle(VISITS_AN_ADDRESS),
    )


def front_door(request: Request) -> FrontDoor:
    """The door this request came through."""
    door: FrontDoor = request.app.state.front_door
    return door


def client_address(request: Request) -> str:
    """Where the request comes from; the server has already looked behind trusted proxies."""
    return request.client.host if request.client else "unknown"
