"""Spam filters of one's own, asked what they think of a message before it is sent: rspamd or SpamAssassin.

What comes in: the octets of a message and where the filter listens. What goes out: a score with the rules
it is made of, as values. A filter that cannot be asked raises FilterError, which stops nobody. The
scheduler's look before sending calls it.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from deliverability.filters.opening import open_filter
    from deliverability.filters.scores import FilterError, SpamFilter, SpamScore, Symbol
    from deliverability.filters.urls import FilterAddress, parse_filter_url
else:
    __getattr__ = offered(
        __name__,
        {
            "FilterAddress": "urls",
            "FilterError": "scores",
            "SpamFilter": "scores",
            "SpamScore": "scores",
            "Symbol": "scores",
            "open_filter": "opening",
            "parse_filter_url": "urls",
        },
    )

__all__ = [
    "FilterAddress",
    "FilterError",
    "SpamFilter",
    "SpamScore",
    "Symbol",
    "open_filter",
    "parse_filter_url",
]
