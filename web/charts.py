"""Charts drawn on the server: a Vega-Lite dictionary becomes SVG, without any network.

The only file that imports vl_convert. Colours are placeholders (`#000001` and so on) that the style sheet
replaces: one drawing serves light, dark and paper. Every chart stands beside a table of its numbers.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import vl_convert
from markupsafe import Markup, escape

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
SERIES = ("#000001", "#000002", "#000003", "#000004", "#000005")
"""Fill colours of the series; `.chart [fill="#000001"]` in the style sheet says what they look like."""
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


@lru_cache(maxsize=128)
def _svg(text: str, title: str, language: str) -> str:
    locale = D3_LOCALES[language]
    with _turn:
        drawn: str = vl_convert.vegalite_to_svg(
            text, allowed_base_urls=[], format_locale=locale, time_format_locale=locale
        )
    # Several drawings share a page, and with it the names of their clipping paths.
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    drawn = re.sub(r'(id="|url\(#)(\w+)', rf"\g<1>{mark}\g<2>", drawn)
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def bars_over_time(
    rows: list[dict[str, object]], *, series: list[str], steps: int, days: bool, count: str
) -> Spec:
    """Stacked bars: rows of `start` (wall-clock time in ms, passed off as UTC), `what`, `rank`, `count`.

    `series` names the values of `what` in drawing order; `steps` is how many bars the axis has room for;
    `days` labels the axis with days, not hours.
    """
    width = 680
    return {
        "width": width,
        "height": 200,
        "data": {"values": rows},
        "mark": {"type": "bar", "width": max(1.5, 0.85 * width / max(1, steps))},
        "encoding": {
            "x": {
                "field": "start",
                "type": "temporal",
                "scale": {"type": "utc", "padding": 8},
                "title": None,
                "axis": {
                    "format": "%-d %b" if days else "%H:%M",
                    "grid": False,
                    "labelOverlap": True,
                    "tickCount": 8,
                },
            },
            "y": {
                "field": "count",
                "type": "quantitative",
                "title": count,
                "stack": "zero",
                "axis": {"tickMinStep": 1, "tickCount": 5},
            },
            "color": _colours(series),
            "order": {"field": "rank", "type": "quantitative"},
        },
    }


def shares_by_name(rows: list[dict[str, object]], *, names: list[str], series: list[str], axis: str) -> Spec:
    """Lying bars of one length, each divided in shares: rows of `name`, `what`, `count`."""
    return {
        "width": 520,
        "height": {"step": 26},
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": names,
                "title": None,
                "axis": {"labelLimit": 220},
            },
            "x": {
                "field": "count",
                "type": "quantitative",
                "stack": "normalize",
                "title": axis,
                "axis": {"format": ".0%", "tickCount": 5},
            },
            "color": _colours(series),
            "order": {"field": "rank", "type": "quantitative"},
        },
    }


def _colours(series: list[str]) -> Spec:
    return {
        "field": "what",
        "type": "nominal",
        "sort": series,
        "scale": {"domain": series, "range": list(SERIES[: len(series)])},
    }
