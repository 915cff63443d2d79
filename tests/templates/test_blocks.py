"""Conditions and loops that run without Jinja say what Jinja would have said."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from templates.blocks import compile_block
from templates.language import MAX_LOOP_DEPTH, Sandbox, compile_part, parse
from templates.personalise import html_sandbox, line_sandbox, text_sandbox
from templates.spelling import Column, spell
from tests.templates.test_any_value import ANYTHING

FIELDS = ("a", "b", "c")
SANDBOXES = {Column.CLEAN: line_sandbox, Column.HTML: html_sandbox, Column.TEXT: text_sandbox}
WORDS = st.text("xyzé <&.=\r\n", max_size=8).map(lambda text: text.replace("\r", "").replace("\n", "\r\n"))
NAMES = st.sampled_from(FIELDS)
SIMPLE = st.one_of(
    NAMES,
    st.builds('{} == "{}"'.format, NAMES, st.sampled_from(["", "x", "é"])),
    st.builds('{} != "{}"'.format, NAMES, st.sampled_from(["", "x", "é"])),
    st.builds('{} in ["x", "é"]'.format, NAMES),
    st.builds('{} not in ("x", "y")'.format, NAMES),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=4,
)
BODIES = st.recursive(
    st.one_of(WORDS, st.builds("{{{{ {} }}}}".format, NAMES)),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if {} %}}{}{{% endif %}}".format, CONDITIONS, inner),
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, CONDITIONS, inner, inner),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}{}{{% endif %}}".format, CONDITIONS, inner, CONDITIONS, inner
        ),
        st.builds(
            '{{% for one in {}.split("{}") %}}{}[{{{{ one }}}}]{{% endfor %}}'.format,
            NAMES,
            st.sampled_from([",", " ", ", "]),
            inner,
        ),
    ),
    max_leaves=6,
)
VALUES = st.fixed_dictionaries(
    {name: st.one_of(ANYTHING, st.sampled_from(["", "x", "é", "x, y,,z"])) for name in FIELDS}
)


def loops_within_loops(source: str) -> int:
    """How deep loops are nested in a source."""
    depth = deepest = 0
    for word in re.findall(r"{% (for|endfor)", source):
        depth += 1 if word == "for" else -1
        deepest = max(deepest, depth)
    return deepest


ALLOWED = BODIES.filter(lambda source: loops_within_loops(source) <= MAX_LOOP_DEPTH)


def said_by_both(source: str, column: Column, values: Mapping[str, str]) -> tuple[str, str]:
    environment: Sandbox = SANDBOXES[column]()
    block = compile_block(parse(environment, source).body, column, FIELDS)
    assert block is not None
    spelled = {name: spell(value) for name, value in values.items()}
    clean = {name: value.clean for name, value in spelled.items()}
    return block(spelled), compile_part(environment, source).render(clean)


@given(source=ALLOWED, values=VALUES, column=st.sampled_from(Column))
@example(source="{% if a %}x{% endif %}", values={"a": " ", "b": "", "c": ""}, column=Column.HTML)
@example(
    source='{% for one in a.split(",") %}{{ one }}{% endfor %}',
    values={"a": "a, b ,,.c", "b": "", "c": ""},
    column=Column.TEXT,
)
def test_simple_code_says_what_jinja_says(source: str, values: Mapping[str, str], column: Column) -> None:
    ours, theirs = said_by_both(source, column, values)
    assert ours == theirs


@given(missing=st.sampled_from(FIELDS), condition=CONDITIONS)
def test_a_field_that_is_not_there_counts_as_jinja_counts_it(missing: str, condition: str) -> None:
    values = {name: "x" for name in FIELDS if name != missing}
    source = f"{{% if {condition} %}}yes{{% else %}}no{{% endif %}}"
    ours, theirs = said_by_both(source, Column.HTML, values)
    assert ours == theirs


@pytest.mark.parametrize(
    "source",
    [
        "{{ a|upper }}",
        "{{ 'x' }}",
        "{% if a|length > 3 %}x{% endif %}",
        "{% if a < b %}x{% endif %}",
        "{% if a == b %}x{% endif %}",
        "{% if a == 1 %}x{% endif %}",
        "{% if unknown %}x{% endif %}",
        "{{ unknown }}",
        "{% for one in a %}{{ one }}{% endfor %}",
        "{% for one in a.split() %}{{ one }}{% endfor %}",
        "{% for one in a.split('') %}{{ one }}{% endfor %}",
        "{% for one in a.split(',', 1) %}{{ one }}{% endfor %}",
        "{% for one in a.split(',') %}{{ loop.index }}{% endfor %}",
        "{% for one in a.split(',') if one %}{{ one }}{% endfor %}",
        "{% for one in a.split(',') %}x{% else %}y{% endfor %}",
        "{% for one in a.split(',') %}{% if one == 'x' %}x{% endif %}{% endfor %}",
        "{% for one in a.split(',') %}{% for two in one.split(' ') %}x{% endfor %}{% endfor %}",
        "{% for number in range(3) %}{{ number }}{% endfor %}",
    ],
)
def test_whatever_is_more_than_that_is_left_to_jinja(source: str) -> None:
    assert compile_block(parse(line_sandbox(), source).body, Column.CLEAN, FIELDS) is None
