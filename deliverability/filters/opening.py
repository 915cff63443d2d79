"""A filter from its address; apart from the address, which is read at every start."""

from typing import assert_never

from deliverability.filters.rspamd import Rspamd
from deliverability.filters.scores import SpamFilter
from deliverability.filters.spamassassin import SpamAssassin
from deliverability.filters.urls import FilterAddress, FilterKind


def open_filter(address: FilterAddress, *, timeout_seconds: float) -> SpamFilter:
    """What asks that filter; nothing is connected yet. `timeout_seconds` is for a whole answer."""
    match address.kind:
        case FilterKind.RSPAMD | FilterKind.RSPAMD_TLS:
            scheme = "https" if address.kind is FilterKind.RSPAMD_TLS else "http"
            host = f"[{address.host}]" if ":" in address.host else address.host
            return Rspamd(f"{scheme}://{host}:{address.port}", address.password, timeout_seconds)
        case FilterKind.SPAMASSASSIN:
            return SpamAssassin(address.host, address.port, timeout_seconds)
        case _:
            assert_never(address.kind)
