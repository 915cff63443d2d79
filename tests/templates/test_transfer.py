"""The transfer encodings of static text, whatever it is."""

import quopri
import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from templates.transfer import LINE_OCTETS, encode_html, encode_text, longest_line, quote_value, rewrap

LINES = st.lists(st.text(alphabet="aé=. -😀&", max_size=120), max_size=8).map("\n".join)


def decoded(quoted: str) -> str:
    return quopri.decodestring(quoted.encode("ascii")).decode("utf-8").replace("\r\n", "\n")


@given(LINES)
def test_static_text_survives_quoted_printable(text: str) -> None:
    encoded = encode_text(text)
    assert decoded(encoded) == re.sub(" {2,}", " ", text)
    assert max(map(len, encoded.split("\r\n"))) <= 76
    assert not re.search(r" \r\n|  |^\.", encoded, re.MULTILINE)


@given(st.text(alphabet="aé=.😀&", max_size=200))
def test_a_value_leaves_room_for_the_soft_break_after_it(value: str) -> None:
    quoted = quote_value(value)
    assert decoded(quoted) == value
    assert max(map(len, quoted.split("\r\n"))) <= 75


@given(
    st.lists(
        st.sampled_from(["mot ", "é", " ", "\n", '<td class="a  b">', "<br/>", "x" * 500, "&amp;"]),
        max_size=40,
    )
)
def test_static_html_reads_the_same_in_seven_bits(pieces: list[str]) -> None:
    html = "".join(pieces)
    encoded = encode_html(html)
    assert encoded.isascii()
    assert re.sub(r"\s+", " ", unescape(encoded)) == re.sub(r"\s+", " ", unescape(html)).strip(" ")
    assert encode_html(encoded) == encoded


@given(st.text(alphabet="x &<>;#1", max_size=200).map(lambda text: text * 20))
def test_rewrapping_makes_any_line_short(html: str) -> None:
    assert longest_line(rewrap(html)) <= LINE_OCTETS


def test_a_reference_is_not_cut_in_two() -> None:
    html = "&#233;" * 1000
    assert all(line.startswith("&#233;") and line.endswith("&#233;") for line in rewrap(html).split("\r\n"))
