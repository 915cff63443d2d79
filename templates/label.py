"""The label of political advertising (Regulation (EU) 2024/900, article 11), at the end of an e-mail.

It says what it is, on whose behalf, for which vote, whether people were chosen for it, and where the whole
notice stands. No template can leave it out: it is put there when the message is compiled, on white, whatever
the colours of the template; a template in which it would not be seen cannot be used.
A text message has no room for it: it shows the address of the notice.
"""

import re
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
_SECTION = (
    '<mj-section padding="16px 24px 24px 24px"><mj-column background-color="#ffffff"'
    ' border="1px solid #6b7280" padding="4px 0"><mj-text align="left" padding="6px 14px" font-size="13px"'
    ' line-height="1.5" color="#1f2937" font-family="Helvetica, Arial, sans-serif">'
    "{lines}</mj-text></mj-column></mj-section>"
)
_STRONG = '<span style="font-weight:bold;color:#1f2937">{}</span>'
_LINK = '<a href="{{{{ notice_url }}}}" style="color:#1f2937;text-decoration:underline">{}</a>'
_SENDER = "{{ organisation }}"


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


def require_label(shown: str, language: str) -> None:
    """TemplateError unless the label is among what is `shown`: the text made from the HTML.

    No condition can stand around it: MJML takes none that reaches beyond a body.
    """
    if _words(language).what not in " ".join(shown.split()):
        raise TemplateError(
            "The label of political advertising would not be seen.",
            "End the body of the template with </mj-body>, once, and outside of comments.",
        )


def _words(language: str) -> _Words:
    return _WORDS.get(language, _WORDS["en"])


def _inert(text: str) -> str:
    """Text that is neither markup nor merge code, whatever somebody typed."""
    return escape(clean(_PRIVATE.sub("", text))).replace("{", "&#123;").replace("}", "&#125;")
