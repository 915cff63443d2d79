"""Who calls, and what they may: a key in the Authorization header, its scopes, networks and limits."""

import ipaddress
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request

from models.api import ApiKey, KeyMode, Scope
from models.api_secret import is_well_formed, secret_hash
from scheduler.asked import Asker
from store import api_keys
from web.api.ids import Ids
from web.api.parameters import refuse_unknown
from web.api.problems import ApiProblemError
from web.api.quota import Quota
from web.context import WebContext
from web.door import client_address, front_door

KNOWN_FOR = timedelta(seconds=2)
"""How long a key is taken for what it was: one that is revoked opens nothing afterwards."""
NOTED_EVERY = timedelta(minutes=1)
NO_KEY = {"WWW-Authenticate": 'Bearer realm="Tocsin API"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """One call by one key. `ids` writes and reads what names things to programs."""

    key: ApiKey
    context: WebContext
    ids: Ids
    request: Request

    @property
    def asker(self) -> Asker:
        """As those who take wishes on know it."""
        return Asker(self.key.id, self.key.mode is KeyMode.TEST, tuple(self.key.identity_ids))

    @property
    def knows_people(self) -> bool:
        """Whether it may read who people are."""
        return Scope.CONTACTS_READ in self.key.scopes

    @property
    def name(self) -> str:
        """As whose deed something is kept."""
        return f"API key {self.key.name}"[:254]


@dataclass(slots=True)
class Gatehouse:
    """Keys as they were found a moment ago, and what is left to each; of one process."""

    quota: Quota = field(default_factory=Quota)
    _known: dict[str, tuple[datetime, ApiKey | None]] = field(default_factory=dict)

    async def admit(self, request: Request, scope: Scope | None) -> Caller:
        """The caller; ApiProblemError when there is no valid key, or it may not do this (None: any may)."""
        context = front_door(request).context
        key: ApiKey | None = getattr(request.state, "key", None)
        if key is None:
            key = await self.recognise(request)
        if scope is not None and scope not in key.scopes:
            raise ApiProblemError("missing_scope", f"This call needs the scope {scope.value}.")
        return Caller(key, context, Ids(context.tokens), request)

    async def recognise(self, request: Request) -> ApiKey:
        """Whose call it is, once a call, before its body is read; ApiProblemError for nobody's."""
        context = front_door(request).context
        now = context.clock.now()
        key = await self._key_of(request, context, now)
        origin = client_address(request)
        if key.networks and not is_within(origin, key.networks):
            raise ApiProblemError("key_not_allowed_here", f"This key may not be used from {origin}.")
        standing = self.quota.take(key.id, key.per_minute or context.api_per_minute, now)
        request.state.standing = standing
        if standing.wait:
            raise ApiProblemError("rate_limited", f"Try again in {standing.wait} s.")
        await _note_use(context, key, origin, now)
        request.state.key = key
        return key

    async def _key_of(self, request: Request, context: WebContext, now: datetime) -> ApiKey:
        word, _, secret = request.headers.get("authorization", "").partition(" ")
        if word.lower() != "bearer":
            problem = "Send a key as `Authorization: Bearer tcn_live_…`."
            raise ApiProblemError("unauthenticated", problem, headers=NO_KEY)
        if not is_well_formed(secret.strip()):
            problem = "This is no key: one of its characters is wrong, or some are missing."
            raise ApiProblemError("unauthenticated", problem, headers=NO_KEY)
        digest = secret_hash(secret.strip())
        until, key = self._known.get(digest, (now, None))
        if until <= now:
            async with context.database.read() as session:
                key = await api_keys.find_key(session, secret.strip())
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[digest] = (now + KNOWN_FOR, key)
        if key is None or api_keys.has_ended(key, now):
            raise ApiProblemError(
                "unauthenticated", "This key is unknown, has ended or was revoked.", headers=NO_KEY
            )
        return key


def is_within(address: str, networks: list[str]) -> bool:
    """Whether an address is in one of these networks (CIDR)."""
    try:
        origin = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(origin, ipaddress.IPv6Address) and origin.ipv4_mapped is not None:
        origin = origin.ipv4_mapped
    return any(origin in ipaddress.ip_network(network) for network in networks)


async def _note_use(context: WebContext, key: ApiKey, origin: str, now: datetime) -> None:
    if key.last_used_at is not None and now - key.last_used_at < NOTED_EVERY:
        return
    key.last_used_at = now
    async with context.database.write() as session:
        await api_keys.note_use(session, key.id, now=now, origin=origin)


_BEARER = HTTPBearer(scheme_name="key", description="An API key, made under “API keys”.", auto_error=False)


def may(scope: Scope | None) -> Any:
    """A parameter of an endpoint: its caller, who has that scope; None: any caller with a key."""

    async def admitted(request: Request, _shown: Annotated[object, Depends(_BEARER)]) -> Caller:
        gatehouse: Gatehouse = request.app.state.gatehouse
        caller = await gatehouse.admit(request, scope)
        refuse_unknown(request)
        return caller

    admitted.__tocsin_scope__ = scope  # type: ignore[attr-defined]
    return Depends(admitted)


def require_live(caller: Caller) -> None:
    """ApiProblemError for a test key: what everybody shares is not a test's to change."""
    if caller.key.mode is KeyMode.TEST:
        raise ApiProblemError("live_key_needed", "A test key reads this, and changes nothing of it.")


Admitted = Callable[[Request], Coroutine[Any, Any, Caller]]
AnyKey = Annotated[Caller, may(None)]
SendsMessages = Annotated[Caller, may(Scope.MESSAGES_SEND)]
ReadsMessages = Annotated[Caller, may(Scope.MESSAGES_READ)]
