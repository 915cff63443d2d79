"""What a rule suppressed, undone as a whole: how many and who is shown first, and done once confirmed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from deliverability.undoing import Fate, Undone, fate_of, undo_rule
from models.contact import Contact
from models.errors import BadInputError
from models.suppression import Suppression
from store import suppression_pages, suppressions
from web.access import Admin, Visit
from web.borrowed import say_error
from web.bounce_words import Explained, explain, read_evidence
from web.i18n import N_
from web.pages.suppressions import reason_given
from web.view import go, page

router = APIRouter()
SHOWN = 50
NO_RULE = N_("Choose a rule.")
NO_DAY = N_("Say from which day on.")


@dataclass(frozen=True, slots=True)
class Culprit:
    """A rule, and how many suppressions stand on it since when."""

    rule: str
    count: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class Concerned:
    """One suppression by the rule, and what undoing it does."""

    row: Suppression
    contact: Contact | None
    explained: Explained | None
    fate: Fate


@dataclass(frozen=True, slots=True)
class Request:
    """Which rule, since when; `day` as it was written."""

    rule: str
    day: str
    since: datetime


@router.get("/suppressions/undo")
async def choose_page(visit: Admin) -> Response:
    """The rules that suppressed somebody, to choose from."""
    return await _show(visit)


@router.post("/suppressions/undo")
async def preview(visit: Admin) -> Response:
    """How many it is and who; nothing is changed."""
    try:
        request = _request(visit)
    except BadInputError as error:
        return await _show(visit, problem=say_error(visit.tongue, error))
    return await _preview(visit, request)


@router.post("/suppressions/undo/confirm")
async def confirm(visit: Admin) -> Response:
    """Carry it out: the suppressions end, and stay on record with who ended them and why."""
    request = None
    try:
        request = _request(visit)
        why = reason_given(visit)
    except BadInputError as error:
        problem = say_error(visit.tongue, error)
        if request is not None:
            return await _preview(visit, request, problem=problem)
        return await _show(visit, problem=problem)
    await undo_rule(
        visit.context.database,
        request.rule,
        since=request.since,
        why=why,
        now=visit.context.clock.now(),
        apply=True,
    )
    return go("/suppressions/lifted", "rule-undone")


def _request(visit: Visit) -> Request:
    rule, day = visit.form.text("rule", 100), visit.form.text("since", 10)
    if not rule:
        raise BadInputError(NO_RULE)
    try:
        first = date.fromisoformat(day)
    except ValueError as error:
        raise BadInputError(NO_DAY) from error
    midnight = datetime.combine(first, time(), ZoneInfo(visit.context.zone))
    return Request(rule, day, midnight.astimezone(UTC))


async def _preview(visit: Visit, request: Request, problem: str = "") -> Response:
    now = visit.context.clock.now()
    seen: Undone = await undo_rule(
        visit.context.database, request.rule, since=request.since, why="-", now=now, apply=False
    )
    async with visit.context.database.read() as session:
        concerned = await _concerned(session, request, now)
    return page(
        visit,
        "suppression_undo.html",
        400 if problem else 200,
        request=request,
        seen=seen,
        concerned=concerned,
        culprits=[],
        problem=problem,
        why=visit.form.text("why", 400),
    )


async def _concerned(session: AsyncSession, request: Request, now: datetime) -> list[Concerned]:
    found = await suppressions.by_rule(session, request.rule, since=request.since, now=now, limit=SHOWN)
    people = await suppression_pages.people(session, [event.contact_id for _, event, _ in found])
    lines = []
    for row, event, delivery in found:
        fate = await fate_of(session, row, delivery, request.rule, since=request.since, now=now)
        lines.append(Concerned(row, people.get(event.contact_id or 0), explain(event), fate))
    return lines


async def _show(visit: Visit, problem: str = "") -> Response:
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        counted = await suppression_pages.evidence_counts(session, now)
    culprits = _culprits(counted)
    first = min((one.first_at for one in culprits), default=now).astimezone(ZoneInfo(visit.context.zone))
    return page(
        visit,
        "suppression_undo.html",
        400 if problem else 200,
        request=None,
        culprits=culprits,
        problem=problem,
        why="",
        day=visit.form.text("since", 10) or first.date().isoformat(),
        rule=visit.form.text("rule", 100) or visit.query.text("rule", 100),
    )


def _culprits(counted: list[tuple[str, int, datetime]]) -> list[Culprit]:
    """By rule, those that suppressed most first."""
    rules: dict[str, Culprit] = {}
    for text, count, first_at in counted:
        read = read_evidence(text)
        if read is None or not read.rule:
            continue
        known = rules.get(read.rule, Culprit(read.rule, 0, first_at))
        rules[read.rule] = Culprit(read.rule, known.count + count, min(known.first_at, first_at))
    return sorted(rules.values(), key=lambda one: (-one.count, one.rule))
