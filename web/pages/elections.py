"""The calendar of votes: whom their silence concerns and when; votes entered, corrected, taken away."""

from datetime import date

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.elections import VoteWish, compose_day, known_days, name_of_place, unentered, wish_of
from models.election import DAY_BEFORE, ElectionDay
from models.errors import BadInputError, ConflictError, NotFoundError, TocsinError
from models.identity import TerritoryKind
from scheduler.vote_corrections import correct_vote, is_held, take_vote_away
from store import election_calendar as calendar
from web.access import Admin, Editor, Reader, Visit
from web.forms import Form
from web.i18n import N_
from web.view import go, page
from web.votes_view import Vote, place_of, view_of

router = APIRouter()

KINDS = (
    TerritoryKind.NATIONAL,
    TerritoryKind.REGION,
    TerritoryKind.DEPARTEMENT,
    TerritoryKind.CIRCONSCRIPTION,
    TerritoryKind.CANTON,
    TerritoryKind.COMMUNE,
)
"""Where one can vote, the widest first."""
NO_DAY = N_("Say on which day people vote.")
PAST_SHOWN = 40


@router.get("/elections")
async def calendar_page(visit: Reader) -> Response:
    """The votes to come, those that are known beforehand, those gone by, those taken away."""
    async with visit.context.database.read() as session:
        rows = await calendar.days_in_force(session)
        gone = await calendar.days_taken_away(session)
    views = [_view(visit, row) for row in rows]
    past = [view for view in reversed(views) if view.over]
    return page(
        visit,
        "elections.html",
        coming=[view for view in views if not view.over],
        past=past[:PAST_SHOWN],
        gone=[(row, place_of(row, visit.tongue)) for row in gone],
        known=unentered(rows, visit.context.clock.now().date()),
    )


def _view(visit: Visit, row: ElectionDay) -> Vote:
    return view_of(row, visit.tongue, visit.context.zone, visit.context.clock.now())


@router.get("/elections/new")
async def new_page(visit: Editor) -> Response:
    """The form for a vote; filled in as another one that is named in the address was."""
    number = visit.query.number("like")
    if number is None:
        return _form(visit, VoteWish("", date.min))
    async with visit.context.database.read() as session:
        return _form(visit, wish_of(await calendar.get_day(session, number)))


@router.post("/elections")
async def add(visit: Editor) -> Response:
    """Enter a vote: it holds from this moment on, also for what is queued."""
    try:
        wish = _read(visit.form)
        async with visit.context.database.write() as session:
            await _enter(visit, wish, session)
    except (BadInputError, ConflictError) as error:
        return _form(visit, None, error)
    return go("/elections", "election-added")


@router.post("/elections/known/{key}")
async def add_known(visit: Editor, key: str) -> Response:
    """Enter one of those known beforehand, as it is known."""
    found = next((one for one in known_days() if one.key == key), None)
    if found is None:
        raise NotFoundError("There is no such vote.")
    async with visit.context.database.write() as session:
        await _enter(visit, found.wish, session)
    return go("/elections", "election-added")


@router.get("/elections/{day_id}/edit")
async def edit_page(visit: Admin, day_id: int) -> Response:
    """The form, to correct a vote."""
    async with visit.context.database.read() as session:
        row = await calendar.get_day(session, day_id)
    return _form(visit, wish_of(row), row=row)


@router.post("/elections/{day_id}/edit")
async def edit(visit: Admin, day_id: int) -> Response:
    """Take the vote away and enter the corrected one; both stay to be seen."""
    context = visit.context
    async with context.database.read() as session:
        row = await calendar.get_day(session, day_id)
    try:
        day = compose_day(_read(visit.form), zone=context.zone)
        async with context.database.write() as session:
            await correct_vote(
                *(session, day_id, day),
                by=_name(visit),
                reason=visit.form.text("reason", 500),
                now=context.clock.now(),
            )
    except (BadInputError, ConflictError) as error:
        return _form(visit, None, error, row=row)
    await context.wake()
    return go("/elections", "election-corrected")


@router.get("/elections/{day_id}/remove")
async def remove_page(visit: Admin, day_id: int) -> Response:
    """Says what would leave again, and asks why."""
    return await _removing(visit, day_id)


@router.post("/elections/{day_id}/remove")
async def remove(visit: Admin, day_id: int) -> Response:
    """Take it out of the calendar: it stops nothing any more."""
    context = visit.context
    try:
        async with context.database.write() as session:
            await take_vote_away(
                *(session, day_id),
                by=_name(visit),
                reason=visit.form.text("reason", 600),
                now=context.clock.now(),
            )
    except (BadInputError, ConflictError) as error:
        return await _removing(visit, day_id, error)
    await context.wake()
    return go("/elections", "election-removed")


async def _removing(visit: Visit, day_id: int, error: TocsinError | None = None) -> Response:
    async with visit.context.database.read() as session:
        row = await calendar.get_day(session, day_id)
        bound = await calendar.bound_under_way(session)
    return page(
        visit,
        "election_remove.html",
        400 if error else 200,
        vote=_view(visit, row),
        bound=bound,
        held=is_held(row, _name(visit), visit.context.clock.now()),
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )


async def _enter(visit: Visit, wish: VoteWish, session: AsyncSession) -> None:
    day = compose_day(wish, zone=visit.context.zone)
    await calendar.enter_day(session, day, by=_name(visit), now=visit.context.clock.now())


def _name(visit: Visit) -> str:
    return visit.user.email if visit.user else ""


def _read(form: Form) -> VoteWish:
    """The fields of the form; BadInputError without a day."""
    try:
        day = date.fromisoformat(form.text("day", 10))
    except ValueError as error:
        raise BadInputError(NO_DAY) from error
    return VoteWish(
        name=form.text("name", 201),
        day=day,
        round=form.number("round") or 0,
        territory=form.choice("territory", TerritoryKind, TerritoryKind.NATIONAL),
        value=form.text("value", 200),
        departement=form.text("departement", 60),
        day_before=form.texts("day_before"),
        closes_at=form.text("closes_at", 8),
        zone=form.text("zone", 60),
    )


def _form(
    visit: Visit, wish: VoteWish | None, error: TocsinError | None = None, *, row: ElectionDay | None = None
) -> Response:
    """The form with `wish`, or with what was just sent."""
    form = visit.form
    early = form.texts("day_before") if wish is None else wish.day_before
    chosen = list(DAY_BEFORE if early is None else early)
    return page(
        visit,
        "election_form.html",
        400 if error else 200,
        row=row,
        kinds=KINDS,
        fields={
            "name": form.text("name", 200),
            "day": form.text("day", 10),
            "round": form.number("round") or 1,
            "territory": form.text("territory", 20),
            "value": form.text("value", 200),
            "departement": form.text("departement", 60),
            "closes_at": form.text("closes_at", 8),
            "zone": form.text("zone", 60),
            "reason": form.text("reason", 500),
        }
        if wish is None
        else _fields(wish),
        early=[(code, name_of_place(code), code in chosen) for code in dict.fromkeys((*DAY_BEFORE, *chosen))],
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )


def _fields(wish: VoteWish) -> dict[str, object]:
    begun = wish.day != date.min
    return {
        "name": wish.name,
        "day": wish.day.isoformat() if begun else "",
        "round": wish.round,
        "territory": wish.territory.value,
        "value": wish.value,
        "departement": wish.departement,
        "closes_at": wish.closes_at,
        "zone": wish.zone,
        "reason": "",
    }
