"""An e-mail template compiled once for a campaign, and rendered for each person in one pass.

MJML, links, the text part and the transfer encodings are done here, on text that is the same for everybody;
what is left is still a template, with its conditions and loops, whose static text is already as it goes over
the wire. Building and encoding each message from scratch costs some thirty times as much.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from models.errors import TemplateError
from models.values import EmailMessage
from templates.document import is_document, own_text, settled, whole_html, with_section
from templates.label import Label, label_lines, label_section, require_label
from templates.language import fields_of, parse
from templates.links import CLICK_FIELD, UNSUBSCRIBE_FIELD, number_links, target_fields
from templates.mjml import to_html
from templates.openings import require_closed, require_code_ends
from templates.parts import Fields, HtmlPart, TextPart, compile_html, compile_text
from templates.personalise import line_sandbox
from templates.plaintext import to_text
from templates.segments import Segments, compile_segments, cut
from templates.slots import Slots
from templates.source import MARK, PRINT, Protected, normalise, protect
from templates.spelling import Column, spell_once
from templates.transfer import encode_html, encode_text

TEMPLATE_LENGTH = 400_000
LINE_LENGTH = 1000
_GIVEN = frozenset({UNSUBSCRIBE_FIELD})
_BODY_TAG = re.compile(r"<body\b[^>]*>")
_BODY_END = re.compile(r"</mj-body\s*>")
_BLANKS = re.compile(" +")
# Keeps the beginning of the mail out of the preview line of the inbox.
_PREHEADER_PADDING = "&#8199;&#847; " * 60
_PREHEADER_STYLE = (
    "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;"
    "mso-hide:all"
)
_FOOTER_WORDS = {
    "fr": ("Ce message a été envoyé à", "Se désinscrire"),
    "en": ("This message was sent to", "Unsubscribe"),
}
# French puts a no-break space before it.
_COLONS = {"fr": "\u00a0: "}
_FOOTER = (
    '<mj-section padding="8px 0 24px 0"><mj-column><mj-text align="center" font-size="12px" '
    'line-height="1.6" color="#6b7280" font-family="Helvetica, Arial, sans-serif">'
    "{{% if organisation %}}{{{{ organisation }}}}<br />{{% endif %}}"
    "{{% if postal_address %}}{{{{ postal_address }}}}<br />{{% endif %}}"
    "{{% if email %}}{sent_to} {{{{ email }}}}<br />{{% endif %}}"
    '<a href="{{{{ unsubscribe_url }}}}" style="color:#6b7280;text-decoration:underline">{leave}</a>'
    "</mj-text></mj-column></mj-section>"
)


@dataclass(frozen=True, slots=True)
class CompiledEmail:
    """An e-mail ready to be rendered for any number of people, from any number of threads.

    `links` are the targets of the numbered links, in order; they may hold merge fields. `fields` are the
    merge fields that the message uses, without those that are given for each message.
    """

    links: tuple[str, ...]
    fields: frozenset[str]
    _slots: Slots
    _subject: Segments
    _html: HtmlPart
    _text: TextPart

    def missing(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The fields that would be shown blank to this person, without a declared fallback.

        Fields under a condition that does not hold are not missing. Those in the targets of links count.
        """
        return self._slots.missing(values)

    def render(self, values: Mapping[str, str], *, click_base: str, unsubscribe_url: str) -> EmailMessage:
        """One person's message; link i becomes `{click_base}/{i}`.

        Bodies are in DKIM's relaxed canonical form and end with one CRLF; no line of them begins with a dot,
        but for pathological values. Raises MissingValueError when `missing(values)` names any field.
        """
        filled = self._slots.ready(values)
        filled[CLICK_FIELD] = spell_once(click_base)
        filled[UNSUBSCRIBE_FIELD] = spell_once(unsubscribe_url)
        subject = "".join(self._subject.fill(filled))
        html, html_proven = self._html.render(filled)
        text, text_proven = self._text.render(filled)
        message = EmailMessage(subject=_BLANKS.sub(" ", subject).strip(" "), text=text, html=html)
        return message.vouched() if html_proven and text_proven else message


def compile_email(
    *,
    subject: str,
    preheader: str,
    mjml: str,
    fallbacks: Mapping[str, str],
    language: str = "fr",
    label: Label | None = None,
    text: str = "",
) -> CompiledEmail:
    """Compile a template once for a campaign; `mjml` may be a whole HTML document, too.

    `text` takes the place of the text part that is made from the HTML. A template that does not use
    `unsubscribe_url` gets a footer in `language` ("fr" or "en") with the organisation, its postal address and
    the link to unsubscribe; what is political advertising ends with its `label`. Raises TemplateError, for
    mistakes in the MJML with line and column.
    """
    subject = _one_line(subject, "subject")
    preheader = _one_line(preheader, "preheader")
    source = settled(normalise(mjml, "template", TEMPLATE_LENGTH))
    require_closed(source, deep=is_document(source))
    html = _html_of(_with_endings(source, language, label), language)
    html.text = _with_preheader(html, preheader)
    written = (
        _own_text(normalise(text, "text part", TEMPLATE_LENGTH), language, label) if text.strip() else ""
    )
    whole = f"{subject}\n{html.restore(html.text)}\n{written}"
    slots = Slots(whole, fallbacks, _GIVEN)
    if CLICK_FIELD in slots.fields:
        raise TemplateError(f"{CLICK_FIELD} is a reserved name.", "Write the address of the link itself.")
    numbered, links = number_links(html)
    text = to_text(numbered, _COLONS.get(language, ": "))
    if label is not None:
        require_label(text, html.text, language)
    if written:
        text, links = own_text(html, written, links, html.set_aside(PRINT, f"{{{{{CLICK_FIELD}}}}}"))
    _check_targets(links, slots.fields | _GIVEN)
    known = slots.fields | _GIVEN | {CLICK_FIELD}
    fields = Fields(known, known - {name for name, given in slots.fallbacks.items() if not given.clean})
    marked = protect(subject)
    return CompiledEmail(
        links=links,
        fields=slots.fields,
        _slots=slots,
        _subject=compile_segments(
            line_sandbox(), cut(marked, marked.text, fields.never_empty), Column.CLEAN, fields.all
        ),
        _html=compile_html(html, encode_html(numbered), fields),
        _text=compile_text(html, encode_text(text), fields),
    )


def _html_of(source: str, language: str) -> Protected:
    if is_document(source):
        return whole_html(source)
    html = protect(source)
    html.text = to_html(source, html).replace('lang="und"', f'lang="{language}"')
    return html


def _with_endings(source: str, language: str, label: Label | None) -> str:
    """The template with who sends it and how to leave, and the label as the very last."""
    source = _with_footer(source, language)
    return source if label is None else _at_the_end(source, label_section(label, language))


def _own_text(text: str, language: str, label: Label | None) -> str:
    """A text part that says how to unsubscribe, and ends with the label as the HTML does."""
    text = _with_way_out(text, language)
    if label is None:
        return text
    return f"{text.rstrip()}\n\n{label_lines(label, language, _COLONS.get(language, ': '))}\n"


def _with_way_out(text: str, language: str) -> str:
    """A text part that says how to unsubscribe."""
    require_code_ends(text)
    environment = line_sandbox()
    if UNSUBSCRIBE_FIELD in fields_of(environment, parse(environment, text)):
        return text
    leave = _FOOTER_WORDS.get(language, _FOOTER_WORDS["en"])[1]
    colon = _COLONS.get(language, ": ")
    return f"{text.rstrip()}\n\n{leave}{colon}{{{{ {UNSUBSCRIBE_FIELD} }}}}\n"


def _one_line(text: str, what: str) -> str:
    """A subject or preheader checked and on one line; errors say in which of them."""
    line = " ".join(normalise(text, what, LINE_LENGTH).split())
    try:
        parse(line_sandbox(), line)
    except TemplateError as error:
        raise TemplateError(f"In the {what}: {error.problem}", error.advice) from error
    return line


def _with_footer(source: str, language: str) -> str:
    """The MJML with a footer, unless it has a link to unsubscribe already.

    Raises SourceError for mistakes of the language, on the lines the person wrote.
    """
    environment = line_sandbox()
    if UNSUBSCRIBE_FIELD in fields_of(environment, parse(environment, source)):
        return source
    # Before anything is added, so that mistakes are told with the lines the person wrote.
    _html_of(source, language)
    sent_to, leave = _FOOTER_WORDS.get(language, _FOOTER_WORDS["en"])
    return _at_the_end(source, _FOOTER.format(sent_to=sent_to, leave=leave))


def _at_the_end(source: str, section: str) -> str:
    """The MJML with one more section, where its body ends; as it is, if there is no end to be found."""
    if is_document(source):
        return with_section(source, section)
    ends = list(_BODY_END.finditer(source))
    return source[: ends[-1].start()] + section + source[ends[-1].start() :] if ends else source


def _with_preheader(html: Protected, preheader: str) -> str:
    """The HTML with the preheader first in its body, seen in the list of the inbox and nowhere else."""
    if not preheader:
        return html.text
    other = protect(preheader)
    text = MARK.sub(
        lambda mark: html.set_aside(mark.group(1), other.codes[int(mark.group(2))]),
        escape(other.text, quote=False),
    )
    hidden = f'<div style="{_PREHEADER_STYLE}">{text} {_PREHEADER_PADDING}</div>'
    return _BODY_TAG.sub(lambda body: body.group() + hidden, html.text, count=1)


def _check_targets(links: tuple[str, ...], known: frozenset[str]) -> None:
    """A target is rendered long after the message, outside of any loop."""
    for target in links:
        loose = sorted(target_fields(target) - known)
        if loose:
            raise TemplateError(
                f"The link “{target[:80]}” uses {loose[0]}, which exists only inside a loop.",
                "Use merge fields in links.",
            )
