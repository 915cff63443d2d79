"""The text part, made from the HTML: what a reader without pictures and tables should see.

Headings, paragraphs, lists, links and the descriptions of images, in lines that are not wrapped. Layout
tables (role="presentation") leave no trace, tables of data keep their rows. Libraries that do this were
left out: one pads layout tables with blanks, one drops the links, the best one is under the GPL.

Works on protected HTML: marks of merge code stay where they are. Every block ends its own lines and no
block begins with one, so a block under a condition takes its blank lines along when it goes.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from templates.source import CONTROL, MARK

_BLANKS = re.compile(r"[ \t\r\n\f]+")
_INVISIBLE = re.compile(r"[\u200b\u200c\u034f\ufeff\u00ad]|\u2007(?=[\u034f\u2007\u00a0])")
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_SILENT = frozenset({"head", "style", "script", "title", "noscript", "template", "svg"})
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "table",
        "tr",
        "td",
        "th",
        "tbody",
        "thead",
        "tfoot",
        "ul",
        "ol",
        "blockquote",
        "section",
        "article",
    }
    | {
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "body",
        "header",
        "footer",
        "main",
        "center",
        "pre",
        "dl",
        "dt",
        "dd",
    }
)
_ROW_PARTS = frozenset({"tr", "tbody", "thead", "tfoot"})
_UNDERLINES = {"h1": "=", "h2": "-"}
_VOID = frozenset({"br", "img", "hr", "meta", "link", "input", "area", "base", "col", "wbr"})
_INDENT = "\x02"
_EDGES = " \u00a0\u2007\u200a\u202f"
_RULE = "-" * 40


@dataclass(slots=True)
class _Link:
    href: str
    start: int
    """Where its text begins among the pieces of the line."""


@dataclass(slots=True)
class _List:
    ordered: bool
    count: int = 0


@dataclass(slots=True)
class _State:
    """Where the writer stands."""

    out: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)
    links: list[_Link] = field(default_factory=list)
    tables: list[bool] = field(default_factory=list)
    """For each open table, whether it holds data rather than layout."""
    hidden: list[str] = field(default_factory=list)
    """Open elements from the one that hides all within."""


class _Writer(HTMLParser):
    """Reads HTML, writes lines."""

    def __init__(self, colon: str) -> None:
        """`colon` stands between the text of a link and its address."""
        super().__init__(convert_charrefs=True)
        self.state = _State()
        self._colon = colon

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        state = self.state
        attributes = {name: value or "" for name, value in attrs}
        if state.hidden or tag in _SILENT or _HIDDEN.search(attributes.get("style", "")):
            if tag not in _VOID:
                state.hidden.append(tag)
            return
        if tag == "table":
            self._end_line(2)
            state.tables.append(attributes.get("role") != "presentation")
        elif tag in {"ul", "ol"}:
            self._end_line(1 if state.lists else 2)
            state.lists.append(_List(ordered=tag == "ol"))
        elif tag == "li":
            self._end_line(1)
            state.line.append(self._bullet())
        elif tag == "a":
            state.links.append(_Link(attributes.get("href", "").strip(), len(state.line)))
        elif tag == "img":
            state.line.append(attributes.get("alt", "").strip())
        else:
            self._break(tag)

    def _break(self, tag: str) -> None:
        """What a tag does that only breaks lines."""
        state = self.state
        if tag == "br":
            self._end_line(1, force=True)
        elif tag == "hr":
            self._end_line(2)
            state.line.append(_RULE)
            self._end_line(2)
        elif tag in {"td", "th"} and self._in_data():
            if _visible("".join(state.line)):
                state.line.append(" | ")
        elif tag in _ROW_PARTS and self._in_data():
            self._end_line(1)
        elif tag in _BLOCKS:
            self._end_line(2)

    def handle_endtag(self, tag: str) -> None:
        state = self.state
        if state.hidden:
            if tag in state.hidden:
                while state.hidden.pop() != tag:
                    pass
        elif tag == "a" and state.links:
            self._end_link(state.links.pop())
        elif tag in _UNDERLINES:
            self._underline(_UNDERLINES[tag])
        elif tag in {"td", "th"} and self._in_data():
            pass
        elif tag == "li" or (tag in _ROW_PARTS and self._in_data()):
            self._end_line(1)
        elif tag in _BLOCKS:
            self._end_block(tag)

    def _end_block(self, tag: str) -> None:
        """A list within a list ends no paragraph."""
        state = self.state
        if tag in {"ul", "ol"} and state.lists:
            state.lists.pop()
            self._end_line(1 if state.lists else 2)
            return
        self._end_line(2)
        if tag == "table" and state.tables:
            state.tables.pop()

    def handle_data(self, data: str) -> None:
        if not self.state.hidden:
            self.state.line.append(_INVISIBLE.sub("", data))

    def _in_data(self) -> bool:
        return bool(self.state.tables) and self.state.tables[-1]

    def _bullet(self) -> str:
        lists = self.state.lists
        if not lists:
            return "- "
        lists[-1].count += 1
        indent = _INDENT * (len(lists) - 1)
        return f"{indent}{lists[-1].count}. " if lists[-1].ordered else f"{indent}- "

    def _end_link(self, link: _Link) -> None:
        """`text: address` alone on its line, `text (address)` within a sentence; an empty link is nothing."""
        line = self.state.line
        text = _squeeze("".join(line[link.start :]))
        href = link.href
        if not href or href.startswith("#") or not _visible(text):
            return
        shown = href.removeprefix("mailto:").removeprefix("tel:")
        if text in {href, shown} or href.removeprefix("https://").removeprefix("http://").rstrip("/") == text:
            del line[link.start :]
            line.append(shown)
        elif _visible("".join(line[: link.start])):
            line.append(f" ({shown})")
        else:
            # Whether more text follows is not known yet: `_end_line` decides.
            line.append(f"\x00{shown}\x01")

    def _underline(self, sign: str) -> None:
        text = _squeeze("".join(self.state.line))
        self._end_line(1)
        if _visible(text):
            self.state.out.append(sign * min(len(MARK.sub("········", text)), 60))
            self._gap(2)

    def _end_line(self, gap: int, *, force: bool = False) -> None:
        """Write the current line, if there is one, and `gap` line ends; with `force` also without a line."""
        state = self.state
        text = _squeeze(_settle_link("".join(state.line), self._colon))
        state.line.clear()
        for link in state.links:
            link.start = 0
        if text:
            state.out.append(text)
        # A line break after an empty line, or after statements alone, makes a blank line.
        self._gap(2 if force and not _visible(text) else gap)

    def _gap(self, count: int) -> None:
        """At least `count` line ends after the last line, statements that came since not counted."""
        out = self.state.out
        present = 0
        for piece in reversed(out):
            if not piece.strip("\n"):
                present += len(piece)
            elif _visible(piece):
                break
        else:
            # Nothing has been written yet.
            return
        if present < count:
            out.append("\n" * (count - present))


def _settle_link(text: str, colon: str) -> str:
    """A link that began its line: `text: address` when nothing follows, else `text (address)`."""
    head, found, rest = text.partition("\x00")
    if not found:
        return text
    address, _, tail = rest.partition("\x01")
    return (
        f"{head.rstrip()}{colon}{address}{tail}"
        if not _visible(tail)
        else f"{head.rstrip()} ({address}){tail}"
    )


def _squeeze(text: str) -> str:
    return _BLANKS.sub(" ", text).strip(_EDGES)


def _visible(text: str) -> bool:
    """Whether a line shows anything: statements alone do not."""
    return bool(MARK.sub(lambda mark: "" if mark.group(1) == CONTROL else "x", text).strip(f"{_EDGES}|"))


def to_text(html: str, colon: str = ": ") -> str:
    r"""The protected text of protected HTML, lines ended by `\n`, the last one too.

    `colon` stands between the text of a link and its address.
    """
    writer = _Writer(colon)
    writer.feed(html)
    writer.close()
    writer._end_line(1)  # noqa: SLF001 - the writer is this module's own
    text = "".join(writer.state.out).strip("\n")
    return text.replace(_INDENT, "  ") + "\n"
