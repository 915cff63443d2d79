"""Charts drawn on the server: a Vega-Lite dictionary becomes SVG, without any network.

The only file that imports vl_convert. Colours are placeholders (`#000001` and so on) that the style sheet
replaces: one drawing serves light, dark and paper. Every chart stands beside a table of its numbers.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Literal

from markupsafe import Markup, escape

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
SERIES = ("#000001", "#000002", "#000003", "#000004", "#000005")
"""Fill colours of the series; `.chart [fill="#000001"]` in the style sheet says what they look like."""
WIDE, SLIM = 680, 290
"""Widths of the plot in px: beside its labels, for a desk and for a telephone. The page shows one."""
D3_LOCALES: Mapping[str, Literal["fr-FR", "en-GB"]] = MappingProxyType({"fr": "fr-FR", "en": "en-GB"})
CONFIG: dict[str, Any] = {
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "domain": False,
        "ticks": False,
    },
    "legend": {"labelFontSize": 12, "title": None, "orient": "top", "symbolType": "square"},
    "font": "sans-serif",
}
Spec = dict[str, Any]
# One at a time: drawing takes both cores as it is.
_turn = threading.Lock()


async def draw_chart(spec: Spec, *, title: str, language: str) -> Markup:
    """The chart as an `<svg>` element for the page; `title` is what it says to who cannot see it."""
    text = json.dumps({"$schema": SCHEMA, **spec, "config": CONFIG}, sort_keys=True)
    return Markup(await asyncio.to_thread(_svg, text, title, language))  # noqa: S704 - escaped by Vega


@dataclass(frozen=True, slots=True)
class Drawings:
    """One chart, drawn for a desk and for a telephone."""

    title: str
    wide: Markup
    slim: Markup


async def draw_both(title: str, spec: Callable[[int], Spec], language: str) -> Drawings:
    """The chart in both widths; `spec` says how it is drawn in one."""
    wide, slim = [await draw_chart(spec(width), title=title, language=language) for width in (WIDE, SLIM)]
    return Drawings(title, wide, slim)


PRINTED = dict(zip(SERIES, ("#14665c", "#dd9b24", "#cc4a26", "#6272c4", "#98a39f"), strict=True))
"""What the style sheet makes of the series on light paper."""
DOTS = 2.5
"""Dots of a printed drawing for each of its points."""


async def draw_picture(spec: Spec, *, language: str) -> bytes:
    """The chart as a PNG in the colours of light paper, for documents that know no style sheet."""
    text = json.dumps({"$schema": SCHEMA, **spec, "config": {**CONFIG, "background": "#ffffff"}})
    for placeholder, colour in PRINTED.items():
        text = text.replace(placeholder, colour)
    return await asyncio.to_thread(_png, text, language)


def _png(text: str, language: str) -> bytes:
    locale = D3_LOCALES[language]
    with _turn:
        import vl_convert  # noqa: PLC0415 - for who looks at charts

        drawn: bytes = vl_convert.vegalite_to_png(
            text, scale=DOTS, allowed_base_urls=[], format_locale=locale, time_format_locale=locale
        )
    return drawn


@lru_cache(maxsize=128)
def _svg(text: str, title: str, language: str) -> str:
    locale = D3_LOCALES[language]
    with _turn:
        import vl_convert  # noqa: PLC0415 - for who looks at charts

        drawn: str = vl_convert.vegalite_to_svg(
            text, allowed_base_urls=[], format_locale=locale, time_format_locale=locale
        )
    # Several drawings share a page, and with it the names of their clipping paths.
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    drawn = re.sub(r'(id="|url\(#)(\w+)', rf"\g<1>{mark}\g<2>", drawn)
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


TICK_STEPS: tuple[tuple[int, str], ...] = (
    *((seconds, "%H:%M:%S") for seconds in (1, 2, 5, 10, 15, 30)),
    *((60 * minutes, "%H:%M") for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360)),
    (12 * 3600, "%-d %b %H:%M"),
    *((24 * 3600 * days, "%-d %b") for days in (1, 2, 7, 14, 28, 91)),
)
"""Seconds between two labels of a time axis, and how the labels are written (d3's codes)."""
FINEST_FOR_DAYS = 12 * 3600


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Where an axis of time begins and ends, where its labels stand (seconds), how they are written."""

    start: int
    end: int
    ticks: tuple[int, ...]
    format: str


def time_axis(start: int, end: int, most: int) -> TimeAxis:
    """An axis from `start` to `end` with at most `most` labels, no two of them alike.

    One of a day or more says the day, too: hours alone would come round again.
    """
    usable = [one for one in TICK_STEPS if one[0] >= FINEST_FOR_DAYS or end - start < 86_400]
    place = next(
        (place for place, (step, _) in enumerate(usable) if (end - start) / step <= most - 1),
        len(usable) - 1,
    )
    step, written = usable[place]
    ticks = _multiples(step, start, end)
    if not ticks:
        # A long step may pass over the whole of the axis; the one before it never does.
        step, written = usable[place - 1]
        ticks = _multiples(step, start, end)
    # Many steps past the longest: every so manieth.
    every = -(-len(ticks) // most)
    return TimeAxis(start, end, ticks[::every], written)


def _multiples(step: int, start: int, end: int) -> tuple[int, ...]:
    return tuple(range(-(-start // step) * step, end + 1, step))


def bars_over_time(
    rows: Sequence[tuple[int, Sequence[int]]], *, series: list[str], step: int, count: str, width: int = WIDE
) -> Spec:
    """Stacked bars: `rows` are a start and the counts of `series`, each bar as wide as its `step` lasts.

    Starts are wall-clock time in seconds, passed off as UTC.
    """
    axis = time_axis(rows[0][0], rows[-1][0] + step, 8 if width == WIDE else 4)
    # Gaps between bars help to tell a few apart; many, they only bleach.
    gap = 0.07 * step if (axis.end - axis.start) // step <= width // 10 else 0
    values: list[dict[str, object]] = []
    for start, counts in rows:
        for rank, (upper, number) in enumerate(zip(accumulate(counts), counts, strict=True)):
            if number:
                inner = {"x": (start + gap) * 1000, "x2": (start + step - gap) * 1000}
                values.append({**inner, "y": upper - number, "y2": upper, "what": series[rank]})
    return {
        "width": width,
        "height": 200,
        "data": {"values": values},
        "mark": {"type": "rect", "clip": True},
        "encoding": {
            "x": {
                "field": "x",
                "type": "temporal",
                "scale": {"type": "utc", "domain": [axis.start * 1000, axis.end * 1000], "nice": False},
                "title": None,
                "axis": {
                    "format": axis.format,
                    "values": [tick * 1000 for tick in axis.ticks],
                    "grid": False,
                    "ticks": True,
                    "labelFlush": True,
                    "labelOverlap": True,
                },
            },
            "x2": {"field": "x2"},
            "y": {
                "field": "y",
                "type": "quantitative",
                "title": count,
                "scale": {"zero": True},
                "axis": {"tickMinStep": 1, "tickCount": 5, "format": ",d"},
            },
            "y2": {"field": "y2"},
            "color": _colours(dict(zip(series, SERIES, strict=False))),
        },
    }


def shares_by_name(
    rows: list[dict[str, object]],
    *,
    names: list[str],
    series: Mapping[str, str],
    axis: str,
    width: int = WIDE,
) -> Spec:
    """Lying bars of one length, each divided in shares: rows of `name`, `what`, `rank`, `count`.

    `series`: the values of `what` in drawing order, with their colours.
    """
    slim = width == SLIM
    return {
        # The whole drawing, words and all: they are as long as the names of the providers.
        "width": width + 50,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": {"step": 26},
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": names,
                "title": None,
                "axis": {"labelLimit": 120 if slim else 220},
            },
            "x": {
                "field": "count",
                "type": "quantitative",
                "stack": "normalize",
                "title": axis,
                "axis": {"format": ".0%", "tickCount": 3 if slim else 5},
            },
            "color": {**_colours(series), "legend": {"columns": 1 if slim else 0, "labelLimit": 320}},
            "order": {"field": "rank", "type": "quantitative"},
        },
    }


def _colours(series: Mapping[str, str]) -> Spec:
    return {
        "field": "what",
        "type": "nominal",
        "sort": list(series),
        "scale": {"domain": list(series), "range": list(series.values())},
    }
