"""A plan's days and how often people are written to, on a page and on paper."""

from collections.abc import Iterator

from deliverability.burden import Burden
from web.charts import WIDE, draw_both, draw_picture
from web.i18n import Tongue
from web.paper import Block, Grid, Heading, Picture, Words
from web.pressure_charts import pressure_charts, volume_charts
from web.pressure_view import PlanView, plans_view, pressure_view


async def burden_parts(found: Burden, tongue: Tongue) -> dict[str, object]:
    """What `pressure_parts.html` shows."""
    language = tongue.language
    return {
        "plans": plans_view(found.plans, tongue),
        "volume_charts": [
            await draw_both(title, spec, language) for title, spec in volume_charts(found.plans, tongue)
        ],
        "pressure": pressure_view(found.pressure, tongue),
        "pressure_charts": [
            await draw_both(title, spec, language) for title, spec in pressure_charts(found.pressure, tongue)
        ],
    }


async def burden_on_paper(found: Burden, tongue: Tongue) -> list[Block]:
    """The same on paper: nothing of plans where there is none."""
    told = pressure_view(found.pressure, tongue)
    drawn = {
        title: Picture(await draw_picture(spec(WIDE), language=tongue.language), title)
        for title, spec in (*volume_charts(found.plans, tongue), *pressure_charts(found.pressure, tongue))
    }
    blocks: list[Block] = []
    plans = [plan for plan in plans_view(found.plans, tongue) if plan.days]
    if plans:
        blocks.append(Heading(tongue.say("Volume against the warm-up plan")))
        blocks += [drawn[title] for title, _ in volume_charts(found.plans, tongue)]
        blocks.append(_plan_grid(plans, tongue))
    blocks.append(Heading(tongue.say("How often people are written to")))
    blocks += [Words(one.text, one.tone) for one in (*told.week, *told.curve)]
    blocks += [drawn[title] for title, _ in pressure_charts(found.pressure, tongue)]
    if told.counted:
        blocks.append(Words(told.counted, small=True))
    return blocks


def _plan_grid(plans: list[PlanView], tongue: Tongue) -> Grid:
    heads = ("Provider", "State", "Day", "Allowed", "Sent", "What followed")
    return Grid(
        heads=[tongue.say(head) for head in heads],
        lines=list(_latest(plans)),
        numbers=frozenset({3, 4}),
        widths=(1.6, 1.6, 2, 1, 1, 2.4),
    )


def _latest(plans: list[PlanView]) -> Iterator[tuple[str, ...]]:
    """The last day of each plan: all of them are on the page and in the files."""
    for plan in plans:
        last = plan.days[0]
        yield plan.provider, plan.state, last.day, last.allowed, last.sent, last.followed
