"""An e-mail template compiled once for a campaign, and rendered for each person in one pass.

MJML, links, the text part and the transfer encodings are done here, on text that is the same for everybody;
what is left is still a template, with its conditions and loops, whose static text is already as it goes over
the wire. Building and encoding each message from scratch costs some thirty times as much.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from models.errors import TemplateError
from models.values import EmailMessage
from templates.language import Part, compile_part, fields_of, parse
from templates.links import CLICK_FIELD, UNSUBSCRIBE_FIELD, number_links, target_fields
from templates.mjml import to_html
from templates.personalise import (
    Slots,
    as_ready_html,
    as_ready_text,
    html_sandbox,
    line_sandbox,
    text_sandbox,
)
from templates.plaintext import to_text
from templates.source import MARK, Protected, normalise, protect
from templates.transfer import LINE_OCTETS, encode_html, encode_text, longest_line, rewrap

TEMPLATE_LENGTH = 400_000
LINE_LENGTH = 1000
_GIVEN = frozenset({UNSUBSCRIBE_FIELD})
_BODY_TAG = re.compile(r"<body\b[^>]*>")
_DOUBLE_BLANK = re.compile("  ")
_BLANKS = re.compile(" +")
_BLANK_LINES = re.compile(r"(?<!=)(?:\r\n){3,}")
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
    _subject: Part
    _html: Part
    _text: Part
    _short_lines: bool

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
        addresses = {CLICK_FIELD: click_base, UNSUBSCRIBE_FIELD: unsubscribe_url}
        return EmailMessage(
            subject=_BLANKS.sub(" ", self._subject.render({**filled, **addresses})).strip(" "),
            text=self._render_text(filled | {name: as_ready_text(url) for name, url in addresses.items()}),
            html=self._render_html(filled | {name: as_ready_html(url) for name, url in addresses.items()}),
        )

    def _render_html(self, filled: Mapping[str, Any]) -> bytes:
        html = self._html.render(filled)
        if _DOUBLE_BLANK.search(html):
            html = _BLANKS.sub(" ", html)
        if not self._short_lines and longest_line(html) > LINE_OCTETS:
            html = rewrap(html)
        return f"{html}\r\n".encode("ascii")

    def _render_text(self, filled: Mapping[str, Any]) -> bytes:
        # What a false condition leaves behind: blank lines, and a soft break at the very end.
        text = self._text.render(filled)
        if "\r\n\r\n\r\n" in text:
            text = _BLANK_LINES.sub("\r\n\r\n", text)
        return (text.rstrip("=\r\n") + "\r\n").encode("ascii")


def compile_email(
    *, subject: str, preheader: str, mjml: str, fallbacks: Mapping[str, str], language: str = "fr"
) -> CompiledEmail:
    """Compile a template once for a campaign.

    A template that does not use `unsubscribe_url` gets a footer in `language` ("fr" or "en") with the
    organisation, its postal address and the link to unsubscribe. Raises TemplateError, for mistakes in the
    MJML with line and column.
    """
    subject = _one_line(subject, "subject")
    preheader = _one_line(preheader, "preheader")
    source = _with_footer(normalise(mjml, "template", TEMPLATE_LENGTH), language)
    html = protect(source)
    html.text = to_html(source, html).replace('lang="und"', f'lang="{language}"')
    html.text = _with_preheader(html, preheader)
    whole = f"{subject}\n{html.restore(html.text)}"
    slots = Slots(whole, fallbacks, _GIVEN)
    if CLICK_FIELD in slots.fields:
        raise TemplateError(f"{CLICK_FIELD} is a reserved name.", "Write the address of the link itself.")
    numbered, links = number_links(html)
    _check_targets(links, slots.fields | _GIVEN)
    encoded = encode_html(numbered)
    return CompiledEmail(
        links=links,
        fields=slots.fields,
        _slots=slots,
        _subject=compile_part(line_sandbox(), subject),
        _html=compile_part(html_sandbox(), html.restore(encoded.text)),
        _text=compile_part(
            text_sandbox(), html.restore(encode_text(to_text(numbered, _COLONS.get(language, ": "))))
        ),
        # A loop may repeat a piece without a place to end a line.
        _short_lines=encoded.short and "{% for" not in html.restore(encoded.text),
    )


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
    to_html(source, protect(source))
    end = source.rfind("</mj-body>")
    if end < 0:
        return source
    sent_to, leave = _FOOTER_WORDS.get(language, _FOOTER_WORDS["en"])
    return source[:end] + _FOOTER.format(sent_to=sent_to, leave=leave) + source[end:]


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
