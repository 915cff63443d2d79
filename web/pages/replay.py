"""Answers and bounces read again by the rules as they are now: shown first, then carried out by an admin."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.consequences import WITHOUT_SCOPE, Consequence
from deliverability.replay import Change, unproven_rules
from deliverability.rulebook import OWN_FILE, RulesError, write_span
from models.errors import ConflictError
from models.providers import provider_name
from models.states import BounceClass
from web.access import Admin, Visit
from web.borrowed import say_borrowed, say_error
from web.i18n import N_, Tongue
from web.replay_desk import rules_of
from web.view import go, page
from web.words import word_for

router = APIRouter()
DAYS = (7, 30, 90, 365)
USUAL_DAYS = 30
SHOWN = 50
NO_RULE = N_("no rule")
Line = tuple[str, str, str, int, str]
"""Provider, how it was read, how it is read now, how often, an example."""
Follows = tuple[str, str, str, str, Consequence]
"""Provider, what follows, whom it concerns, for how long, and how often."""


@router.get("/incoming/replay")
async def replay_page(visit: Admin) -> Response:
    """The form, the reading under way, and what the last one found."""
    return _show(visit)


@router.post("/incoming/replay")
async def look(visit: Admin) -> Response:
    """Show what would change."""
    return _begin(visit, act=False)


@router.post("/incoming/replay/apply")
async def carry_out(visit: Admin) -> Response:
    """Act on it: people are suppressed, or spared."""
    return _begin(visit, act=True)


def _begin(visit: Visit, *, act: bool) -> Response:
    context = visit.context
    days = visit.form.number("days")
    try:
        context.replays.begin(
            context.database,
            context.tokens,
            context.clock,
            context.data_dir,
            days=days if days in DAYS else USUAL_DAYS,
            act=act,
            routes=context.outlook.pace.routes,
        )
    except (ConflictError, RulesError) as error:
        return _show(visit, say_error(visit.tongue, error))
    return go("/incoming/replay")


def _show(visit: Visit, problem: str = "") -> Response:
    desk, tongue = visit.context.replays, visit.tongue
    try:
        version = rules_of(visit.context.data_dir).version
    except RulesError as error:
        version, problem = "", problem or say_error(tongue, error)
    last = desk.last
    found = [one for part in (last.answers, last.originals) if part for one in part.changes] if last else []
    parts = [part for part in (last.answers, last.originals) if part] if last else []
    return page(
        visit,
        "replay.html",
        400 if problem else 200,
        problem=problem,
        busy=desk.busy,
        last=last,
        lines=_lines(found[:SHOWN], tongue),
        follows=_follows(last.answers.consequences[:SHOWN] if last and last.answers else (), tongue),
        more=len(found) > SHOWN,
        more_follow=bool(last and last.answers and len(last.answers.consequences) > SHOWN),
        unproven=", ".join(unproven_rules(found)),
        suppressed=sum(part.would_suppress for part in parts),
        spared=sum(part.would_spare for part in parts),
        version=version,
        own=(visit.context.data_dir / OWN_FILE).exists(),
        days=DAYS,
        usual=last.days if last else USUAL_DAYS,
    )


def _lines(changes: Sequence[Change], tongue: Tongue) -> list[Line]:
    return [
        (
            say_borrowed(tongue, provider_name(one.provider)),
            _reading(one.before, tongue),
            _reading(one.after, tongue),
            one.count,
            one.example,
        )
        for one in changes
    ]


def _follows(consequences: Sequence[Consequence], tongue: Tongue) -> list[Follows]:
    return [
        (
            say_borrowed(tongue, provider_name(one.provider)),
            tongue.say(word_for(one.deed)),
            "" if one.deed in WITHOUT_SCOPE else tongue.say(word_for(one.scope)),
            "" if one.span is None else write_span(one.span),
            one,
        )
        for one in consequences
    ]


def _reading(name: str, tongue: Tongue) -> str:
    """`rule (class)` in the reader's words."""
    rule, _, word = name.removesuffix(")").rpartition(" (")
    read = tongue.say(word_for(BounceClass(word))) if word in set(BounceClass) else word
    return f"{read} ({tongue.say(NO_RULE) if rule == NO_RULE else rule})"
