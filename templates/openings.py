"""What is opened and never closed: a little is overlooked, much is refused, and so is what lies too deep.

Everything else looks for tags and merge code with expressions that read on to where one ends. Where thousands
do not end, each of them is read to the end of the text, and a template of a few hundred thousand characters
takes an hour; and the MJML library ends with the whole process where elements lie in one another too deep.
So this look comes first, and ends early.
"""

import re
from typing import Final

from templates.source import mistake_at, protect

MOST_ODD: Final = 100
"""Tags that do not end, or begin within another one."""
MOST_CODE: Final = 20
"""Pieces of merge code that do not end."""
DEEPEST: Final = 500
"""Elements within one another; eight thousand would be too many."""
_BEGINS: Final = re.compile(r"<(/?)([a-zA-Z][^\s/>\"'=]*)")
_CODE: Final = re.compile(r"\{[{%#]")
_QUOTED: Final = r"""|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
# Nothing follows in them that could fail: then they would try every other way to get there. That they may not
# (possessive) is wrong in early releases of Python 3.11.
_INSIDE: Final = {
    "<": (re.compile(r"""(?:[^>"']+|"[^"]*"|'[^']*')*"""), ">"),
    "{#": (re.compile(r"(?:[^#]+|#(?!\}))*"), "#}"),
    "{{": (re.compile(r"""(?:[^"'}]+|\}(?!\})""" + _QUOTED + ")*", re.DOTALL), "}}"),
    "{%": (re.compile(r"""(?:[^"'%]+|%(?!\})""" + _QUOTED + ")*", re.DOTALL), "%}"),
}
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


def require_closed(source: str, *, deep: bool) -> None:
    """SourceError for comments and style sheets that do not end, and for many tags that do not.

    `deep`: elements may lie in one another as deep as they like.
    """
    require_code_ends(source)
    html = protect(source)
    text = html.text
    for begin, end, what in (("<!--", "-->", "comment"), ("<style", "</style", "style sheet")):
        last = text.lower().rfind(begin)
        if last >= 0 and text.lower().find(end, last) < 0:
            raise mistake_at(source, html.origins.of(last), f"A {what} is not closed.", f"End it with {end}.")
    odd = position = depth = 0
    while begins := _BEGINS.search(text, position):
        closed = _end_of("<", text, begins.end())
        rest = None if closed is None else text[begins.end() : closed]
        position = closed or begins.end()
        odd += rest is None or len(_BEGINS.findall(rest))
        if odd > MOST_ODD:
            problem = "Too many tags are not closed."
            raise mistake_at(source, html.origins.of(begins.start()), problem, "End each with >.")
        if begins[2].lower() not in _VOID and rest is not None and not rest.endswith("/>"):
            depth = max(depth - 1, 0) if begins[1] else depth + 1
        if depth > DEEPEST and not deep:
            problem = "Too many elements lie within one another."
            raise mistake_at(source, html.origins.of(begins.start()), problem, "Close them earlier.")


def require_code_ends(source: str) -> None:
    """SourceError for many pieces of merge code that do not end; of a few Jinja says it better."""
    odd = position = 0
    while begins := _CODE.search(source, position):
        closed = _end_of(begins.group(), source, begins.end())
        position = closed or begins.end()
        odd += closed is None
        if odd > MOST_CODE:
            raise mistake_at(source, begins.start(), "Merge code is not closed.", "End it with }}, %} or #}.")


def _end_of(opening: str, text: str, position: int) -> int | None:
    """Where ends what was opened before `position`; None where nothing ends it."""
    inside, end = _INSIDE[opening]
    within = inside.match(text, position)
    last = position if within is None else within.end()
    return last + len(end) if text.startswith(end, last) else None
