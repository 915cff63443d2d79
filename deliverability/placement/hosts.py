"""Where the mailboxes of the known providers are read, and what signs in to them: suggestions for a form.

Providers change such things without a word: what a person enters always counts more.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.errors import BadInputError
from models.providers import OTHER, PROVIDER_BY_KEY, provider_of
from models.seed import SeedAuth, SeedMailbox


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


def compose(
    address: str,
    *,
    imap: str = "",
    username: str = "",
    provider: str = "",
    client_id: str = "",
    token_url: str = "",
    tls: bool = True,
) -> SeedMailbox:
    """A seed mailbox out of what a person entered, without its secrets; what is left out is suggested.

    `imap` is host[:port]; with `client_id` it is signed in to by OAuth 2. BadInputError for what nobody
    knows, or cannot be.
    """
    known = suggest(address)
    host, port = _read_host(imap or (known.host if known else ""), 993 if tls else 143)
    if provider and provider not in PROVIDER_BY_KEY and provider != OTHER:
        raise BadInputError(
            f"{provider!r} is no provider.", f"The known ones are {', '.join(PROVIDER_BY_KEY)}."
        )
    url = (token_url or (known.token_url if known else "")) if client_id else ""
    if client_id and not url:
        raise BadInputError(
            "Where that provider gives access tokens is not known.", "Name the token address (--token-url)."
        )
    return SeedMailbox(
        address=address,
        provider=provider or provider_of(address),
        imap_host=host,
        imap_port=port,
        tls=tls,
        username=username or address,
        sealed_password="",
        auth=SeedAuth.XOAUTH2 if client_id else SeedAuth.PASSWORD,
        token_url=url,
        client_id=client_id,
    )


def _read_host(given: str, usual_port: int) -> tuple[str, int]:
    host, _, port = given.strip().partition(":")
    if not host:
        raise BadInputError(
            "The IMAP server of that provider is not known.", "Name it, as in imap.example.org (--imap)."
        )
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadInputError(f"{given!r} has a port that is no number.", "Write imap.example.org:993.")
    return host.lower(), int(port or usual_port)
