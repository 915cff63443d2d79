"""XML of strangers, read piece by piece: strictly first, and leniently where that fails.

The strict reader is expat behind defusedxml, which refuses document types, entities and anything from
elsewhere: no report has them, and such a file is not read at all. What it stumbles over is read again by
a scanner of our own, which knows tags, text and
the five entities of XML and nothing else: it cannot be made to expand or to fetch anything, it passes over
what makes no sense, and it closes what a cut file left open. Both feed the same `Harvest`, which keeps the
parts that were asked for and lets go of the rest, so that memory grows with the rows alone.
"""

import re
import xml.sax.handler
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from xml.sax import SAXException, SAXParseException

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from deliverability.feeds.values import UnreadableReportError

MAX_DEPTH = 40
MAX_NODES = 5000
"""Elements of one part: a row of a report has twenty, its head as many."""
MAX_TEXT = 20_000
"""Characters of one element's text."""
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_NAME = re.compile(r"(/?)([A-Za-z_][\w.:-]*)")
_PLAIN_ENCODINGS = re.compile(r"(?i)(iso-?8859-\d+|latin-?1|windows-125\d|cp125\d|us-ascii|ascii)$")


@dataclass(slots=True)
class Node:
    """One element: its name in lower case without a prefix, its text, the elements in it."""

    tag: str
    text: str = ""
    nodes: "list[Node]" = field(default_factory=list)
    whole: bool = True

    def first(self, *names: str) -> "Node | None":
        """The first element directly inside that has one of these names."""
        return next((one for one in self.nodes if one.tag in names), None)

    def every(self, name: str) -> "list[Node]":
        """The elements of that name directly inside."""
        return [one for one in self.nodes if one.tag == name]

    def say(self, *names: str) -> str:
        """The text of `first`, trimmed; "" without one."""
        found = self.first(*names)
        return found.text.strip() if found is not None else ""


class Harvest:
    """Gathers the wanted parts; `on_part` is called with each as it ends, and it is forgotten then."""

    def __init__(self, wanted: frozenset[str], on_part: Callable[[Node], None]) -> None:
        """`wanted`: names of elements; those inside a wanted one belong to it."""
        self._wanted = wanted
        self._on_part = on_part
        self._open: list[Node | None] = []
        self._names: list[str] = []
        self._nodes = 0
        self._too_deep = 0
        self.tags: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether the outermost element has ended: what follows is another text."""
        return bool(self.tags) and not self._names

    def start(self, name: str) -> None:
        """An element begins."""
        if len(self._names) >= MAX_DEPTH:
            self._too_deep += 1
            return
        tag = _local(name)
        if len(self.tags) < MAX_NODES:
            self.tags.add(tag)
        self._names.append(tag)
        parent = self._open[-1] if self._open else None
        if parent is None and tag not in self._wanted:
            self._open.append(None)
            return
        self._nodes = 1 if parent is None else self._nodes + 1
        node = Node(tag)
        if parent is not None and self._nodes <= MAX_NODES:
            parent.nodes.append(node)
        self._open.append(node)

    def text(self, text: str) -> None:
        """What stands in the element that is open."""
        node = self._open[-1] if self._open and not self._too_deep else None
        if node is not None and len(node.text) < MAX_TEXT:
            node.text += text[:MAX_TEXT]

    def end(self, *, whole: bool = True) -> None:
        """The element that began last ends; `whole`: by a tag of its own."""
        if self._too_deep:
            self._too_deep -= 1
            return
        self._names.pop()
        node = self._open.pop()
        if node is None:
            return
        node.whole = whole
        if not self._open or self._open[-1] is None:
            self._on_part(node)

    def close(self, name: str) -> None:
        """An end tag that may fit nothing, or something further out."""
        tag = _local(name)
        if self._too_deep:
            self.end()
        elif tag in self._names:
            while self._names[-1] != tag:
                self.end(whole=False)
            self.end()

    def finish(self) -> None:
        """The text ends: so does whatever is open."""
        self._too_deep = 0
        while self._names:
            self.end(whole=False)


def read_xml(text: str, make: Callable[[], Harvest]) -> str:
    """Feed `text` to a fresh `make()`; "" or why it had to be read leniently, by another fresh one."""
    text = _DECLARATION.sub("", text, count=1)
    if "\0" in text:
        text = text.replace("\0", "")
    harvest = make()
    try:
        defusedxml.sax.parseString(  # type: ignore[no-untyped-call]
            text.encode("utf-8", "replace"), _Strict(harvest), forbid_dtd=True, forbid_external=True
        )
    except SAXParseException as error:
        place = f"line {error.getLineNumber()}, column {error.getColumnNumber()}"
        problem = f"Invalid XML: {error.getMessage()}: {place}"
    except UnreadableReportError:
        raise
    except DefusedXmlException as error:
        raise UnreadableReportError(
            "The XML declares a document type or entities, which no report does: it was not read."
        ) from error
    except (SAXException, ValueError, RecursionError) as error:
        problem = f"Invalid XML: {type(error).__name__}"
    else:
        return ""
    salvage = make()
    _scan(text, salvage)
    return problem


class _Strict(xml.sax.handler.ContentHandler):
    def __init__(self, harvest: Harvest) -> None:
        super().__init__()
        self._harvest = harvest

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: ARG002, N802 - theirs
        self._harvest.start(name)

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802
        self._harvest.end()

    def characters(self, content: str) -> None:
        self._harvest.text(content)


def _scan(text: str, harvest: Harvest) -> None:
    """Tags and texts in their order; linear, as no sign is looked for twice."""
    for is_tag, piece in _pieces(text):
        if harvest.is_over:
            break
        if not is_tag:
            harvest.text(unescape(piece) if "&" in piece else piece)
            continue
        found = _NAME.match(piece)
        if found is None:
            continue
        if found[1]:
            harvest.close(found[2])
            continue
        harvest.start(found[2])
        if piece.endswith("/"):
            harvest.end()
    harvest.finish()


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """What stands between < and >, and the texts around; comments and declarations are left out."""
    place = 0
    end = -1
    while place < len(text):
        begin = text.find("<", place)
        if begin < 0:
            yield False, text[place:]
            return
        if begin > place:
            yield False, text[place:begin]
        if text.startswith(("<!--", "<![CDATA["), begin):
            mark, skipped = ("-->", 4) if text.startswith("<!--", begin) else ("]]>", 9)
            stop = text.find(mark, begin + skipped)
            inside = text[begin + skipped : stop if stop >= 0 else len(text)]
            if skipped == 9:
                yield False, inside.replace("&", "&amp;")
            if stop < 0:
                return
            place = stop + 3
            continue
        if end <= begin:
            end = text.find(">", begin)
            # Looked for once: a text of nothing but opening signs would be searched for each of them.
            end = len(text) if end < 0 else end
        another = text.find("<", begin + 1)
        if 0 <= another < end:
            # A sign that opens nothing, or a tag that was cut.
            place = another
            continue
        if end == len(text):
            return
        yield True, text[begin + 1 : end]
        place = end + 1


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()[:100]


def decode(octets: bytes) -> tuple[str, str]:
    """The text of an XML or JSON file, and what was wrong with its encoding.

    UTF-16 by its mark, UTF-8, or what the declaration says where that is a plain code page. Octets that are
    none of it are left out.
    """
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        return octets.decode("utf-16", "replace").removeprefix("\ufeff"), ""
    octets = octets.removeprefix(b"\xef\xbb\xbf")
    try:
        return octets.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.match(octets[:300])
    name = declared[1].decode("ascii") if declared else ""
    if _PLAIN_ENCODINGS.match(name):
        try:
            return octets.decode(name, "replace"), ""
        except LookupError:
            pass
    return octets.decode("utf-8", "ignore"), "Some of it is not UTF-8, and was left out."
