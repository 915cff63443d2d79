"""What to look at before a template is sent: mistakes that stop it, habits of spam, costs.

A finding is one line with its advice. A BLOCKER would make a message that is wrong or unlawful; a WARNING
is a risk that somebody may take knowingly. Sizes are those of a message rendered for an example person.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from models.errors import TemplateError
from templates.compilation import CompiledEmail, compile_email
from templates.label import NOTICE_FIELD
from templates.links import render_target
from templates.page import Page, read_page
from templates.sms import CompiledSms, compile_sms, measure, offending, to_gsm

STANDARD_FIELDS = frozenset(
    {"first_name", "last_name", "civility", "email", "phone", "commune", "postcode", "departement", "region"}
    | {"canton", "circonscription", "polling_station", "level"}
    | {"sender_name", "organisation", "postal_address", "campaign_name", "unsubscribe_url", NOTICE_FIELD}
)
"""Fields that every contact may have, and those that come with the sender."""
_FROM_SENDER = frozenset(
    {"sender_name", "organisation", "postal_address", "campaign_name", NOTICE_FIELD, "email", "phone"}
)
CLIPPED_OCTETS = 102 * 1024
"""Gmail shows no more, and so hides the link to unsubscribe."""
HEAVY_OCTETS = 90 * 1024
SUBJECT_LENGTH = 70
SMS_SEGMENTS = 3
SHORTENERS = frozenset(
    {
        "bit.ly",
        "tinyurl.com",
        "t.co",
        "goo.gl",
        "ow.ly",
        "is.gd",
        "buff.ly",
        "cutt.ly",
        "rebrand.ly",
        "lnkd.in",
    }
    | {"tiny.cc", "rb.gy", "shorturl.at", "urlz.fr", "vu.fr", "bl.ink", "t.ly", "s.id"}
)
_CLICK_BASE = "https://links.example.org/c/" + "x" * 24
_LEAVE = "https://links.example.org/u/" + "x" * 24
_REPLY = re.compile(r"\s*(?:re|fw|fwd|tr)\s*:", re.IGNORECASE)
_HOST_IN_TEXT = re.compile(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/?#]\S*)?", re.IGNORECASE)
_STOP = re.compile(r"\bSTOP\b", re.IGNORECASE)


class Level(StrEnum):
    """How serious a finding is."""

    BLOCKER = "blocker"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at; `what` and `advice` are one sentence each."""

    level: Level
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".strip()


def _blocker(what: str, advice: str) -> Finding:
    return Finding(Level.BLOCKER, what, advice)


def _warning(what: str, advice: str) -> Finding:
    return Finding(Level.WARNING, what, advice)


def lint_email(
    *,
    subject: str,
    preheader: str,
    mjml: str,
    fallbacks: Mapping[str, str],
    known_fields: Collection[str] | None = None,
    language: str = "fr",
) -> list[Finding]:
    """Findings about an e-mail template, blockers first.

    `known_fields` are the contacts' own fields beside STANDARD_FIELDS; with None, a field that is not
    standard is a warning only.
    """
    try:
        compiled = compile_email(
            subject=subject, preheader=preheader, mjml=mjml, fallbacks=fallbacks, language=language
        )
        example = _example(compiled.fields, fallbacks)
        message = compiled.render(example, click_base=_CLICK_BASE, unsubscribe_url=_LEAVE)
    except TemplateError as error:
        return [_blocker(error.problem, error.advice)]
    page = read_page(message.html.decode("ascii"))
    findings = [
        *_fields(compiled, known_fields),
        *_subject(message.subject),
        *_sender(compiled, page),
        *_size(len(message.html)),
        *_images(page),
        *_targets(compiled, page, example),
    ]
    if not preheader:
        findings.append(_warning("There is no preheader.", "Add one: the inbox shows it after the subject."))
    return _sorted(findings)


def lint_sms(
    *, body: str, fallbacks: Mapping[str, str], known_fields: Collection[str] | None = None
) -> list[Finding]:
    """Findings about a text message, blockers first; lengths are those for an example person."""
    try:
        compiled = compile_sms(body=body, fallbacks=fallbacks)
        text = compiled.render(_example(compiled.fields, fallbacks)).text
    except TemplateError as error:
        return [_blocker(error.problem, error.advice)]
    findings = [*_fields(compiled, known_fields)]
    if not text:
        findings.append(_blocker("The text message is empty.", "Write it."))
    if not _STOP.search(text):
        findings.append(
            _blocker(
                "The text message does not say how to stop them.",
                "End it with “STOP” and the number to reply to.",
            )
        )
    return _sorted([*findings, *_sms_cost(text)])


def _sms_cost(text: str) -> Iterator[Finding]:
    length = measure(text)
    signs = offending(text)
    proposal = measure(to_gsm(text))
    if signs:
        shown = " ".join(signs[:8])
        saved = (
            f"Without them it costs {proposal.segments}."
            if proposal.segments < length.segments
            else "Replace them."
        )
        yield _warning(
            f"Signs beyond the GSM alphabet ({shown}) make the message cost 1 segment."
            if length.segments == 1
            else f"Signs beyond the GSM alphabet ({shown}) make the message cost {length.segments} segments.",
            saved,
        )
    if length.segments > SMS_SEGMENTS:
        yield _warning(f"The message takes {length.segments} segments, each paid for.", "Shorten it.")


def _example(fields: Collection[str], fallbacks: Mapping[str, str]) -> dict[str, str]:
    """A person with a long name, who has everything."""
    samples = {"email": "maximilienne.delafontaine@example.org", "postcode": "33000", "phone": "+33612345678"}
    return {name: samples.get(name) or fallbacks.get(name) or "Maximilienne" for name in fields}


def _fields(compiled: CompiledEmail | CompiledSms, known: Collection[str] | None) -> Iterator[Finding]:
    everything = STANDARD_FIELDS | set(known or ())
    for name in sorted(compiled.fields - everything):
        close = get_close_matches(name, everything, 1)
        advice = f"Did you mean {close[0]}?" if close else "Check its spelling, or import it as an attribute."
        if known is None and not close:
            yield _warning(f"{name} is not a standard field.", advice)
        else:
            yield _blocker(f"There is no field {name}.", advice)
    missing = compiled.missing({})
    for name in missing:
        if name in everything and name not in _FROM_SENDER:
            yield _warning(
                f"{name} has no fallback.",
                "One person without it blocks the whole campaign: declare one, or use a condition.",
            )


def _subject(subject: str) -> Iterator[Finding]:
    letters = [character for character in subject if character.isalpha()]
    if not subject:
        yield _blocker("The subject is empty.", "Write one.")
    if len(letters) > 6 and all(character.isupper() for character in letters):
        yield _warning("The subject is all in capitals.", "Filters and readers take it for spam.")
    if _REPLY.match(subject):
        yield _warning("The subject pretends to be a reply or a forward.", "Take Re: or Fwd: away.")
    if len(subject) > SUBJECT_LENGTH:
        yield _warning(
            f"The subject has {len(subject)} characters.", "Telephones show some 40; stay below 70."
        )
    if "!!" in subject or "??" in subject:
        yield _warning("The subject repeats its punctuation.", "One sign is enough.")


def _sender(compiled: CompiledEmail, page: Page) -> Iterator[Finding]:
    if not any(href == _LEAVE for href, _ in page.links):
        yield _blocker(
            "There is no visible link to unsubscribe.",
            "Link some text to {{ unsubscribe_url }}, under no condition.",
        )
    if not compiled.fields & {"organisation", "sender_name"}:
        yield _blocker(
            "The message does not say who sends it.", "Show {{ organisation }} or {{ sender_name }}."
        )


def _size(octets: int) -> Iterator[Finding]:
    if octets > CLIPPED_OCTETS:
        yield _blocker(
            f"The HTML has {octets // 1024} kB.", "Gmail cuts it at 102 and hides the end: shorten it."
        )
    elif octets > HEAVY_OCTETS:
        yield _warning(f"The HTML has {octets // 1024} kB.", "Gmail cuts messages at 102: keep below 90.")


def _images(page: Page) -> Iterator[Finding]:
    if page.without_alt:
        yield _warning(
            "1 image has no description."
            if page.without_alt == 1
            else f"{page.without_alt} images have no description.",
            "Give each an alt text, for those who do not see it.",
        )
    words = len("".join(page.text).split())
    if not words:
        yield _blocker("The message has no text.", "Write some: many readers never see pictures.")
    elif page.images and words < 20 * page.images:
        yield _warning(
            "The message is mostly pictures.", "Put what matters in text; filters distrust pictures."
        )


def _targets(compiled: CompiledEmail, page: Page, example: Mapping[str, str]) -> Iterator[Finding]:
    for target in compiled.links:
        yield from _target(render_target(target, example))
    for href, text in page.links:
        base, _, index = href.rpartition("/")
        shown = _HOST_IN_TEXT.fullmatch(text.strip())
        if base == _CLICK_BASE and shown:
            host = urlsplit(render_target(compiled.links[int(index)], example)).hostname or ""
            if _bare(shown.group(1)) != _bare(host):
                yield _warning(
                    f"A link shows {shown.group(1)} and leads to {host}.",
                    "Filters take that for phishing: show words.",
                )


def _target(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        yield _warning(f"The link to {host} is not encrypted.", "Write https://.")
    if _bare(host) in SHORTENERS:
        yield _warning(
            f"The link uses the public shortener {host}.", "Filters distrust them: write the whole address."
        )
    if _is_ip(host):
        yield _warning(f"A link leads to the bare address {host}.", "Use a host name.")
    if host.startswith("xn--") or ".xn--" in host:
        yield _warning(f"The host {host} has letters beyond ASCII.", "Filters distrust such names.")


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _sorted(findings: list[Finding]) -> list[Finding]:
    """Blockers first, each finding once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.level is Level.WARNING)
