"""The small parts of the front door by themselves: throttles, forms, charts."""

import re
from datetime import timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from models.access import Role
from models.errors import BadInputError
from tests.clocks import ManualClock
from web.charts import SERIES, SLIM, WIDE, bars_over_time, draw_chart, shares_by_name, time_axis
from web.forms import Form
from web.passwords import hash_password, matches
from web.protection import LIMIT_ELSEWHERE, limit_for
from web.throttle import MOST_KEYS, Throttle


def test_a_throttle_lets_its_number_through_and_then_one_by_one(clock: ManualClock) -> None:
    throttle = Throttle(clock, limit=3, span=timedelta(minutes=3))
    for _ in range(3):
        assert throttle.wait("a") is None
        throttle.count("a")
    assert throttle.wait("a") == timedelta(minutes=1)
    assert throttle.wait("b") is None, "each key by itself"
    clock.advance(timedelta(minutes=1))
    assert throttle.wait("a") is None
    throttle.count("a")
    assert throttle.wait("a") is not None
    throttle.forget("a")
    assert throttle.wait("a") is None


def test_a_throttle_does_not_fill_the_memory(clock: ManualClock) -> None:
    throttle = Throttle(clock, limit=3, span=timedelta(minutes=3))
    for number in range(MOST_KEYS + 10):
        throttle.count(str(number))
    assert len(throttle._paid_at) == MOST_KEYS


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_a_form(text: str) -> None:
    form = Form(FormData([("a", text)]))
    number = form.number("a")
    assert number is None or 0 <= number < 2**63
    assert "\0" not in form.raw("a")
    assert form.choice("a", Role, Role.READER) in Role
    assert form.file("a") is None


def test_the_fields_of_a_form_are_read_one_at_a_time() -> None:
    form = Form(
        FormData([("n", "7"), ("n", "7"), ("n", "x"), ("n", "-1"), ("t", " a\r\nb "), ("r", "admin")])
    )
    assert form.numbers("n") == [7]
    assert form.text("t") == "a\nb"
    assert form.choice("r", Role, Role.READER) is Role.ADMIN
    assert form.text("absent") == ""


def test_passwords_are_compared_and_bounded() -> None:
    kept = hash_password("une phrase assez longue")
    assert matches("une phrase assez longue", kept)
    assert not matches("une phrase assez longuE", kept)
    assert not matches("nobody has this password", None), "the decoy opens nothing"
    for password in ("short", "x" * 201):
        with pytest.raises(BadInputError):
            hash_password(password)


def test_bodies_are_limited_by_path() -> None:
    assert limit_for("/u/token") < limit_for("/hooks/twilio/status") < LIMIT_ELSEWHERE
    assert limit_for("/templates") == LIMIT_ELSEWHERE


async def test_charts_are_whole_svg_in_the_colours_of_the_style_sheet_and_named(clock: ManualClock) -> None:
    rows = [(60_000 * step, (step + 1, step + 1)) for step in range(3)]
    bars = bars_over_time(rows, series=["Yes & no", "No"], step=60_000, count="Messages")
    named: list[dict[str, object]] = [
        {"name": "<Gmail>", "what": "a", "rank": 0, "count": 3},
        {"name": "Free", "what": "a", "rank": 0, "count": 1},
    ]
    shares = shares_by_name(named, names=["<Gmail>", "Free"], series={"a": SERIES[0]}, axis="Share")
    marks: set[str] = set()
    for spec in (bars, shares):
        drawn = await draw_chart(spec, title='What "became" of it', language="fr")
        root = ET.fromstring(str(drawn))  # noqa: S314 - drawn by ourselves
        assert root.get("aria-label") == 'What "became" of it'
        roles = {"bar", "rect mark"}
        fills = {one.get("fill") for one in root.iter() if one.get("aria-roledescription") in roles}
        assert fills <= set(SERIES)
        assert fills
        assert not [one for one in root.iter() if "style" in one.attrib or str(one.tag).endswith("script")]
        own = {mark for one in root.iter() if (mark := one.get("id"))}
        assert not own & marks, "two drawings share a page"
        marks |= own


HOUR, DAY = 3600, 86_400
SPANS = [
    (3, 1),
    (45, 1),
    (110, 1),
    (550, 5),
    (1700, 15),
    (2 * HOUR, 60),
    (9 * HOUR, 300),
    (26 * HOUR, 900),
    (5 * DAY, HOUR),
    (20 * DAY, 6 * HOUR),
    (60 * DAY, DAY),
    (400 * DAY, 7 * DAY),
]
"""Seconds from the first step of a chart to its last, and how long each step is."""
BEGIN = 1_774_047_420
"""A Friday, 22:57."""


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize(("span", "step"), SPANS)
async def test_bars_over_time_stay_in_the_frame_and_no_label_comes_twice(
    span: int, step: int, width: int
) -> None:
    begin = BEGIN // step * step
    rows = [(start, (5, 3, 2)) for start in range(begin, begin + span + 1, step)]
    series = ["Accepted", "Deferred", "Refused"]
    drawn = await draw_chart(
        bars_over_time(rows, series=series, step=step, count="Messages", width=width),
        title="x",
        language="fr",
    )
    root = ET.fromstring(str(drawn))  # noqa: S314 - drawn by ourselves
    boxes = [box_of(one) for one in root.iter() if one.get("aria-roledescription") == "rect mark"]
    assert len(boxes) == 3 * len(rows)
    for left, right, top, bottom in boxes:
        assert -0.1 <= left < right <= width + 0.1
        assert -0.1 <= top < bottom <= 200.1
    ordered = sorted({(left, right) for left, right, _, _ in boxes})
    assert all(one[1] <= next_one[0] + 0.1 for one, next_one in pairwise(ordered))
    (axis,) = [one for one in root.iter() if "X-axis" in one.get("aria-label", "")]
    labels = [one.text for one in axis.iter() if str(one.tag).endswith("text") and one.get("opacity") != "0"]
    assert len(labels) == len(set(labels)) >= 2, labels
    assert len(labels) <= (9 if width == WIDE else 5)


def box_of(mark: ET.Element) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of a bar drawn as `M x,y h w v h h -w Z`."""
    numbers = [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", mark.get("d", ""))]
    x, y, wide, high = numbers[:4]
    return min(x, x + wide), max(x, x + wide), min(y, y + high), max(y, y + high)


@given(st.integers(0, 2**33), st.integers(1, 2**28), st.sampled_from([4, 8]))
@example(1, 7_257_601, 4)  # twelve weeks between two multiples of thirteen
def test_a_time_axis_has_some_labels_inside_it_and_not_too_many(start: int, span: int, most: int) -> None:
    axis = time_axis(start, start + span, most)
    assert all(start <= tick <= start + span for tick in axis.ticks)
    assert 1 <= len(axis.ticks) <= most
