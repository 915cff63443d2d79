"""The language of templates: nothing in it reaches further than the values it is given."""

import contextlib
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TemplateError
from templates.effort import METER
from templates.language import MAX_RANGE, compile_part
from templates.personalise import line_sandbox
from templates.slots import Slots


def render(source: str, **values: object) -> str:
    return compile_part(line_sandbox(), source).render(values)


@pytest.mark.parametrize(
    "source",
    [
        "{{ x.__class__ }}",
        "{{ x.__class__.__mro__[1].__subclasses__() }}",
        "{{ x['__class__'] }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ x.format }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ x|attr('__class__') }}",
        "{{ x|map('upper') }}",
        "{{ self }}{{ self.__init__ }}",
        "{{ x.upper.__self__ }}",
        "{{ x.upper()() }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ namespace() }}",
        "{{ loop() }}",
        "{% for a in 'ab' %}{{ loop.cycle('a') }}{% endfor %}",
        "{% for a in 'ab' recursive %}{{ loop(a) }}{% endfor %}",
        "{% for a in 'a' %}{% for b in 'b' %}{% for c in 'c' %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for loop in x %}{% endfor %}",
        "{% set a = x ~ x %}",
        "{% set a %}x{% endset %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% macro a() %}{% endmacro %}",
        "{% call x() %}{% endcall %}",
        "{% filter upper %}x{% endfilter %}",
        "{% with a = 1 %}{% endwith %}",
        "{% raw %}x{% endraw %}",
        "{% autoescape false %}x{% endautoescape %}",
        "{{ {'a': 1} }}",
        "{{ 'a' * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 10000000000000 * 10000000000000 }}",
        "{{ range(1000000000) }}",
        "{{ x.center(1000000000) }}",
        "{{ x|center(1000000000) }}",
        "{{ x is callable }}",
        "{{ (" + "(" * 3000 + "1" + ")" * 3000 + ") }}",
        "{% if a %}" * 200 + "{% endif %}" * 200,
    ],
)
def test_what_a_template_may_not_do_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        print(render(source, x="value"))  # noqa: T201 - where a leak would show


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ x.upper() }} {{ x|title }}", "ZOÉ Zoé"),
        ("{{ x|default('vous') }} {{ y|default('vous') }}", "zoé vous"),
        ("{% for i in range(3) %}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}", "1,2,3"),
        ("{{ 'oui' if x == 'zoé' else 'non' }}", "oui"),
        ("{{ 2 + 3 * 4 }} {{ 7 % 4 }} {{ x ~ '!' }}", "14 3 zoé!"),
        ("{{ 'a,b'.split(',')|join(' et ') }}", "a et b"),
        ("{% if y %}1{% elif x is defined and y is not defined %}2{% endif %}", "2"),
        ("{{ none }}|{{ x|e }}|{{ '<'|e }}", "|zoé|<"),
        ("{{ x[0] }}{{ x|length }}", "z3"),
    ],
)
def test_what_a_template_may_do(source: str, shown: str) -> None:
    assert render(source, x="zoé") == shown


def test_range_has_an_end() -> None:
    assert render(f"{{{{ range({MAX_RANGE})|length }}}}") == str(MAX_RANGE)
    with pytest.raises(TemplateError):
        render(f"{{{{ range({MAX_RANGE + 1})|length }}}}")


TWICE = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    "source",
    [
        TWICE * 500,
        "{% for a in '"
        + "a" * 100_000
        + "' %}{% for b in '"
        + "b" * 100_000
        + "' %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{% if '" + "a" * 300_000 + "'|upper == x %}{% endif %}{% endfor %}",
        "{{ range(1000)|join(range(1000)|join('" + "x" * 3000 + "'))|length }}",
        "{% for a in ['" + "a" * 100_000 + "'] %}{{ a|length }}{% endfor %}",
        "{% for a in [range(1000)|list + range(1000)|list] %}{{ a|length }}{% endfor %}",
        "{% for a in [x] %}{% for b in [" + "a ~ " * 5000 + "a] %}{{ b|length }}{% endfor %}{% endfor %}",
    ],
    ids=["loops", "letters", "long texts", "joins", "a long item", "a long list", "many texts"],
)
def test_what_would_take_all_the_time_or_memory_is_refused_at_once(source: str) -> None:
    began = process_time()
    with pytest.raises(TemplateError):
        render(source, x="value")
    assert process_time() - began < 30


def test_each_message_has_its_own_loops_counted() -> None:
    part = compile_part(
        line_sandbox(), "{% for a in range(1000) %}{{ x }}{% if a == 999 %}!{% endif %}{% endfor %}"
    )
    for name in ("a", "b"):
        assert part.render({"x": name}) == name * 1000 + "!"


def test_loops_may_use_all_that_belongs_to_them() -> None:
    source = (
        "{% for a in x|unique if a != 'b' %}{{ loop.revindex }}{{ a }}{{ loop.last }}{% else %}-{% endfor %}"
    )
    assert render(source, x="abca") == "2aFalse1cTrue"
    assert render("{% for a in y %}{{ a }}{% else %}nobody{% endfor %}") == "nobody"
    with pytest.raises(TemplateError, match="no filter"):
        render(f"{{{{ x|{METER.replace(' ', '_')} }}}}", x="a")


@given(st.text(alphabet="{}%#-+ ifendfor'\"x.|_()[]0é\n", max_size=60))
def test_no_source_breaks_the_compiler_otherwise_than_by_a_template_error(source: str) -> None:
    with contextlib.suppress(TemplateError):
        Slots(source, {}).missing({})
