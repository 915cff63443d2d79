"""One mail as the checks before sending see it: in order, but for what a test is about."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

from models.states import Channel
from scheduler.preflight.examined import Examined, Link, Mail, Sender, Text
from templates.page import read_page
from templates.sms import measure, offending, to_gsm

LEAVE = "https://liens.parti.fr/u/token"
SIGNED = "from:to:subject:date:message-id:list-unsubscribe:list-unsubscribe-post"
HEADERS = (
    ("DKIM-Signature", f"v=1; a=rsa-sha256; d=parti.fr; s=r; h={SIGNED}; bh=x; b=y"),
    ("DKIM-Signature", f"v=1; a=ed25519-sha256; d=parti.fr; s=e; h={SIGNED}; bh=x; b=y"),
    ("From", "Le Parti <contact@parti.fr>"),
    ("To", "camille@exemple.fr"),
    ("Subject", "Une réunion à Lyon"),
    ("Date", "Tue, 10 Mar 2026 09:00:00 +0000"),
    ("Message-ID", "<token@parti.fr>"),
    ("List-Unsubscribe", f"<{LEAVE}>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("MIME-Version", "1.0"),
)
WORDS = (
    "Bonjour Camille, rendez-vous samedi à la mairie pour parler des transports de la ville, des écoles, des"
    " logements et de tout ce qui vous tient à cœur. Le Parti, 1 rue de la Paix, 75002 Paris. Vous recevez ce"
    " message car vous êtes en relation avec nous."
)
HTML = (
    f'<html><body><p>{WORDS}</p><a href="https://parti.fr/agir">Agir</a>'
    f'<a href="{LEAVE}">Se désinscrire</a></body></html>'
)
SENDER = Sender(
    key="national",
    name="Le Parti",
    organisation="Le Parti",
    postal_address="1 rue de la Paix, 75002 Paris",
    from_email="contact@parti.fr",
    sms_sender="PARTI",
)


def a_mail(
    *,
    html: str = HTML,
    text: str = WORDS,
    headers: Sequence[tuple[str, str]] = HEADERS,
    largest: int = 30_000,
    tracked: bool = True,
    reader: Sequence[str] = ("Camille", "Martin"),
    file: str = "",
) -> Mail:
    """A mail of these parts."""
    made = EmailMessage(policy=email.policy.SMTP)
    if text:
        made.set_content(text)
        made.add_alternative(html, subtype="html")
    else:
        made.set_content(html, subtype="html")
    if file:
        made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename=file)
    body = made.as_bytes().split(b"\r\n")
    parts = [line for line in body if not line.startswith(b"MIME-Version")]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    raw = head + b"\r\n".join(parts)
    shown = read_page(html)
    return Mail(
        raw=raw,
        parsed=email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default),
        html=html,
        text=text,
        links=[Link(href, words, tracked=tracked and href != LEAVE) for href, words in shown.links],
        words="".join(shown.text),
        images=shown.images,
        without_alt=shown.without_alt,
        largest=largest,
        unsubscribe_url=LEAVE,
        reader=reader,
    )


def with_header(name: str, *values: str) -> Sequence[tuple[str, str]]:
    """The usual headers with that one as often as there are values."""
    place = next((index for index, (known, _) in enumerate(HEADERS) if known == name), 0)
    kept = [pair for pair in HEADERS if pair[0] != name]
    return [*kept[:place], *((name, value) for value in values), *kept[place:]]


def seen(**changed: Any) -> Examined:
    """An e-mail in order, but for what is `changed`."""
    usual = Examined(
        channel=Channel.EMAIL, sender=SENDER, public_url="https://liens.parti.fr", mail=a_mail(), health=()
    )
    return replace(usual, **changed)


def seen_text(text: str, *, sender: str = "PARTI") -> Examined:
    """A text message."""
    return Examined(
        channel=Channel.SMS,
        sender=replace(SENDER, sms_sender=sender),
        text=Text(text, measure(text), offending(text), measure(to_gsm(text))),
    )
