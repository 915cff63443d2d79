"""Segments: rules over contacts, with how many people each part of a rule keeps while it is written."""

from dataclasses import dataclass

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from audience.segments import ClauseCount, count, explain, parse_segment
from models.errors import BadInputError, SegmentError
from store import segments
from web.access import Editor, Reader, Visit
from web.borrowed import say_error
from web.i18n import N_
from web.view import go, page

router = APIRouter()
LONGEST_RULE = 20_000
NO_NAME = N_("A segment needs a name.")
JOINS = {
    "all of": N_("all of"),
    "any of": N_("any of"),
    "everybody but": N_("everybody but"),
}
EXAMPLES: tuple[tuple[str, str], ...] = (
    ("commune:Marseille", N_("people of one commune; accents and case do not matter")),
    ("(tag:militant or tag:sympathisant) and tag:économie", N_("one tag or another, and a third")),
    ("departement:13 except tag:élu", N_("a département without those who wear a tag")),
    ('commune:(Aubagne, "La Ciotat", Cassis)', N_("several values; quotes around those with blanks")),
    ("postcode:13*", N_("what begins with these signs")),
    ("age>=18 and age<30", N_("an age")),
    ("attr.profession:enseignant", N_("a column of your own file")),
    ("consent.email:granted and not has:phone", N_("what they agreed to, what is known of them")),
    ("clicked<30d", N_("who clicked in the last 30 days")),
    ("interaction:meeting*", N_("who ever came to a meeting, as your other programs tell it")),
    ("interaction.petition<30d", N_("who signed a petition in the last 30 days")),
    ("everyone", N_("all contacts")),
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a rule means: how many people it keeps and why, or what is wrong with it."""

    people: int | None = None
    lines: tuple[ClauseCount, ...] = ()
    problem: str = ""


async def examine(session: AsyncSession, visit: Visit, text: str) -> Findings:
    """Count the people of a rule and of its parts; a rule that cannot be read is a finding, too."""
    if not text.strip():
        return Findings()
    now = visit.context.clock.now()
    try:
        tree = parse_segment(text)
        return Findings(await count(session, tree, now), tuple(await explain(session, tree, now)))
    except SegmentError as error:
        return Findings(problem=say_error(visit.tongue, error))


@router.get("/segments")
async def list_page(visit: Reader) -> Response:
    """Every segment."""
    async with visit.context.database.read() as session:
        found = await segments.list_segments(session)
    return page(visit, "segments.html", segments=found)


@router.get("/segments/new")
async def new_page(visit: Editor) -> Response:
    """A form for a new rule."""
    return _form(visit, name="", text="", findings=Findings())


@router.get("/segments/count")
async def count_rule(visit: Reader) -> JSONResponse:
    """How many people the rule `text` keeps, and each of its parts."""
    async with visit.context.database.read() as session:
        findings = await examine(session, visit, visit.query.raw("text")[:LONGEST_RULE])
    rows = [
        [
            visit.tongue.say(JOINS.get(line.text, line.text)),
            visit.tongue.number(line.count),
            f"depth{min(line.depth, 4)}",
        ]
        for line in findings.lines
    ]
    if findings.people is not None:
        rows.append([visit.tongue.say("In this segment"), visit.tongue.number(findings.people), "will"])
    return JSONResponse({"problem": findings.problem, "rows": rows, "channel": ""})


@router.post("/segments")
async def save(visit: Editor) -> Response:
    """Save a rule under a name, or only count it when that was asked."""
    name, text = visit.form.text("name", 200), visit.form.raw("text")[:LONGEST_RULE]
    async with visit.context.database.read() as session:
        findings = await examine(session, visit, text)
    if visit.form.ticked("only_count"):
        return _form(visit, name=name, text=text, findings=findings)
    if not name:
        return _form(
            visit, name=name, text=text, findings=Findings(problem=visit.tongue.say(NO_NAME)), status=400
        )
    try:
        tree = parse_segment(text)
        async with visit.context.database.write() as session:
            saved = await segments.save_segment(
                session, name=name, text=text.strip(), tree=tree, now=visit.context.clock.now()
            )
    except BadInputError as error:
        return _form(
            visit, name=name, text=text, findings=Findings(problem=say_error(visit.tongue, error)), status=400
        )
    return go(f"/segments/{saved.id}", "segment-saved")


@router.get("/segments/{segment_id}")
async def one_page(visit: Reader, segment_id: int) -> Response:
    """One segment: its rule, how many people it keeps, and each part of it."""
    async with visit.context.database.read() as session:
        segment = await segments.get_segment(session, segment_id)
        findings = await examine(session, visit, segment.text)
    return page(visit, "segment.html", segment=segment, findings=findings, joins=JOINS, examples=EXAMPLES)


def _form(visit: Visit, *, name: str, text: str, findings: Findings, status: int = 200) -> Response:
    return page(
        visit,
        "segment_form.html",
        status,
        name=name,
        text=text,
        findings=findings,
        joins=JOINS,
        examples=EXAMPLES,
    )
