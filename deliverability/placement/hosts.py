"""Where the mailboxes of the known providers are read, and what signs in to them: suggestions for a form.

As the providers' own help pages had it in November 2026; what a person enters always counts more.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.providers import provider_of


class SignIn(StrEnum):
    """What a provider asks of a mail program."""

    APP_PASSWORD = "app_password"  # noqa: S105 - the name of a way, no secret
    PASSWORD = "password"  # noqa: S105
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class ImapHost:
    """Where a provider's mailboxes are read (TLS), and what signs in; `token_url` for OAuth 2."""

    provider: str
    name: str
    host: str
    sign_in: SignIn
    token_url: str = ""
    port: int = 993


HOSTS: Final = (
    ImapHost("gmail", "Gmail", "imap.gmail.com", SignIn.APP_PASSWORD, "https://oauth2.googleapis.com/token"),
    ImapHost(
        "outlook",
        "Outlook.com, Hotmail",
        "outlook.office365.com",
        SignIn.OAUTH,
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    ),
    ImapHost("yahoo", "Yahoo", "imap.mail.yahoo.com", SignIn.APP_PASSWORD),
    ImapHost("icloud", "iCloud", "imap.mail.me.com", SignIn.APP_PASSWORD),
    ImapHost("orange", "Orange", "imap.orange.fr", SignIn.PASSWORD),
    ImapHost("laposte", "La Poste", "imap.laposte.net", SignIn.PASSWORD),
    ImapHost("sfr", "SFR", "imap.sfr.fr", SignIn.PASSWORD),
    ImapHost("free", "Free", "imap.free.fr", SignIn.PASSWORD),
    ImapHost("gmx", "GMX", "imap.gmx.com", SignIn.PASSWORD),
)
_BY_PROVIDER: Final = {host.provider: host for host in HOSTS}
_BY_DOMAIN: Final = {
    "aol.com": "imap.aol.com",
    "gmx.de": "imap.gmx.net",
    "gmx.net": "imap.gmx.net",
    "gmx.at": "imap.gmx.net",
    "gmx.ch": "imap.gmx.net",
    "web.de": "imap.web.de",
    "mail.com": "imap.mail.com",
}


def suggest(address: str) -> ImapHost | None:
    """Where the mailbox of an address is read; None where nobody knows."""
    found = _BY_PROVIDER.get(provider_of(address))
    host = _BY_DOMAIN.get(address.rpartition("@")[2].lower())
    if found is None or host is None:
        return found
    return ImapHost(found.provider, found.name, host, found.sign_in, found.token_url)
