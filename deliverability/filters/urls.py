"""Where a spam filter listens, as it is written in the settings."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from models.errors import SettingsError

_FORM = "Write rspamd://host:11333, or spamd://host:783 for SpamAssassin."


class FilterKind(StrEnum):
    """The filters that can be asked, each by the scheme of its address."""

    RSPAMD = "rspamd"
    RSPAMD_TLS = "rspamds"
    SPAMASSASSIN = "spamd"


PORTS = {FilterKind.RSPAMD: 11333, FilterKind.RSPAMD_TLS: 443, FilterKind.SPAMASSASSIN: 783}
"""rspamd's normal worker and spamd as they come; over TLS rspamd stands behind a proxy."""


@dataclass(frozen=True, slots=True)
class FilterAddress:
    """A filter's address; `password` is that of rspamd's controller, empty for its normal worker."""

    kind: FilterKind
    host: str
    port: int
    password: str = field(default="", repr=False)


def parse_filter_url(text: str) -> FilterAddress:
    """`rspamd://[:password@]host[:port]`, `rspamds://…` or `spamd://host[:port]`; else SettingsError."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise SettingsError("The spam filter's address cannot be read.", _FORM) from error
    if parts.scheme not in set(FilterKind) or not parts.hostname or parts.path not in {"", "/"}:
        raise SettingsError("The spam filter's address cannot be read.", _FORM)
    kind = FilterKind(parts.scheme)
    return FilterAddress(kind, parts.hostname, port or PORTS[kind], unquote(parts.password or ""))
