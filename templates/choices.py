"""What of a person decides what a message says: the conditions and loops of a template.

A merge field alone chooses nothing, unless it names a picture or a style by which parts are shown; nor does a
condition that fills a blank (`{% if commune %} in {{ commune }}{% endif %}`) or lets a word agree with the
civility: all people read the same message, addressed to them.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from jinja2 import nodes

from models.errors import TemplateError
from templates.language import parse
from templates.personalise import line_sandbox
from templates.source import MARK, PRINT, Protected, normalise, protect

__all__ = ["deciding_fields"]

ADDRESS: Final = frozenset({"first_name", "last_name", "civility", "email", "phone"})
PLACE: Final = frozenset(
    {"commune", "postcode", "departement", "region", "canton", "circonscription", "polling_station"}
)
MOST_AROUND: Final = 200
"""Characters around a value that is shown where it is known: more is a message of its own."""
MOST_AGREEING: Final = 40
"""Characters that agree with a civility."""
_SHOWS = re.compile(
    r"""(?<![\w-])(?:(src|srcset|background(?:-url)?)|class|css-class|mj-class|style|id)\s*=\s*"""
    r"""("[^"]*"|'[^']*')""",
    re.IGNORECASE,
)
"""Attributes that say what is shown: of pictures, by their addresses, and of styles."""
_STYLES = re.compile(r"<(?:mj-)?style\b", re.IGNORECASE)
_NOT_FIELDS: Final = frozenset({"loop", "range"})
_ABOUT_PRESENCE: Final = frozenset({"defined", "undefined", "none"})


def deciding_fields(*sources: str) -> frozenset[str]:
    """The merge fields by which some read something else than others; none of a source that is broken."""
    return frozenset(field for source in sources for field in _fields_of(source))


@lru_cache(maxsize=64)
def _fields_of(source: str) -> frozenset[str]:
    if "{" not in source:
        return frozenset()
    try:
        source = normalise(source, "template", len(source))
        tree = parse(line_sandbox(), source)
    except TemplateError:
        return frozenset()
    loops = {name.name for loop in tree.find_all(nodes.For) for name in _names(loop.target)}
    return frozenset((*_deciding(tree), *_showing(source))) - loops - _NOT_FIELDS


def _showing(source: str) -> Iterator[str]:
    """The fields that choose a picture, names and addresses apart, or a style."""
    protected = protect(source)
    for attribute in _SHOWS.finditer(protected.text):
        found = _printed(protected, attribute.group(2))
        yield from (found - ADDRESS if attribute.group(1) else found)
    for styles in _STYLES.split(protected.text)[1:]:
        yield from _printed(protected, styles.partition("</")[0])


def _printed(protected: Protected, text: str) -> set[str]:
    codes = [mark.group() for mark in MARK.finditer(text) if mark.group(1) == PRINT]
    return {name for code in codes for name in _read(parse(line_sandbox(), protected.restore(code)))}


def _deciding(tree: nodes.Template) -> Iterator[str]:
    for condition in tree.find_all(nodes.If):
        # An `elif` is a condition of its own, found by itself.
        if not _is_address(condition.test, [*condition.body, *condition.else_]):
            yield from _read(condition.test)
    for chosen in tree.find_all(nodes.CondExpr):
        sides = [side for side in (chosen.expr1, chosen.expr2) if side is not None]
        if not _is_address(chosen.test, sides):
            yield from _read(chosen.test)
    for loop in tree.find_all(nodes.For):
        yield from _read(loop.iter)
        if loop.test is not None:
            yield from _read(loop.test)
    for shown in tree.find_all(nodes.Output):
        yield from _computed(shown)


def _computed(node: nodes.Node) -> Iterator[str]:
    """What an expression that is shown depends on, rather than shows."""
    sides: Iterable[nodes.Node | None]
    match node:
        case nodes.CondExpr():
            sides = (node.expr1, node.expr2)  # its test is looked at by itself
        case nodes.And() | nodes.Or() | nodes.Compare() | nodes.Test():
            yield from _read(node)
            return
        case nodes.Getitem():
            yield from _read(node.arg)
            sides = (node.node,)
        case nodes.Filter(name="default" | "d"):
            sides = node.iter_child_nodes()
        case nodes.Filter() | nodes.Call():
            # What is cut, joined or split by a value depends on it as by a condition.
            told = [child for child in node.iter_child_nodes() if child is not node.node]
            yield from (name for one in told for name in _read(one))
            sides = (node.node,)
        case _:
            sides = node.iter_child_nodes()
    for side in sides:
        if side is not None:
            yield from _computed(side)


def _is_address(test: nodes.Node, branches: Iterable[nodes.Node]) -> bool:
    """Whether a condition fills a blank, or lets words agree with the civility, and does no more."""
    asked = set(_read(test))
    shown, length = set(), 0
    for branch in branches:
        shown |= set(_read(branch))
        length += sum(map(len, _literals(branch)))
    if _asks_presence(test) and asked <= ADDRESS | PLACE:
        return length <= MOST_AROUND and bool(asked & shown)
    return asked == {"civility"} and length <= MOST_AGREEING


def _asks_presence(test: nodes.Node) -> bool:
    match test:
        case nodes.Name():
            return True
        case nodes.Not():
            return _asks_presence(test.node)
        case nodes.And() | nodes.Or():
            return _asks_presence(test.left) and _asks_presence(test.right)
        case nodes.Test():
            return test.name in _ABOUT_PRESENCE and isinstance(test.node, nodes.Name)
        case _:
            return False


def _read(node: nodes.Node) -> Iterator[str]:
    return (name.name for name in _names(node))


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


def _literals(node: nodes.Node) -> Iterator[str]:
    for found in (node, *node.find_all((nodes.TemplateData, nodes.Const))):
        if isinstance(found, nodes.TemplateData):
            yield found.data
        elif isinstance(found, nodes.Const):
            yield str(found.value)
