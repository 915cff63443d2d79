"""Webhooks: who hears of what happens, whether it arrives, and telling it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.api import KeyMode
from models.errors import BadInputError, ConflictError, TocsinError
from models.webhook import EndpointState, NoticeState, WebhookEndpoint
from models.webhook_types import TYPES
from scheduler import endpoints
from scheduler.endpoints import Wanted
from store import webhook_notices, webhooks
from web.access import Admin, Visit
from web.i18n import N_
from web.view import go, page
from web.webhook_words import GROUPS, MODES, STATES, TONES, TYPE_NAMES, say_reason

router = APIRouter()
A_PAGE = 50
WHICH_MOMENT = N_("Say since when.")


@dataclass(frozen=True, slots=True)
class _Line:
    """An endpoint as the list shows it: `state` and its `tone`, `why` it does not work, how many wait."""

    row: WebhookEndpoint
    state: str
    tone: str
    why: str
    waiting: int


@router.get("/webhooks")
async def list_page(visit: Admin) -> Response:
    """The webhooks there are, and the form for another."""
    return await _page(visit)


@router.post("/webhooks")
async def make(visit: Admin) -> Response:
    """A new webhook; its secret is on the page that answers and nowhere else."""
    form, context = visit.form, visit.context
    try:
        async with context.database.write() as session:
            made, secret = await endpoints.make_endpoint(
                session,
                _wanted(visit),
                mode=form.choice("mode", KeyMode, KeyMode.LIVE),
                keyring=context.keyring,
                by=_who(visit),
                now=context.clock.now(),
                loopback=context.webhooks_here,
            )
    except (BadInputError, ConflictError) as error:
        return await _page(visit, error)
    return page(visit, "webhook_secret.html", endpoint=made, secret_text=secret, until=None)


@router.get("/webhooks/{endpoint_id}")
async def one_page(visit: Admin, endpoint_id: int) -> Response:
    """One webhook: whether it works, what was posted there, and what can be done."""
    return await _show(visit, endpoint_id)


@router.post("/webhooks/{endpoint_id}/change")
async def change(visit: Admin, endpoint_id: int) -> Response:
    """Another address, other events, other words."""
    context = visit.context
    try:
        async with context.database.write() as session:
            found = await webhooks.get_endpoint(session, endpoint_id)
            await endpoints.change_endpoint(
                session,
                found,
                _wanted(visit),
                by=_who(visit),
                now=context.clock.now(),
                loopback=context.webhooks_here,
            )
    except (BadInputError, ConflictError) as error:
        return await _show(visit, endpoint_id, error)
    return go(f"/webhooks/{endpoint_id}", "webhook-changed")


@router.post("/webhooks/{endpoint_id}/ping")
async def ping(visit: Admin, endpoint_id: int) -> Response:
    """Have something told that means nothing."""
    try:
        async with visit.context.database.write() as session:
            found = await webhooks.get_endpoint(session, endpoint_id)
            await endpoints.try_out(session, found, visit.context.clock.now())
    except ConflictError as error:
        return await _show(visit, endpoint_id, error)
    return go(f"/webhooks/{endpoint_id}", "webhook-pinged")


@router.post("/webhooks/{endpoint_id}/enable")
async def enable(visit: Admin, endpoint_id: int) -> Response:
    """Tell it again."""
    async with visit.context.database.write() as session:
        found = await webhooks.get_endpoint(session, endpoint_id)
        await endpoints.enable(session, found, by=_who(visit), now=visit.context.clock.now())
    return go(f"/webhooks/{endpoint_id}", "webhook-enabled")


@router.post("/webhooks/{endpoint_id}/disable")
async def disable(visit: Admin, endpoint_id: int) -> Response:
    """Tell it nothing."""
    async with visit.context.database.write() as session:
        found = await webhooks.get_endpoint(session, endpoint_id)
        await endpoints.disable(session, found, by=_who(visit), now=visit.context.clock.now())
    return go(f"/webhooks/{endpoint_id}", "webhook-disabled")


@router.post("/webhooks/{endpoint_id}/rotate")
async def rotate(visit: Admin, endpoint_id: int) -> Response:
    """A new secret; the one before signs as well for a day."""
    context = visit.context
    async with context.database.write() as session:
        found = await webhooks.get_endpoint(session, endpoint_id)
        secret = await endpoints.rotate_secret(
            session, found, keyring=context.keyring, now=context.clock.now()
        )
    return page(
        visit, "webhook_secret.html", endpoint=found, secret_text=secret, until=found.before_until
    )  # fmt: skip


@router.post("/webhooks/{endpoint_id}/remove")
async def remove(visit: Admin, endpoint_id: int) -> Response:
    """With its log."""
    async with visit.context.database.write() as session:
        found = await webhooks.get_endpoint(session, endpoint_id)
        await endpoints.remove(session, found, by=_who(visit), now=visit.context.clock.now())
    return go("/webhooks", "webhook-removed")


@router.post("/webhooks/{endpoint_id}/again")
async def all_again(visit: Admin, endpoint_id: int) -> Response:
    """Tell again all since a moment."""
    try:
        since = _moment(visit)
        failed_only = visit.form.ticked("failed_only")
        return await _again(visit, endpoint_id, since=since, failed_only=failed_only)
    except (BadInputError, ConflictError) as error:
        return await _show(visit, endpoint_id, error)


@router.post("/webhooks/{endpoint_id}/notices/{notice_id}/again")
async def one_again(visit: Admin, endpoint_id: int, notice_id: int) -> Response:
    """Tell one thing again."""
    try:
        return await _again(visit, endpoint_id, notice_id=notice_id)
    except ConflictError as error:
        return await _show(visit, endpoint_id, error)


async def _again(
    visit: Visit,
    endpoint_id: int,
    *,
    notice_id: int | None = None,
    since: datetime | None = None,
    failed_only: bool = False,
) -> Response:
    async with visit.context.database.write() as session:
        found = await webhooks.get_endpoint(session, endpoint_id)
        many = await endpoints.tell_again(
            session,
            found,
            now=visit.context.clock.now(),
            notice_id=notice_id,
            since=since,
            failed_only=failed_only,
        )
    return go(f"/webhooks/{endpoint_id}", "webhook-again" if many else "webhook-none-again")


def _wanted(visit: Visit) -> Wanted:
    form = visit.form
    types = [name for name in TYPES if name in form.texts("type")]
    return Wanted(form.text("url", 2000), types, form.text("description", 200))


def _moment(visit: Visit) -> datetime:
    """What was entered, on the clock of the house."""
    try:
        naive = datetime.fromisoformat(visit.form.text("since", 30)).replace(tzinfo=None)
        return naive.replace(tzinfo=ZoneInfo(visit.context.zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInputError(WHICH_MOMENT) from error


def _who(visit: Visit) -> str:
    return (visit.user.name or visit.user.email) if visit.user is not None else ""


def _line(visit: Visit, row: WebhookEndpoint, counts: Mapping[NoticeState, int]) -> _Line:
    waiting = counts.get(NoticeState.PENDING, 0)
    if row.state is EndpointState.DISABLED:
        return _Line(row, N_("Disabled"), "bad", say_reason(row, visit.tongue), waiting)
    if row.failing_since is not None:
        since = visit.tongue.moment(row.failing_since, "short")
        why = visit.tongue.say("Nothing has arrived since %(moment)s.", moment=since)
        return _Line(row, N_("Out of reach"), "warn", why, waiting)
    if row.worked_at is None:
        return _Line(row, N_("Not called yet"), "quiet", "", waiting)
    return _Line(row, N_("In order"), "good", "", waiting)


async def _lines(visit: Visit, session: AsyncSession) -> list[_Line]:
    counts = await webhook_notices.standings(session)
    return [_line(visit, one, counts.get(one.id, {})) for one in await webhooks.list_endpoints(session)]


async def _page(visit: Visit, error: TocsinError | None = None) -> Response:
    async with visit.context.database.read() as session:
        lines = await _lines(visit, session)
    return page(
        visit,
        "webhooks.html",
        400 if error else 200,
        lines=lines,
        modes=MODES,
        mode=visit.form.text("mode") if error else KeyMode.LIVE.value,
        url=visit.form.text("url", 2000) if error else "",
        description=visit.form.text("description", 200) if error else "",
        ticked=visit.form.texts("type") if error else [],
        groups=GROUPS,
        types=TYPE_NAMES,
        offered=TYPES,
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )


async def _show(visit: Visit, endpoint_id: int, error: TocsinError | None = None) -> Response:
    now = visit.context.clock.now()
    state = next((one for one in NoticeState if one.value == visit.query.text("state", 20)), None)
    async with visit.context.database.read() as session:
        found = await webhooks.get_endpoint(session, endpoint_id)
        counts = (await webhook_notices.standings(session)).get(endpoint_id, {})
        rows = await webhook_notices.list_notices(
            session, endpoint_id, state=state, before_id=visit.query.number("before"), limit=A_PAGE + 1
        )
    return page(
        visit,
        "webhook.html",
        400 if error else 200,
        line=_line(visit, found, counts),
        endpoint=found,
        enabled=found.state is EndpointState.ENABLED,
        overlaps=found.before_until if found.before_until and found.before_until > now else None,
        rows=rows[:A_PAGE],
        following=rows[A_PAGE - 1].id if len(rows) > A_PAGE else 0,
        state=state,
        states=STATES,
        tones_of=TONES,
        modes=MODES,
        url=visit.form.text("url", 2000) or found.url,
        description=visit.form.text("description", 200) if visit.form.raw("url") else found.description,
        ticked=found.event_types,
        groups=GROUPS,
        types=TYPE_NAMES,
        offered=TYPES,
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )
