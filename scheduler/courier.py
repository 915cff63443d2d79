"""Posts notices to endpoints until each has arrived: at least once, always under the same number.

Each process has a courier, and any number of them work side by side: a notice is held before it is posted,
for a little longer than a call may last, so that one whose courier dies is posted again by another. However
slow an endpoint is, it takes up its own few places only; one that fails is called once at a time, and less
and less often, until it works again: then what waited for it leaves at once.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.errors import SettingsError, StoreError
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.keyring import Keyring
from models.public_ids import Ids
from models.tokens import Tokens
from models.values import Accepted, Deferred, Outcome, Reply
from models.webhook import EndpointState, NoticeState, WebhookEndpoint
from scheduler.incidents import close_incident, open_incident
from scheduler.telling import AT_ONCE, tell_noted
from store import Database, incidents, webhook_notices, webhooks
from store.webhook_notices import Held

if TYPE_CHECKING:
    from sender.webhook import WebhookOptions

log = logging.getLogger(__name__)

_SECONDS: Final = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, *(10 * 3600,) * 11)
WAITS: Final = tuple(timedelta(seconds=seconds) for seconds in _SECONDS)
"""Pauses after each try but the last (Standard Webhooks): seventeen tries in five days."""
MOST_TRIES: Final = len(WAITS) + 1
GIVEN_UP_AFTER: Final = timedelta(days=5)
"""An endpoint that took nothing for so long is disabled."""
TOLD_AFTER: Final = timedelta(hours=1)
"""One that took nothing for so long is an incident."""
LONGEST_PAUSE: Final = timedelta(minutes=1)
TOGETHER_S: Final = 0.01
GONE: Final = 410
KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class CourierOptions:
    """How patient it is. `loopback`: endpoints on this machine, by plain http, for rehearsals.

    `timeout` of one call, `lease` of a notice, longer than that; `places`: calls to one endpoint at once.
    """

    loopback: bool = False
    timeout: timedelta = timedelta(seconds=15)
    lease: timedelta = timedelta(seconds=60)
    places: int = 8
    look_every: timedelta = timedelta(seconds=1)
    last_words: timedelta = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of a call to `url`."""

    held: Held
    url: str
    outcome: Outcome
    milliseconds: int

    @property
    def rest(self) -> timedelta:
        """How long the other side wants to be left alone."""
        asked = self.outcome.retry_after if isinstance(self.outcome, Deferred) else None
        return asked or timedelta()


class Courier:
    """Tells endpoints what is noted for them."""

    def __init__(
        self, database: Database, clock: Clock, keyring: Keyring, options: CourierOptions | None = None
    ) -> None:
        """The parts it works with."""
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._options = options or CourierOptions()
        self._ids = Ids(Tokens(keyring))
        self._calls: dict[asyncio.Task[_Told], int] = {}
        self._forget_at = 0.0

    async def run(self) -> None:
        """Work until cancelled; calls under way get a moment to end, the others are made again later."""
        try:
            while True:
                busy = await self._try_round()
                await self._wait(busy=busy)
        finally:
            await self._end()

    async def round(self) -> bool:
        """Note what came of calls, make notices, start calls; whether there was anything to do."""
        done = [call for call in self._calls if call.done()]
        if done:
            await self._record([call.result() for call in done])
            for call in done:
                del self._calls[call]
        noted = await tell_noted(self._database, self._clock, self._ids)
        started = await self._start_calls()
        await self._forget()
        return bool(done or noted == AT_ONCE or started)

    async def settle(self) -> None:
        """Work until nothing is due and nothing is under way."""
        while await self.round() or self._calls:
            if self._calls:
                await self._some_calls(None)

    async def _try_round(self) -> bool:
        try:
            return await self.round()
        except StoreError as error:
            # What was told and could not be noted is told again, under its number.
            log.warning("webhooks not looked at", extra={"problem": error.problem})
        except Exception:
            # A fault of our own must not keep messages from leaving: it stays in the log, and is tried again.
            log.exception("webhooks not looked at")
        return False

    async def _wait(self, *, busy: bool) -> None:
        span = self._options.look_every.total_seconds()
        if self._calls:
            await self._some_calls(span)
        elif not busy:
            await asyncio.sleep(span)

    async def _some_calls(self, span: float | None) -> None:
        """Until a call has ended, and those that end with it: they are noted together."""
        await asyncio.wait(self._calls, timeout=span, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(TOGETHER_S)

    async def _end(self) -> None:
        if not self._calls:
            return
        _, late = await asyncio.wait(self._calls, timeout=self._options.last_words.total_seconds())
        for call in late:
            call.cancel()
        if late:
            await asyncio.wait(late)
        ended = [call.result() for call in self._calls if not call.cancelled()]
        try:
            await self._record(ended)
        except StoreError as error:
            log.warning("webhooks not noted", extra={"problem": error.problem})
        self._calls.clear()

    async def _start_calls(self) -> int:
        now = self._clock.now()
        async with self._database.read() as session:
            due = await webhooks.due_endpoints(session, now)
        wanting = [(one, free) for one in due if (free := self._free(one)) > 0]
        if not wanting:
            return 0
        until = now + self._options.lease
        held: list[tuple[WebhookEndpoint, Held]] = []
        async with self._database.write() as session:
            for endpoint, free in wanting:
                mine = await webhook_notices.hold(session, endpoint.id, now=now, until=until, limit=free)
                held += [(endpoint, one) for one in mine]
        for endpoint, one in held:
            call = asyncio.create_task(self._call(endpoint, one), name=f"webhook:{endpoint.id}")
            self._calls[call] = endpoint.id
        return len(held)

    def _free(self, endpoint: WebhookEndpoint) -> int:
        """How many more calls it may get now: one that fails, one at a time."""
        under_way = sum(one == endpoint.id for one in self._calls.values())
        return (1 if endpoint.failing_since is not None else self._options.places) - under_way

    async def _call(self, endpoint: WebhookEndpoint, held: Held) -> _Told:
        # Megabytes that a worker has no use for where nobody listens.
        from sender.webhook import post  # noqa: PLC0415

        began = monotonic()
        try:
            outcome = await post(
                endpoint.url,
                held.body.encode(),
                message_id=held.webhook_id,
                now=self._clock.now(),
                options=self._means(endpoint),
            )
        except Exception as error:
            # A fault of our own is a try that failed: it neither lasts nor keeps others waiting.
            log.exception("webhook not posted", extra={"notice": held.id})
            outcome = Deferred(Reply(None, None, _fault(error)))
        return _Told(held, endpoint.url, outcome, int((monotonic() - began) * 1000))

    def _means(self, endpoint: WebhookEndpoint) -> "WebhookOptions":
        from sender.webhook import WebhookOptions  # noqa: PLC0415

        now = self._clock.now()
        both = endpoint.sealed_before and endpoint.before_until is not None and endpoint.before_until > now
        return WebhookOptions(
            secret=self._keyring.decrypt(endpoint.sealed_secret),
            before=self._keyring.decrypt(endpoint.sealed_before) if both else "",
            loopback=self._options.loopback,
            timeout=self._options.timeout,
        )

    async def _record(self, told: list[_Told]) -> None:
        """Note what came of calls in one transaction, endpoint by endpoint, as every courier does."""
        if not told:
            return
        now = self._clock.now()
        async with self._database.write() as session:
            for number in sorted({one.held.endpoint_id for one in told}):
                its = [one for one in told if one.held.endpoint_id == number]
                failed = [one for one in its if not await _settle(session, one, now)]
                for one in failed:
                    await _note_failure(session, one, now)
                if len(failed) < len(its) and await webhooks.note_working(session, number, now):
                    await _recovered(session, number, now)

    async def _forget(self) -> None:
        """Clear the log away, now and then."""
        if monotonic() < self._forget_at:
            return
        async with self._database.write() as session:
            many = await webhook_notices.forget_notices(session, self._clock.now() - KEPT)
        self._forget_at = monotonic() + (1 if many else 3600)


async def _settle(session: AsyncSession, told: _Told, now: datetime) -> bool:
    """Note of one notice what came of its call; whether it was taken."""
    held, reply = told.held, told.outcome.reply
    taken = isinstance(told.outcome, Accepted)
    over = NoticeState.PENDING if held.attempts < MOST_TRIES else NoticeState.FAILED
    await webhook_notices.settle(
        session,
        held,
        state=NoticeState.DELIVERED if taken else over,
        now=now,
        next_at=now if taken else now + max(_wait_after(held.attempts), told.rest),
        status=reply.code,
        problem="" if taken else reply.text,
        milliseconds=told.milliseconds,
    )
    return taken


async def _note_failure(session: AsyncSession, told: _Told, now: datetime) -> None:
    until = now + max(timedelta(seconds=1), told.rest)
    number = told.held.endpoint_id
    endpoint = await webhooks.note_failing(session, number, url=told.url, now=now, until=until)
    if endpoint is not None and endpoint.state is EndpointState.ENABLED:
        await _judge(session, endpoint, gone=told.outcome.reply.code == GONE, rest=told.rest, now=now)


def _wait_after(attempts: int) -> timedelta:
    """The pause after so many tries, up to a tenth longer: what failed together does not return together."""
    wait = WAITS[min(attempts, len(WAITS)) - 1]
    return wait + wait * secrets.randbelow(1000) / 10_000


def _fault(error: Exception) -> str:
    if isinstance(error, SettingsError):
        return error.problem
    return f"It failed here: {type(error).__name__}."


async def _judge(
    session: AsyncSession, endpoint: WebhookEndpoint, *, gone: bool, rest: timedelta, now: datetime
) -> None:
    """What becomes of an endpoint that failed: a longer pause, an incident, its end."""
    failing = now - (endpoint.failing_since or now)
    if gone or failing >= GIVEN_UP_AFTER:
        reason = "webhook_gone" if gone else "webhook_given_up"
        await webhooks.set_state(session, endpoint.id, EndpointState.DISABLED, reason=reason)
        log.warning("webhook disabled", extra={"endpoint": endpoint.id, "reason": reason})
        await _tell_people(session, endpoint, reason, now=now)
        return
    # A tenth of the time it has been failing, up to a minute, unless it asked for more itself.
    pause = max(min(failing / 10, LONGEST_PAUSE), timedelta(seconds=1), rest)
    await webhooks.note_failing(session, endpoint.id, url=endpoint.url, now=now, until=now + pause)
    if failing >= TOLD_AFTER:
        await _tell_people(session, endpoint, "webhook_failing", now=now)


def name_of(endpoint: WebhookEndpoint) -> str:
    """What an endpoint is called among people: its host, and its number, as several may be there."""
    return f"{(urlsplit(endpoint.url).hostname or '?')[:45]} ({endpoint.id})"


async def _tell_people(
    session: AsyncSession, endpoint: WebhookEndpoint, reason: str, *, now: datetime
) -> None:
    stopped = reason != "webhook_failing"
    await open_incident(
        session,
        IncidentKind.WEBHOOK,
        IncidentLevel.RED if stopped else IncidentLevel.AMBER,
        now=now,
        provider=name_of(endpoint),
        reason=reason,
        deed=IncidentDeed.STOPPED if stopped else IncidentDeed.TOLD,
    )


async def _recovered(session: AsyncSession, endpoint_id: int, now: datetime) -> None:
    await end_incident(session, await webhooks.get_endpoint(session, endpoint_id), by="", now=now)


async def end_incident(session: AsyncSession, endpoint: WebhookEndpoint, *, by: str, now: datetime) -> None:
    """End what was told of an endpoint: it works again, or somebody has seen to it."""
    scope = incidents.scope_of(
        IncidentKind.WEBHOOK, identity_id=None, provider=name_of(endpoint), campaign_id=None
    )
    found = await incidents.open_in(session, scope)
    if found is not None:
        await close_incident(session, found.id, by=by, now=now)
