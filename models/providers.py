"""The mailbox providers that matter to a French or European list, by the domains and exchangers they run.

Rates are what Tocsin hands over a second and sender identity until a setting says otherwise: cautious
figures for an established sender. Connection figures are those providers publish or operators report
(Orange and SFR: two connections an address; Gmail: bursts are what it punishes). A domain that is not
listed counts as "other".
"""

from dataclasses import dataclass
from types import MappingProxyType

OTHER = "other"
SMS = "sms"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: `key` in rows and settings, `name` on pages."""

    key: str
    name: str
    domains: tuple[str, ...]
    mx_suffixes: tuple[str, ...]
    rate_per_second: float
    connections: int
    messages_per_connection: int


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        "gmail", "Gmail", ("gmail.com", "googlemail.com"), (".google.com", ".googlemail.com"), 20, 5, 50
    ),
    Provider(
        "outlook",
        "Outlook",
        ("outlook.com", "outlook.fr", "hotmail.com", "hotmail.fr", "live.com", "live.fr", "msn.com"),
        (".olc.protection.outlook.com",),
        10,
        5,
        50,
    ),
    Provider(
        "microsoft365", "Microsoft 365", (), (".mail.protection.outlook.com", ".mx.microsoft"), 10, 5, 50
    ),
    Provider(
        "yahoo",
        "Yahoo",
        ("yahoo.com", "yahoo.fr", "ymail.com", "rocketmail.com", "aol.com", "aol.fr"),
        (".yahoodns.net",),
        10,
        5,
        20,
    ),
    Provider("icloud", "iCloud", ("icloud.com", "me.com", "mac.com"), (".icloud.com",), 5, 10, 5),
    Provider("orange", "Orange", ("orange.fr", "wanadoo.fr", "voila.fr"), (".orange.fr",), 5, 2, 100),
    Provider("laposte", "La Poste", ("laposte.net",), (".laposte.net",), 3, 2, 100),
    Provider(
        "sfr",
        "SFR",
        ("sfr.fr", "neuf.fr", "cegetel.net", "club-internet.fr", "numericable.fr", "noos.fr", "9online.fr"),
        (".sfr.fr",),
        3,
        2,
        100,
    ),
    Provider("free", "Free", ("free.fr", "aliceadsl.fr", "libertysurf.fr"), (".free.fr",), 5, 2, 100),
    Provider("bbox", "Bouygues", ("bbox.fr",), (".bbox.fr",), 3, 2, 100),
    Provider(
        "gmx", "GMX", ("gmx.fr", "gmx.de", "gmx.net", "gmx.com", "web.de"), (".gmx.net", ".web.de"), 5, 4, 20
    ),
)
PROVIDER_BY_KEY = MappingProxyType({provider.key: provider for provider in PROVIDERS})
_KEY_BY_DOMAIN = MappingProxyType(
    {domain: provider.key for provider in PROVIDERS for domain in provider.domains}
)
OTHER_PROVIDER = Provider(OTHER, "Other", (), (), 5, 4, 50)


def provider_of(address: str) -> str:
    """The provider's key for an address or a bare domain, `"other"` when it is not listed."""
    return _KEY_BY_DOMAIN.get(address.rpartition("@")[2].lower(), OTHER)


def provider_name(key: str) -> str:
    """How the provider is called on pages; the key itself when it is not listed."""
    if key == SMS:
        return "SMS"
    return PROVIDER_BY_KEY.get(key, OTHER_PROVIDER).name
