"""Charts of how an identity fares: campaigns side by side, complaints and limits, reasons by weight."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from deliverability.assessment.figures import COMING_BACK
from deliverability.assessment.values import Word
from deliverability.assessment.whole import IdentityAssessment
from deliverability.history import Past
from models.states import BounceClass
from web.assessment_words import WORDS
from web.borrowed import say_borrowed
from web.charts import SERIES, SLIM, WIDE, Spec
from web.i18n import Tongue
from web.words import word_for

PLACES: Mapping[Word, str] = {
    Word.INBOX: SERIES[0],
    Word.MIXED: SERIES[1],
    Word.SPAM: SERIES[2],
    Word.NOT_ASSESSABLE: SERIES[3],
    Word.NOT_TESTED: SERIES[4],
}
"""Where seeds were found, and the colour of it."""
LINES = (0.001, 0.003, 0.006)
"""Shares of complaints providers react to: Gmail's wish, Gmail's and Yahoo's limit, Orange's."""
SLIM_CAMPAIGNS = 6


Draw = Callable[[int], Spec]
Names = Sequence[tuple[str, str]]
"""Providers: key and name, those with most of the mail first."""


def providers_of(found: IdentityAssessment, tongue: Tongue) -> Names:
    """The providers an identity wrote to."""
    lanes = sorted(found.lanes, key=lambda lane: -lane.list_share)
    return [(lane.provider, say_borrowed(tongue, lane.provider_name)) for lane in lanes]


def came_back(found: IdentityAssessment, tongue: Tongue) -> list[tuple[str, int]]:
    """What came back by class, the most frequent first; from the answers kept, the frequent ones."""
    counts: Counter[str] = Counter()
    for lane in found.lanes:
        for said in lane.facts.said:
            if said.kind in COMING_BACK:
                counts[tongue.say(word_for(said.bounce_class or BounceClass.UNKNOWN))] += said.deliveries
    return counts.most_common()


def charts_of(
    past: Sequence[Past], providers: Names, back: Sequence[tuple[str, int]], tongue: Tongue
) -> list[tuple[str, Draw]]:
    """Titles, and how to draw each in a width; only those there is something to draw for."""
    drawn: list[tuple[str, Draw]] = []
    if len(past) > 1 and providers:
        clicks = any(cell.usual is not None for one in past for cell in one.cells.values())
        drawn.append(
            (
                tongue.say("Where seeds were found, and clicks against the usual, campaign by campaign")
                if clicks
                else tongue.say("Where seeds were found, campaign by campaign"),
                lambda width: heat_map(past, providers, tongue, width),
            )
        )
    if len(_told(past, providers)) > 1:
        drawn.append(
            (
                tongue.say("Complaints, with what providers react to (0.1 %, 0.3 %, 0.6 %)"),
                lambda width: complaint_lines(past, providers, tongue, width),
            )
        )
    if back:
        drawn.append(
            (tongue.say("What came back, by reason"), lambda width: pareto(back, tongue, width)),
        )
    return drawn


def heat_map(past: Sequence[Past], providers: Names, tongue: Tongue, width: int = WIDE) -> Spec:
    """Providers by campaigns: the colour says where seeds were found, the figure how people clicked."""
    shown = past[-SLIM_CAMPAIGNS:] if width == SLIM else past
    days = [label_of(one, tongue) for one in shown]
    values = [
        {
            "campaign": label_of(one, tongue),
            "provider": name,
            "place": tongue.say(WORDS[one.cells[key].placement]),
            "text": ""
            if one.cells[key].usual is None
            else f"×{tongue.number(round(one.cells[key].usual or 0, 1))}",
        }
        for one in shown
        for key, name in providers
        if key in one.cells
    ]
    across = {
        "field": "campaign",
        "type": "ordinal",
        "sort": days,
        "title": None,
        "axis": {"labelAngle": -40},
    }
    down = {"field": "provider", "type": "nominal", "sort": [name for _, name in providers], "title": None}
    colours = {tongue.say(WORDS[word]): colour for word, colour in PLACES.items()}
    return {
        "width": width + 50,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": {"step": 28},
        "data": {"values": values},
        "encoding": {"x": across, "y": down},
        "layer": [
            {
                "mark": {"type": "rect", "opacity": 0.8, "stroke": "#ffffff", "strokeWidth": 2},
                "encoding": {
                    "color": {
                        "field": "place",
                        "type": "nominal",
                        "scale": {"domain": list(colours), "range": list(colours.values())},
                    }
                },
            },
            {
                "mark": {"type": "text", "fontSize": 11},
                "encoding": {"text": {"field": "text", "type": "nominal"}},
            },
        ],
    }


def complaint_lines(past: Sequence[Past], providers: Names, tongue: Tongue, width: int = WIDE) -> Spec:
    """Complaint rates by campaign with the limits of the providers."""
    values = [
        {"campaign": label_of(one, tongue), "what": name, "rate": one.cells[key].complaint_rate}
        for one in past
        for key, name in providers[: len(SERIES)]
        if key in one.cells and one.cells[key].complaint_rate is not None
    ]
    days = [label_of(one, tongue) for one in past]
    names = [name for _, name in providers[: len(SERIES)] if any(value["what"] == name for value in values)]
    rate = {
        "field": "rate",
        "type": "quantitative",
        "title": tongue.say("Complaints"),
        "axis": {"format": ".1%", "tickCount": 4},
    }
    return {
        "width": width,
        "height": 180,
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "line", "point": True},
                "encoding": {
                    "x": {
                        "field": "campaign",
                        "type": "ordinal",
                        "sort": days,
                        "title": None,
                        "axis": {"labelAngle": -40, "labelOverlap": True},
                    },
                    "y": rate,
                    "color": {
                        "field": "what",
                        "type": "nominal",
                        "scale": {"domain": names, "range": list(SERIES[: len(names)])},
                    },
                },
            },
            {
                "data": {"values": [{"rate": line} for line in LINES]},
                "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6},
                "encoding": {"y": {"field": "rate", "type": "quantitative"}},
            },
        ],
    }


def _told(past: Sequence[Past], providers: Names) -> list[int]:
    """The campaigns of which somebody tells complaints: there is no line through one point."""
    keys = [key for key, _ in providers[: len(SERIES)]]
    rates = (
        (one.campaign_id, one.cells[key].complaint_rate) for one in past for key in keys if key in one.cells
    )
    return sorted({number for number, rate in rates if rate is not None})


def pareto(rows: Sequence[tuple[str, int]], tongue: Tongue, width: int = WIDE) -> Spec:
    """What came back by reason, the most frequent first."""
    values = [{"what": what, "count": count} for what, count in rows]
    return {
        "width": width + 50,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": {"step": 24},
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.7}, "color": SERIES[2]},
        "encoding": {
            "y": {
                "field": "what",
                "type": "nominal",
                "sort": [what for what, _ in rows],
                "title": None,
                "axis": {"labelLimit": 120 if width == SLIM else 260},
            },
            "x": {
                "field": "count",
                "type": "quantitative",
                "title": tongue.say("Messages"),
                "axis": {"tickMinStep": 1, "tickCount": 4, "format": ",d"},
            },
        },
    }


def label_of(one: Past, tongue: Tongue) -> str:
    """A campaign on an axis: its day, and its number so that two of a day differ."""
    return f"{tongue.day(one.launched_at, 'short')} · {one.campaign_id}"
