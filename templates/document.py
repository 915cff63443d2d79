"""Whole HTML documents as templates: taken as they are, with their head and their styles.

Programs that write their own HTML bring it from editors of all kinds, so attributes come quoted either way or
not at all; here they get double quotes, which is how links are found. What no mail program runs is refused
instead of passed on: filters hold it against the sender.
"""

import re

from templates.links import check_target
from templates.mjml import to_html
from templates.source import MARK, Protected, mistake_at, protect

_BEFORE = re.compile(r"\s+|<!--.*?-->", re.DOTALL)
_BEGINS = re.compile(r"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_HTML_END = re.compile(r"</html\s*>\s*\Z", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^>]*>(.*)</body\s*>", re.IGNORECASE | re.DOTALL)
_STYLE = re.compile(r"<style\b[^<>]*>", re.IGNORECASE)
_STYLE_END = re.compile(r"</style\s*>", re.IGNORECASE)
_TAG = re.compile(r"""<([a-zA-Z][^\s/>"'=]*)((?:[^>"']|"[^"]*"|'[^']*')*)>""")
_ATTRIBUTE = re.compile(
    r"""(\s)([^\s=>"'/]+)(?:\s*=\s*("[^"]*"|'[^']*'|(?:[^\s>"'/]|/(?!\s*$))[^\s>"']*))?"""
)
_RUNS = frozenset(
    {"script", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "input", "button"}
    | {"textarea", "select", "base", "audio", "video"}
)
_UNSAFE = re.compile(r"\s*(?:javascript|vbscript|data):", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
_CLOSING = ".,;:!?)]}»”'"


def is_document(source: str) -> bool:
    """Whether a template is HTML as it is, not MJML."""
    # Piece by piece: a comment ends at its first end, and read in other ways there would be 2^n of them.
    position = 0
    while before := _BEFORE.match(source, position):
        position = before.end()
    return _BEGINS.match(source, position) is not None


def as_document(html: str, language: str) -> str:
    """A piece of HTML as a whole document; a document as it is."""
    if is_document(html):
        return html
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f'<!DOCTYPE html><html lang="{language}"><head>{head}</head><body>{html}</body></html>'


def settled(source: str) -> str:
    """A document whose styles do not pass for merge code; MJML as it is.

    In close-set style sheets a brace and a hash begin a rule, and in a template a comment.
    """
    if not is_document(source):
        return source
    out: list[str] = []
    position = 0
    while begins := _STYLE.search(source, position):
        ends = _STYLE_END.search(source, begins.end())
        if ends is None:
            # Nor does any after it.
            break
        rules = source[begins.end() : ends.start()].replace("{#", "{ #")
        out += [source[position : begins.end()], rules]
        position = ends.start()
    return "".join(out) + source[position:]


def whole_html(source: str) -> Protected:
    """The protected HTML of a document: quotes in order, nothing in it that runs.

    Raises SourceError, with line and column, for what no message may hold.
    """
    html = protect(source)
    out: list[str] = []
    position = 0
    for tag in _TAG.finditer(html.text):
        name, attributes = tag.group(1).lower(), tag.group(2)
        problem = _problem_of(name, attributes)
        if problem:
            advice = "Leave it out: no mail program runs it, and filters hold it against you."
            raise mistake_at(source, min(html.origins.of(tag.start()), len(source)), problem, advice)
        out += [html.text[position : tag.start()], f"<{tag.group(1)}{_quoted(attributes)}>"]
        position = tag.end()
    html.text = "".join(out) + html.text[position:]
    return html


def with_section(source: str, section: str) -> str:
    """A document with one more MJML section, as HTML, where its body ends."""
    mjml = f"<mjml><mj-body>{section}</mj-body></mjml>"
    held = protect(mjml)
    made = _BODY.search(to_html(mjml, held))
    piece = held.restore(made.group(1)) if made else ""
    ends = list(_BODY_END.finditer(source)) or list(_HTML_END.finditer(source))
    place = ends[-1].start() if ends else len(source)
    return source[:place] + piece + source[place:]


def own_text(html: Protected, source: str, links: tuple[str, ...], base: str) -> tuple[str, tuple[str, ...]]:
    """A text part that somebody wrote, protected as `html` is, its web addresses numbered like the links.

    `base`: the mark of what stands before a number. The targets come back with those that are new.
    """
    other = protect(source)
    text = MARK.sub(lambda mark: html.set_aside(mark.group(1), other.codes[int(mark.group(2))]), other.text)
    targets = {target: place for place, target in enumerate(links)}

    def number(found: re.Match[str]) -> str:
        address = found.group().rstrip(_CLOSING)
        target = html.restore(address)
        check_target(target)
        place = targets.setdefault(target, len(targets))
        return f"{base}/{place}{found.group()[len(address) :]}"

    return _WEB.sub(number, text).strip("\n") + "\n", tuple(targets)


def _problem_of(name: str, attributes: str) -> str:
    if name in _RUNS:
        return f"A message may hold no <{name}>."
    if name == "meta" and re.search(r"http-equiv\s*=\s*[\"']?\s*refresh", attributes, re.IGNORECASE):
        return "A message may lead nowhere by itself (<meta http-equiv=refresh>)."
    for found in _ATTRIBUTE.finditer(attributes):
        word, value = found.group(2).lower(), (found.group(3) or "").strip("\"'")
        if word.startswith("on") and word[2:].isalpha():
            return f"A message may hold no {word}."
        if word == "href" and _UNSAFE.match(value):
            return f"A link may not begin with {value.strip().partition(':')[0]}:."
    return ""


def _quoted(attributes: str) -> str:
    """Every value between double quotes."""

    def quote(found: re.Match[str]) -> str:
        blank, name, value = found.groups()
        if value is None or value.startswith('"'):
            return found.group()
        inner = value[1:-1].replace('"', "&quot;") if value.startswith("'") else value
        return f'{blank}{name}="{inner}"'

    return _ATTRIBUTE.sub(quote, attributes)
