"""Providers as relays: what each remembers of a message for its webhooks, and the number it answers with.

A webhook names the message by what a header of the provider's own had it remember, here the delivery's
token and nothing else; providers take such headers off on the way. Most put a Message-ID and a Date of
their own, so those cannot be signed either (RFC 6376 section 5.4.1 asks for From alone).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.tokens import METADATA_KEY
from models.values import Reply

_SCOPE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_JSON = f'{{"{METADATA_KEY}": "%s"}}'


@dataclass(frozen=True, slots=True)
class Manner:
    """How one provider does it.

    `header` has it remember `value`, in which %s is the token; "" where none is known to SMTP. `scope` is
    the header that names the part of the account whose rules hold. `number` finds in the text of its final
    reply what its webhooks call the message; None where the reply tells nothing of the kind.
    """

    header: str = ""
    value: str = "%s"
    scope: str = ""
    number: re.Pattern[str] | None = None


MANNERS: Mapping[str, Manner] = MappingProxyType(
    {
        "amazon_ses": Manner(
            "X-SES-MESSAGE-TAGS",
            f"{METADATA_KEY}=%s",
            scope="X-SES-CONFIGURATION-SET",
            number=re.compile(r"Ok ([0-9A-Za-z-]{20,100})"),
        ),
        "sendgrid": Manner(
            "X-SMTPAPI",
            f'{{"unique_args": {_JSON}}}',
            number=re.compile(r"Ok: queued as ([0-9A-Za-z._-]{8,100})"),
        ),
        "mailgun": Manner("X-Mailgun-Variables", _JSON),
        "mailjet": Manner("X-MJ-CustomID", number=re.compile(r"OK queued as ([0-9A-Fa-f-]{36})")),
        "brevo": Manner(
            "X-Mailin-custom",
            f"{METADATA_KEY}:%s",
            number=re.compile(r"(?:OK: |Message )queued as <([^<>\s]{3,200})>"),
        ),
        "postmark": Manner(f"X-PM-Metadata-{METADATA_KEY}", scope="X-PM-Message-Stream"),
        "sparkpost": Manner("X-MSYS-API", f'{{"metadata": {_JSON}}}'),
        "mandrill": Manner("X-MC-Metadata", _JSON, scope="X-MC-Subaccount"),
        "resend": Manner(),
        "postal": Manner("X-Postal-Tag"),
    }
)
"""By the key their webhooks have, too."""


@dataclass(frozen=True, slots=True)
class ProviderRelay:
    """The provider our relay belongs to; `scope`: of its account, such as a configuration set, "" for all."""

    key: str
    scope: str = ""

    @property
    def manner(self) -> Manner:
        """How it does it."""
        return MANNERS[self.key]

    def headers(self, token: str) -> list[tuple[str, str]]:
        """What to send along so that its webhooks bring the token back; not to be signed."""
        manner, found = self.manner, list[tuple[str, str]]()
        if manner.header:
            found.append((manner.header, manner.value % token))
        if manner.scope and self.scope:
            found.append((manner.scope, self.scope))
        return found

    def number_in(self, reply: Reply) -> str | None:
        """What its webhooks will call the message it just took, if it says so."""
        pattern = self.manner.number
        found = None if pattern is None else pattern.fullmatch(reply.text.rstrip(". "))
        return None if found is None else found[1]


def read_relay(text: str) -> ProviderRelay:
    """A provider, alone or with a scope: `postmark`, `amazon_ses:news`. ValueError says what to write."""
    key, colon, scope = text.strip().partition(":")
    if key not in MANNERS:
        raise ValueError(f"is no provider that is known here; write one of {', '.join(MANNERS)}")
    if colon and not MANNERS[key].scope:
        raise ValueError(f"names a part of an account, and {key} knows none; write {key}")
    if colon and not _SCOPE.fullmatch(scope):
        raise ValueError(f"names no part of an account; write {key}, or {key}:name")
    return ProviderRelay(key, scope)
