"""Addresses that are not written to any more: how many and why, one address's history, add and lift.

The list is kept by fingerprint, so a page never shows an address that it was not given; who is meant is
told where the message that came back is still on record.
"""

from fastapi import APIRouter
from starlette.responses import Response

from audience.addresses import read_email, read_phone
from models.errors import BadInputError
from models.states import Channel, SuppressionReason
from models.suppression import Suppression, address_hash
from store import consents, suppression_pages, suppressions
from web.access import Editor, Reader, Visit
from web.borrowed import say_error
from web.bounce_words import read_evidence
from web.i18n import N_
from web.view import go, page

router = APIRouter()
A_PAGE = 25
NO_REASON = N_("Say why: the reason is kept as the trace of the decision.")


def read_address(channel: Channel, text: str) -> str:
    """The address in its one form; BadInputError with the reason when it is none."""
    return read_email(text) if channel is Channel.EMAIL else read_phone(text)


@router.get("/suppressions")
async def list_page(visit: Reader) -> Response:
    """How many addresses are suppressed for which reason, and a form to look one up."""
    return await _show(visit)


@router.post("/suppressions/look")
async def look(visit: Reader) -> Response:
    """The history of one address. A form and not a link: addresses do not belong in logs of web servers."""
    try:
        channel, address = _named(visit)
    except BadInputError as error:
        return await _show(visit, problem=say_error(visit.tongue, error), status=400)
    async with visit.context.database.read() as session:
        history = await suppressions.history(session, channel, address_hash(channel, address))
    return await _show(visit, channel=channel, address=address, history=history)


@router.post("/suppressions/add")
async def add(visit: Editor) -> Response:
    """Write to an address no more."""
    try:
        why = reason_given(visit)
        channel, address = _named(visit)
    except BadInputError as error:
        return await _show(visit, problem=say_error(visit.tongue, error), status=400)
    async with visit.context.database.write() as session:
        await suppressions.suppress(
            session,
            channel=channel,
            address_hash=address_hash(channel, address),
            reason=SuppressionReason.MANUAL,
            evidence=why,
            event_id=None,
            now=visit.context.clock.now(),
        )
    return go("/suppressions", "suppression-added")


@router.post("/suppressions/lift")
async def lift(visit: Editor) -> Response:
    """End every suppression of an address; the rows stay, with who lifted them and why."""
    try:
        why = reason_given(visit)
        channel, address = _named(visit)
    except BadInputError as error:
        return await _show(visit, problem=say_error(visit.tongue, error), status=400)
    async with visit.context.database.write() as session:
        await suppressions.lift(
            session,
            channel=channel,
            address_hash=address_hash(channel, address),
            why=why,
            now=visit.context.clock.now(),
        )
        is_withdrawn = await consents.has_withdrawn(session, channel, address)
    return go("/suppressions", f"suppression-lifted{f'-{channel.value}' if is_withdrawn else ''}")


def _named(visit: Visit) -> tuple[Channel, str]:
    """The channel and the address of the form; BadInputError when it is none."""
    channel = visit.form.choice("channel", Channel, Channel.EMAIL)
    return channel, read_address(channel, visit.form.text("address", 254))


def reason_given(visit: Visit) -> str:
    """Who decides and why; BadInputError without a reason."""
    why = visit.form.text("why", 400)
    if not why:
        raise BadInputError(NO_REASON)
    return f"{visit.user.email if visit.user else ''}: {why}"


async def _show(
    visit: Visit,
    *,
    problem: str = "",
    status: int = 200,
    channel: Channel = Channel.EMAIL,
    address: str = "",
    history: list[Suppression] | None = None,
) -> Response:
    now = visit.context.clock.now()
    reason = next((one for one in SuppressionReason if one.value == visit.query.text("reason")), None)
    wanted = next((one for one in Channel if one.value == visit.query.text("channel")), None)
    before = visit.query.number("before")
    async with visit.context.database.read() as session:
        counts = await suppressions.count_by_reason(session, now)
        lines = await suppression_pages.in_force(
            session, now, channel=wanted, reason=reason, before_id=before, limit=A_PAGE + 1
        )
    return page(
        visit,
        "suppressions.html",
        status,
        counts=counts,
        reasons=[reason for reason in SuppressionReason if any(key[1] is reason for key in counts)],
        channels=list(Channel),
        channel=channel,
        address=address,
        history=None if history is None else [(row, read_evidence(row.evidence)) for row in history],
        standing=any(suppressions.holds(row, now) for row in history or []),
        problem=problem,
        lines=[(line, read_evidence(line.row.evidence)) for line in lines[:A_PAGE]],
        more=len(lines) > A_PAGE,
        begun=before is not None,
        reason=reason,
        wanted=wanted,
    )
