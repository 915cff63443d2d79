"""The label of political advertising (Regulation (EU) 2024/900, article 11), at the end of an e-mail.

It says what it is, on whose behalf, for which vote, whether people were chosen for it, and where the whole
notice stands. No template can leave it out: it is put there when the message is compiled, on white, whatever
the colours of the template; a template in which it would not be seen, or whose styles could hide it, cannot
be used.
A text message has no room for it: it shows the address of the notice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from models.errors import TemplateError
from templates.personalise import clean

NOTICE_FIELD: Final = "notice_url"
"""Merge field: where the transparency notice of the campaign stands. Text messages may show it, too."""
_PRIVATE = re.compile("[\ue000-\uf8ff]")
"""Characters that stand for merge code while a template is compiled."""


@dataclass(frozen=True, slots=True)
class Label:
    """What the label of one campaign says. `sponsor` "": who sends it; `vote` "": none was named.

    `targeted`: people were chosen by what is known of them.
    """

    sponsor: str = ""
    vote: str = ""
    targeted: bool = False


@dataclass(frozen=True, slots=True)
class _Words:
    what: str
    sponsor: str
    vote: str
    targeted: str
    notice: str


_WORDS: Final = {
    "fr": _Words(
        what="Annonce à caractère politique",
        sponsor="Pour le compte de\u00a0:",
        vote="Élection ou référendum\u00a0:",
        targeted="Adressée à des personnes choisies selon les critères que dit l’avis.",
        notice="Avis de transparence",
    ),
    "en": _Words(
        what="Political advertisement",
        sponsor="On behalf of:",
        vote="Election or referendum:",
        targeted="Sent to people chosen by the criteria told in the notice.",
        notice="Transparency notice",
    ),
}
_CLASS: Final = "political-label"
"""Of the label's own: what a template sets for all its parts would be the label's otherwise."""
_SECTION = (
    f'<mj-section css-class="{_CLASS}" padding="16px 24px 24px 24px">'
    f'<mj-column css-class="{_CLASS}" background-color="#ffffff" border="1px solid #6b7280" padding="4px 0">'
    f'<mj-text css-class="{_CLASS}" align="left" padding="6px 14px" font-size="13px" line-height="1.5"'
    ' letter-spacing="normal" color="#1f2937" font-family="Helvetica, Arial, sans-serif">'
    "{lines}</mj-text></mj-column></mj-section>"
)
_STRONG = '<span style="font-weight:bold;color:#1f2937">{}</span>'
_LINK = '<a href="{{{{ notice_url }}}}" style="color:#1f2937;text-decoration:underline">{}</a>'
_STYLES = re.compile(r"<style\b", re.IGNORECASE)
_HIDES = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|(?:opacity|font-size|max-height)\s*:\s*[.0]+(?![.\d])",
    re.IGNORECASE,
)
_OF_THE_LABEL: Final = frozenset({_CLASS, "mj-column-per-100", "mj-outlook-group-fix"})
"""Classes it bears; whatever bears another one is not part of it."""
_NAMED = re.compile(r"[.#]((?:[\w-]|[^\x00-\x7f]|\\.)+)")
_BY_CLASS = re.compile(r"""\[\s*(?:class|id)\s*[~|^$*]?=\s*["']?([^"'\]\s]+)[^\]]*\]""", re.IGNORECASE)
_LONGEST_SELECTOR: Final = 500
_UNSURE = re.compile(r":not\([^()]*\)|\[[^\]]*\]", re.IGNORECASE)
_ELSEWHERE: Final = frozenset(
    {"img", "p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ul", "ol", "li", "th", "input", "label", "u"}
)
"""Elements it does not hold."""
_SENDER = "{{ organisation }}"
_NO_BRACES: Final = str.maketrans("{}", "()")


def label_section(label: Label, language: str) -> str:
    """The label in MJML; its only merge fields are the sender's organisation and the notice's address."""
    words = _words(language)
    lines = [
        _STRONG.format(words.what),
        f"{words.sponsor} {_inert(label.sponsor) or _SENDER}",
        *([f"{words.vote} {_inert(label.vote)}"] if clean(label.vote) else []),
        *([words.targeted] if label.targeted else []),
        _LINK.format(words.notice),
    ]
    return _SECTION.format(lines="<br />".join(lines))


def label_lines(label: Label, language: str, colon: str) -> str:
    """The same in plain text, for a text part that somebody wrote; `colon` as the language sets it."""
    words = _words(language)
    lines = [
        words.what,
        f"{words.sponsor} {_plain(label.sponsor) or _SENDER}",
        *([f"{words.vote} {_plain(label.vote)}"] if clean(label.vote) else []),
        *([words.targeted] if label.targeted else []),
        f"{words.notice}{colon}{{{{ {NOTICE_FIELD} }}}}",
    ]
    return "\n".join(lines)


def require_label(shown: str, html: str, language: str) -> None:
    """TemplateError unless what is `shown`, the text made from the HTML, ends with it, and no style hides it.

    No condition can stand around it: MJML takes none that reaches beyond a body.
    """
    words = _words(language)
    # Words that the template itself says elsewhere do not stand in for it.
    _, found, rest = _on_one_line(shown).rpartition(words.what)
    if not found or not all(_on_one_line(part) in rest for part in (words.sponsor, words.notice)):
        raise TemplateError(
            "The label of political advertising would not be seen.",
            "End the body of the template with </mj-body>, once, and outside of comments.",
        )
    hiding = next(_hiding(html), None)
    if hiding is not None:
        raise TemplateError(
            f"The style “{hiding[:80]}” would hide the label of political advertising.",
            "Name what it hides by a class of your own.",
        )


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _hiding(html: str) -> Iterator[str]:
    """Selectors of rules that hide something which may be the label, or stand around it."""
    for styles in _STYLES.split(html)[1:]:
        first, *others = styles.partition(">")[2].partition("</")[0].split("/*")
        rules = first + " ".join(other.partition("*/")[2] for other in others)
        for rule in rules.split("}"):
            head, _, declared = rule.rpartition("{")
            if _HIDES.search(declared):
                selectors = head.rpartition("{")[2].split(",")
                yield from (one.strip() for one in selectors if _may_be_the_label(one))


def _may_be_the_label(selector: str) -> bool:
    """Whether what a selector chooses bears no class or name but those of the label."""
    if len(selector) > _LONGEST_SELECTOR:
        return True
    named = {name for name in _BY_CLASS.findall(selector) if not any(name in own for own in _OF_THE_LABEL)}
    last = re.split(r"[\s>+~]+", _UNSURE.sub("", selector).strip())[-1]
    named |= set(_NAMED.findall(last)) - _OF_THE_LABEL
    element = re.match(r"[\w-]*", last)
    return not named and (element is None or element.group().lower() not in _ELSEWHERE)


def _words(language: str) -> _Words:
    return _WORDS.get(language, _WORDS["en"])


def _plain(text: str) -> str:
    """The same where markup means nothing."""
    return clean(_PRIVATE.sub("", text)).translate(_NO_BRACES)


def _inert(text: str) -> str:
    """Text that is neither markup nor merge code, whatever somebody typed."""
    return escape(clean(_PRIVATE.sub("", text))).replace("{", "&#123;").replace("}", "&#125;")
