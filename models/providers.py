"""The mailbox providers that matter to a French or European list, by the domains and exchangers they run.

The table is data, in `providers.toml`. Where mail goes is decided by mail exchangers and not by the name
after the @: a town hall's own domain may be hosted by Google, and Google counts it with the rest.
A domain of nobody in the table gets a bucket for its own exchangers, `mx:` and their domain.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

OTHER = "other"
SMS = "sms"
SANDBOX, SANDBOX_SMS = "sandbox", "sandbox_sms"
"""Where messages of test keys go: through everything, and to nobody."""
SANDBOXES = frozenset({SANDBOX, SANDBOX_SMS})
TEXTS = frozenset({SMS, SANDBOX_SMS})
"""Lanes of text messages; all others are of e-mails."""
NOWHERE = "nowhere"
"""Domains that do not exist, or that say they take no mail (RFC 7505)."""
OWN_EXCHANGERS = "mx:"
LONGEST_KEY = 60
FEEDLESS = frozenset({"gmail", "icloud", "free"})
"""Providers that tell nobody who complained: that there is none from them means nothing."""
_SECOND_LEVEL = frozenset(
    {"ac", "asso", "co", "com", "edu", "gouv", "gov", "ne", "net", "nom", "or", "org", "tm"}
)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: `key` in rows and settings, `name` on pages.

    `rate_per_second` is over all identities; `connections` are open at once, at most.
    """

    key: str
    name: str
    domains: tuple[str, ...]
    mx_suffixes: tuple[str, ...]
    rate_per_second: float
    connections: int
    messages_per_connection: int


def _read() -> tuple[tuple[Provider, ...], Provider, frozenset[str]]:
    text = (resources.files("models") / "providers.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    unlisted = {"key": OTHER, "name": "Other", "domains": [], "mx_suffixes": [], **table["unlisted"]}
    known = tuple(_provider(row) for row in table["providers"])
    return known, _provider(unlisted), frozenset(table["anybody"]["domains"])


def _provider(row: dict[str, Any]) -> Provider:
    return Provider(
        key=row["key"],
        name=row["name"],
        domains=tuple(row["domains"]),
        mx_suffixes=tuple(row["mx_suffixes"]),
        rate_per_second=float(row["rate_per_second"]),
        connections=row["connections"],
        messages_per_connection=row["messages_per_connection"],
    )


PROVIDERS, OTHER_PROVIDER, _ANYBODY = _read()
PROVIDER_BY_KEY = MappingProxyType({provider.key: provider for provider in PROVIDERS})
_KEY_BY_DOMAIN = MappingProxyType(
    {domain: provider.key for provider in PROVIDERS for domain in provider.domains}
)
_KEY_BY_SUFFIX = MappingProxyType(
    {suffix: provider.key for provider in PROVIDERS for suffix in provider.mx_suffixes}
)


def provider_of(address: str) -> str:
    """The provider's key for an address or a bare domain, `"other"` when it is not listed."""
    return _KEY_BY_DOMAIN.get(address.rpartition("@")[2].lower(), OTHER)


def is_anybody_s(domain: str) -> bool:
    """Whether anybody may have an address under `domain`, so that it can be no sender's own."""
    domain = domain.lower().rstrip(".")
    return domain in _KEY_BY_DOMAIN or domain in _ANYBODY


def provider_by_exchangers(exchangers: Sequence[str]) -> str:
    """The provider behind mail exchangers, most preferred first; `mx:` and their domain for an unlisted one.

    The first one that somebody in the table runs decides: a spare exchanger elsewhere changes nothing.
    """
    for exchanger in exchangers:
        labels = exchanger.lower().rstrip(".").split(".")
        for start in range(len(labels) - 1):
            # "google.com" itself is named by ".google.com" too; longer suffixes are asked first.
            if key := _KEY_BY_SUFFIX.get("." + ".".join(labels[start:])):
                return key
    return own_bucket(exchangers[0]) if exchangers else OTHER


def own_bucket(host: str) -> str:
    """The key that everything behind the exchangers of one organisation shares."""
    return (OWN_EXCHANGERS + _registrable(host))[:LONGEST_KEY]


def traits_of(key: str) -> Provider:
    """The provider's figures; those of the unlisted for a key that is not in the table."""
    return PROVIDER_BY_KEY.get(key, OTHER_PROVIDER)


def provider_name(key: str) -> str:
    """How the provider is called on pages: the table's name, or the domain of its exchangers."""
    if key == SMS:
        return "SMS"
    if key in SANDBOXES:
        return "Sandbox" if key == SANDBOX else "Sandbox, SMS"
    if key == NOWHERE:
        return "No mail server found"
    if key.startswith(OWN_EXCHANGERS):
        return key.removeprefix(OWN_EXCHANGERS)
    return traits_of(key).name


def _registrable(host: str) -> str:
    """The domain somebody registered, nearly: `mx1.mairie.exemple.asso.fr` is `exemple.asso.fr`.

    Without the public suffix list: a bucket that is a little too wide or too narrow does no harm.
    """
    labels = host.lower().strip(".").split(".")
    wide = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if wide else -2 :])
