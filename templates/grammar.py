"""What MJML is made of: which component may stand where, and with which attributes.

The MJML library lets unknown tags, misplaced components, wrong closing tags and stray text pass, and what
comes out is a broken mail. This check runs first and says where the mistake is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from templates.source import MARK, PRINT, Protected, mistake_at

_PADDING = "padding padding-top padding-right padding-bottom padding-left"
_BACKGROUND = (
    "background-color background-url background-repeat background-size background-position "
    "background-position-x background-position-y"
)
_BORDER = "border border-top border-right border-bottom border-left border-radius"
_INNER = (
    "inner-background-color inner-border inner-border-top inner-border-right inner-border-bottom "
    "inner-border-left inner-border-radius"
)
_FONT = "font-family font-size font-style font-weight letter-spacing line-height color"
_DECORATION = "text-decoration text-transform"
_CONTAINER = "container-background-color"
_LINK = "href target rel name title"
_IMAGE = f"src srcset sizes alt title width height border-radius {_LINK} usemap"
_ICON = "icon-size icon-height icon-padding text-padding"
_ACCORDION = (
    "icon-align icon-width icon-height icon-wrapped-url icon-wrapped-alt "
    "icon-unwrapped-url icon-unwrapped-alt"
)
_BODY_PARTS = "mj-section mj-wrapper mj-hero mj-raw"
_COLUMN_PARTS = (
    "mj-text mj-button mj-image mj-divider mj-spacer mj-table "
    "mj-social mj-navbar mj-accordion mj-carousel mj-raw"
)


@dataclass(frozen=True, slots=True)
class Component:
    """`children` are the components it may hold; None when it holds HTML or text instead."""

    attributes: frozenset[str]
    children: frozenset[str] | None


def _component(attributes: str, children: str | None = None) -> Component:
    return Component(frozenset(attributes.split()), None if children is None else frozenset(children.split()))


COMPONENTS: Mapping[str, Component] = MappingProxyType(
    {
        "mjml": _component("lang dir owa", "mj-head mj-body"),
        "mj-head": _component("", "mj-attributes mj-breakpoint mj-font mj-preview mj-style mj-title mj-raw"),
        "mj-title": _component(""),
        "mj-preview": _component(""),
        "mj-style": _component("inline"),
        "mj-font": _component("name href", ""),
        "mj-breakpoint": _component("width", ""),
        "mj-attributes": _component("", "*"),
        "mj-body": _component("background-color width id", _BODY_PARTS),
        "mj-wrapper": _component(
            f"{_PADDING} {_BACKGROUND} {_BORDER} full-width text-align direction gap",
            "mj-section mj-hero mj-raw",
        ),
        "mj-section": _component(
            f"{_PADDING} {_BACKGROUND} {_BORDER} full-width text-align direction text-padding",
            "mj-column mj-group mj-raw",
        ),
        "mj-group": _component("width vertical-align background-color direction", "mj-column mj-raw"),
        "mj-column": _component(
            f"{_PADDING} {_BORDER} {_INNER} background-color direction vertical-align width", _COLUMN_PARTS
        ),
        "mj-hero": _component(
            f"{_PADDING} {_BACKGROUND} border-radius {_CONTAINER} inner-background-color inner-padding "
            "inner-padding-top inner-padding-right inner-padding-bottom inner-padding-left mode height width "
            "vertical-align align background-height background-width",
            _COLUMN_PARTS,
        ),
        "mj-text": _component(f"{_PADDING} {_FONT} {_DECORATION} {_CONTAINER} align height vertical-align"),
        "mj-button": _component(
            f"{_PADDING} {_FONT} {_DECORATION} {_CONTAINER} {_BORDER} {_LINK} align background-color height "
            "inner-padding text-align vertical-align width"
        ),
        "mj-image": _component(
            f"{_PADDING} {_BORDER} {_CONTAINER} {_IMAGE} align font-size fluid-on-mobile full-width "
            "max-height",
            "",
        ),
        "mj-divider": _component(
            f"{_PADDING} {_CONTAINER} border-color border-style border-width width align", ""
        ),
        "mj-spacer": _component(f"{_PADDING} {_BORDER} {_CONTAINER} height width vertical-align", ""),
        "mj-table": _component(
            f"{_PADDING} {_FONT} {_CONTAINER} align border cellpadding cellspacing table-layout role "
            "vertical-align width"
        ),
        "mj-raw": _component("position"),
        "mj-social": _component(
            f"{_PADDING} {_FONT} text-decoration {_CONTAINER} {_ICON} align border-radius inner-padding mode "
            "table-layout vertical-align",
            "mj-social-element mj-raw",
        ),
        "mj-social-element": _component(
            f"{_PADDING} {_FONT} text-decoration {_ICON} {_LINK} align alt background-color border-radius "
            "icon-position src srcset sizes vertical-align"
        ),
        "mj-navbar": _component(
            f"{_PADDING} align base-url hamburger ico-align ico-close ico-color ico-font-family "
            "ico-font-size ico-line-height ico-open ico-padding ico-padding-top ico-padding-right "
            "ico-padding-bottom ico-padding-left ico-text-decoration ico-text-transform",
            "mj-navbar-link mj-raw",
        ),
        "mj-navbar-link": _component(f"{_PADDING} {_FONT} {_DECORATION} {_LINK}"),
        "mj-accordion": _component(
            f"{_PADDING} {_CONTAINER} {_ACCORDION} border font-family icon-position",
            "mj-accordion-element mj-raw",
        ),
        "mj-accordion-element": _component(
            f"background-color border font-family {_ACCORDION} icon-position",
            "mj-accordion-title mj-accordion-text mj-raw",
        ),
        "mj-accordion-title": _component(
            f"{_PADDING} background-color color font-family font-size font-weight"
        ),
        "mj-accordion-text": _component(f"{_PADDING} {_FONT} background-color"),
        "mj-carousel": _component(
            f"{_PADDING} {_CONTAINER} align background-color border-radius icon-width left-icon right-icon "
            "thumbnails tb-border tb-border-radius tb-hover-border-color tb-selected-border-color tb-width",
            "mj-carousel-image",
        ),
        "mj-carousel-image": _component(f"{_IMAGE} thumbnails-src tb-border tb-border-radius", ""),
    }
)
_EVERYWHERE = frozenset({"css-class", "mj-class"})
# Where the MJML library itself refuses text, and so has no room for a statement between two components.
_NO_STATEMENTS = frozenset(
    {
        "mjml",
        "mj-head",
        "mj-attributes",
        "mj-social",
        "mj-navbar",
        "mj-accordion",
        "mj-accordion-element",
        "mj-carousel",
    }
)

TAG = re.compile(r"""<!--.*?-->|<(/?)([a-zA-Z][\w:-]*)((?:[^>"']|"[^"]*"|'[^']*')*?)(/?)>""", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([^\s=/"']+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"']+))?""")


@dataclass(frozen=True, slots=True)
class _Tag:
    closing: bool
    name: str
    attributes: str
    empty: bool
    start: int
    end: int
    attributes_start: int


def check_mjml(source: str, protected: Protected) -> None:
    """Raise SourceError for the first mistake that the MJML library would let pass.

    `source` is what the person wrote, `protected` the same with its merge code set aside.
    """
    for offset, problem, advice in _mistakes(protected.text):
        raise mistake_at(source, protected.origins.of(offset), problem, advice)


def _mistakes(text: str) -> Iterator[tuple[int, str, str]]:
    """Offset, problem and advice of each mistake, from the beginning to the end."""
    # Anywhere: some components that hold HTML read it as MJML all the same.
    included = text.find("<mj-include")
    if included >= 0:
        yield included, "<mj-include> is not supported: a template is one text.", "Copy its content here."
    stack: list[_Tag] = []
    position = 0
    for tag in _tags(text):
        yield from _stray_text(text, position, tag.start, stack)
        position = tag.end
        if tag.closing:
            yield from _wrong_end(tag, stack)
            stack.pop()
            continue
        yield from _misplaced(tag, stack)
        if tag.name in COMPONENTS:
            yield from _wrong_attributes(tag, stack)
        if not tag.empty and not (stack and stack[-1].name == "mj-attributes" and tag.name == "mj-class"):
            stack.append(tag)
    if stack:
        yield stack[-1].start, f"<{stack[-1].name}> is not closed.", f"Add </{stack[-1].name}>."
    yield from _stray_text(text, position, len(text), stack)


def _tags(text: str) -> Iterator[_Tag]:
    """The tags of MJML, leaving out the HTML inside components that hold HTML."""
    position = 0
    while match := TAG.search(text, position):
        position = match.end()
        closing, name, attributes, slash = match.groups()
        if name is None:
            continue
        tag = _Tag(
            bool(closing),
            name,
            attributes,
            bool(slash),
            match.start(),
            match.end(),
            match.start(3) if attributes else 0,
        )
        yield tag
        component = COMPONENTS.get(name)
        if component and component.children is None and not closing and not slash:
            end = re.compile(rf"</{name}\s*>").search(text, position)
            if end:
                position = end.start()


def _stray_text(text: str, start: int, end: int, stack: list[_Tag]) -> Iterator[tuple[int, str, str]]:
    """Text, or merge code, where only components may stand."""
    parent = stack[-1].name if stack else ""
    component = COMPONENTS.get(parent)
    if component and component.children is None:
        return
    between = re.sub(
        r"<!--.*?-->", lambda comment: " " * len(comment.group()), text[start:end], flags=re.DOTALL
    )
    for mark in MARK.finditer(between):
        if mark.group(1) == PRINT:
            yield (
                start + mark.start(),
                "A merge field stands between two components.",
                "Put it inside <mj-text>.",
            )
        elif parent in _NO_STATEMENTS or not parent:
            yield (
                start + mark.start(),
                f"A condition or loop cannot stand inside <{parent or 'mjml'}> between components.",
                "Put it around the whole component or inside its text.",
            )
    rest = MARK.sub(lambda mark: " " * len(mark.group()), between)
    if rest.strip():
        offset = len(rest) - len(rest.lstrip())
        where = f"inside <{parent}>" if parent else "outside <mjml>"
        yield start + offset, f"Text stands {where}, where only components may.", "Put it inside <mj-text>."


def _wrong_end(tag: _Tag, stack: list[_Tag]) -> Iterator[tuple[int, str, str]]:
    if not stack:
        yield tag.start, f"</{tag.name}> closes nothing.", "Delete it."
    elif stack[-1].name != tag.name:
        yield (
            tag.start,
            f"</{tag.name}> stands where <{stack[-1].name}> should be closed.",
            f"Write </{stack[-1].name}>.",
        )


def _misplaced(tag: _Tag, stack: list[_Tag]) -> Iterator[tuple[int, str, str]]:
    """An unknown component, or a known one in the wrong place."""
    parent = stack[-1].name if stack else ""
    if parent == "mj-attributes" and tag.name in {*COMPONENTS, "mj-all", "mj-class"}:
        return
    elif tag.name not in COMPONENTS:
        close = get_close_matches(tag.name, COMPONENTS, 1)
        advice = f"Did you mean <{close[0]}>?" if close else "HTML goes inside <mj-text> or <mj-raw>."
        yield tag.start, f"There is no component <{tag.name}>.", advice
    elif not parent:
        if tag.name != "mjml":
            yield tag.start, f"The template begins with <{tag.name}>.", "Begin with <mjml>."
    elif tag.name not in (COMPONENTS[parent].children or ()):
        fitting = sorted(name for name, it in COMPONENTS.items() if it.children and tag.name in it.children)
        yield (
            tag.start,
            f"<{tag.name}> cannot stand inside <{parent}>.",
            f"Put it inside {' or '.join(f'<{name}>' for name in fitting)}." if fitting else "Delete it.",
        )


def _wrong_attributes(tag: _Tag, stack: list[_Tag]) -> Iterator[tuple[int, str, str]]:
    if stack and stack[-1].name == "mj-attributes":
        return
    known = COMPONENTS[tag.name].attributes | _EVERYWHERE
    for found in _ATTRIBUTE.finditer(tag.attributes):
        name, value = found.groups()
        offset = tag.attributes_start + found.start()
        if MARK.search(name):
            yield offset, "Merge code stands among the attributes.", "Put it inside a quoted value."
        elif value is None or value[0] not in "\"'":
            yield offset, f"The attribute {name} has no quoted value.", f'Write {name}="…".'
        elif name not in known:
            close = get_close_matches(name, known, 1)
            advice = f"Did you mean {close[0]}?" if close else "Delete it."
            yield offset, f"<{tag.name}> has no attribute {name}.", advice
