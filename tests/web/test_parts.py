"""The small parts of the front door by themselves: throttles, forms, charts."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from models.access import Role
from models.errors import BadInputError
from tests.clocks import ManualClock
from web.charts import SERIES, bars_over_time, draw_chart, shares_by_name
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
    rows: list[dict[str, object]] = [
        {"start": 1000.0 * 60_000 * step, "what": what, "rank": rank, "count": step + 1}
        for step in range(3)
        for rank, what in enumerate(("Yes & no", "No"))
    ]
    bars = bars_over_time(rows, series=["Yes & no", "No"], steps=3, days=False, count="Deliveries")
    named: list[dict[str, object]] = [
        {"name": "<Gmail>", "what": "a", "rank": 0, "count": 3},
        {"name": "Free", "what": "a", "rank": 0, "count": 1},
    ]
    shares = shares_by_name(named, names=["<Gmail>", "Free"], series=["a"], axis="Share")
    marks: set[str] = set()
    for spec in (bars, shares):
        drawn = await draw_chart(spec, title='What "became" of it', language="fr")
        root = ET.fromstring(str(drawn))  # noqa: S314 - drawn by ourselves
        assert root.get("aria-label") == 'What "became" of it'
        fills = {one.get("fill") for one in root.iter() if one.get("aria-roledescription") == "bar"}
        assert fills <= set(SERIES)
        assert fills
        assert not [one for one in root.iter() if "style" in one.attrib or str(one.tag).endswith("script")]
        own = {mark for one in root.iter() if (mark := one.get("id"))}
        assert not own & marks, "two drawings share a page"
        marks |= own
