"""Charts of how often people are written to: a plan's days, the week of everybody, what many messages do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from deliverability.assessment.pressure import FatigueLine, Reaction, Spread, spread_bands
from deliverability.pressure import PressureReport
from deliverability.volume import PlanDay, PlanLine
from web.borrowed import say_borrowed
from web.charts import SERIES, WIDE, Spec, time_axis
from web.i18n import Tongue
from web.pressure_view import REACTIONS, small_percent, written

ALLOWED, SENT, OWN, ALL = SERIES[4], SERIES[0], SERIES[0], SERIES[1]
MOST_PLANS = 6
"""Providers drawn, the largest; the table tells all."""
DAY_S = 86_400

_LABELS: Spec = {
    "mark": {"type": "text", "dy": -6, "fontSize": 11},
    "encoding": {"text": {"field": "text", "type": "nominal"}},
}
HIGHEST = 2.5
"""How far above the highest share intervals are drawn: those of a handful would flatten all the rest."""

Draw = Callable[[int], Spec]


def volume_charts(plans: Sequence[PlanLine], tongue: Tongue) -> list[tuple[str, Draw]]:
    """Titles, and how to draw each in a width; none where no plan has a day to show."""
    drawn = [plan for plan in plans if plan.days][:MOST_PLANS]
    if not drawn:
        return []
    title = tongue.say("Messages sent each day, beside what the plan allowed")
    return [(title, lambda width: volume(drawn, tongue, width))]


def pressure_charts(found: PressureReport, tongue: Tongue) -> list[tuple[str, Draw]]:
    """The same for the week and the curve; only those there is something to draw for."""
    drawn: list[tuple[str, Draw]] = []
    if found.own.shown or found.all.shown:
        title = tongue.say("How many messages people got in the last 7 days")
        drawn.append((title, lambda width: week(found, tongue, width)))
    if sum(1 for line in found.fatigue.lines if line.messages) > 1:
        title = tongue.say("What people do, by how many messages they had had in the 7 days before")
        drawn.append((title, lambda width: curve(found, tongue, width)))
    return drawn


def volume(plans: Sequence[PlanLine], tongue: Tongue, width: int = WIDE) -> Spec:
    """Providers below each other: each day a pale bar of what was allowed, a narrow one of what was sent."""
    words = {tongue.say("Allowed"): ALLOWED, tongue.say("Sent"): SENT}
    names = [say_borrowed(tongue, plan.provider_name) for plan in plans]
    values = [
        {"provider": name, **value}
        for name, plan in zip(names, plans, strict=True)
        for one in plan.days
        for value in _day_bars(one, *words)
    ]
    days = [one for plan in plans for one in plan.days]
    panel = {
        "width": width,
        "height": 80,
        "mark": {"type": "rect", "clip": True},
        "encoding": {
            "x": _days_across(min(map(_start, days)), max(map(_end, days)), 10 if width == WIDE else 5),
            "x2": {"field": "x2"},
            "y": {
                "field": "count",
                "type": "quantitative",
                "title": None,
                "axis": {"tickMinStep": 1, "tickCount": 3, "format": ",d"},
            },
            "y2": {"datum": 0},
            "color": _series(words),
        },
    }
    return _below_each_other("provider", names, values, panel)


def _day_bars(one: PlanDay, allowed: str, sent: str) -> Iterator[dict[str, object]]:
    """Both bars of a day, the second in the middle of the first; as wide as the days they are of."""
    start, length = _start(one), DAY_S * one.days
    for what, count, margin in ((allowed, one.cap, 0.05), (sent, one.sent / one.days, 0.25)):
        ends = {"x": (start + margin * length) * 1000, "x2": (start + (1 - margin) * length) * 1000}
        yield {**ends, "count": count, "what": what}


def _days_across(start: int, end: int, most: int) -> Spec:
    """An axis of days, from one second to another, with at most so many labels."""
    axis = time_axis(start, end, most)
    return {
        "field": "x",
        "type": "temporal",
        "scale": {"type": "utc", "domain": [axis.start * 1000, axis.end * 1000], "nice": False},
        "title": None,
        "axis": {
            # Never finer than a day: a plan knows no hours.
            "format": "%-d %b",
            "values": sorted({tick // DAY_S * DAY_S * 1000 for tick in axis.ticks}),
            "grid": False,
            "ticks": True,
            "labelOverlap": True,
        },
    }


def _below_each_other(
    field: str, names: Sequence[str], values: Sequence[Mapping[str, object]], panel: Spec
) -> Spec:
    """A panel for each name, each on a scale of its own."""
    return {
        "data": {"values": values},
        "facet": {
            "row": {
                "field": field,
                "type": "nominal",
                "title": None,
                "sort": list(names),
                "header": {"labelOrient": "top", "labelAnchor": "start", "labelFontSize": 12},
            }
        },
        "spacing": 14,
        "resolve": {"scale": {"y": "independent"}},
        "spec": panel,
    }


def week(found: PressureReport, tongue: Tongue, width: int = WIDE) -> Spec:
    """By number of messages, the share of the list that got so many, from this sender and from all."""
    series: dict[str, tuple[str, Spread]] = {}
    if found.own.shown:
        series[tongue.say("From this sender")] = (OWN, found.own)
    if found.all.shown:
        series[tongue.say("From all senders")] = (ALL, found.all)
    bands = spread_bands((found.own, found.all))
    values = [
        {
            "band": written(band, tongue),
            "what": name,
            "share": (share := band.sum(spread.people) / spread.whole),
            "text": small_percent(share, tongue),
        }
        for name, (_, spread) in series.items()
        for band in bands
    ]
    return {
        "width": width,
        "height": 180,
        "data": {"values": values},
        "encoding": {
            "x": _bands([written(band, tongue) for band in bands], tongue.say("Messages in 7 days")),
            "xOffset": {"field": "what", "sort": list(series)},
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": tongue.say("People on the list"),
                "axis": {"format": ".0%", "tickCount": 4},
            },
        },
        "layer": [
            {
                "mark": {"type": "bar"},
                "encoding": {"color": _series({name: colour for name, (colour, _) in series.items()})},
            },
            # On a telephone they would run into each other; the table has them.
            *([_LABELS] if width == WIDE else []),
        ],
    }


def curve(found: PressureReport, tongue: Tongue, width: int = WIDE) -> Spec:
    """Each reaction below the other: its share by how many messages came before, with what it may be."""
    lines = [line for line in found.fatigue.lines if line.messages]
    names = [tongue.say(REACTIONS[reaction]) for reaction in Reaction]
    values = [
        {"what": name, **value}
        for name, reaction in zip(names, Reaction, strict=True)
        for value in _points(lines, reaction, tongue)
    ]
    bands = [written(line.band, tongue) for line in lines]
    share = {
        "field": "share",
        "type": "quantitative",
        "title": None,
        "scale": {"zero": True},
        "axis": {"format": ".1~%", "tickCount": 3},
    }
    panel = {
        "width": width,
        "height": 90,
        "encoding": {"x": _bands(bands, tongue.say("Messages in the 7 days before"))},
        "layer": [
            {
                "mark": {"type": "bar", "width": 6, "color": SERIES[4], "opacity": 0.6},
                "encoding": {"y": {**share, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": SERIES[0]},
                "encoding": {"y": share},
            },
            {
                "mark": {"type": "text", "dx": 8, "align": "left", "fontSize": 11 if width == WIDE else 9},
                "encoding": {"y": share, "text": {"field": "text", "type": "nominal"}},
            },
        ],
    }
    return _below_each_other("what", names, values, panel)


def _points(lines: Sequence[FatigueLine], reaction: Reaction, tongue: Tongue) -> Iterator[dict[str, object]]:
    highest = HIGHEST * max(line.rates[reaction].value for line in lines) or 1.0
    for line in lines:
        rate = line.rates[reaction]
        yield {
            "band": written(line.band, tongue),
            "share": rate.value,
            "low": rate.low,
            "high": min(rate.high, highest),
            "text": small_percent(rate.value, tongue),
        }


def _bands(names: list[str], title: str) -> Spec:
    return {"field": "band", "type": "nominal", "sort": names, "title": title, "axis": {"labelAngle": 0}}


def _series(colours: dict[str, str]) -> Spec:
    return {
        "field": "what",
        "type": "nominal",
        "sort": list(colours),
        "scale": {"domain": list(colours), "range": list(colours.values())},
    }


def _start(one: PlanDay) -> int:
    """Midnight of a day of the calendar, passed off as UTC."""
    return int(datetime.combine(one.day, time(), UTC).timestamp())


def _end(one: PlanDay) -> int:
    return int((datetime.combine(one.day, time(), UTC) + timedelta(days=one.days)).timestamp())
