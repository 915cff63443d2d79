"""Who: contacts brought in from files, addresses normalised, segments written as rules, territory.

What comes in: files of contacts and the text of rules. What goes out: rows of contacts with their
consent and its proof, typed rules and their counts, the values a message may be personalised with.
`scheduler`, `web` and `service` call it; it calls `store` and `models`.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from audience.addresses import read_email, read_phone
    from audience.segments import parse_segment, write_segment
else:
    __getattr__ = offered(
        __name__,
        {
            "parse_segment": "segments",
            "read_email": "addresses",
            "read_phone": "addresses",
            "write_segment": "segments",
        },
    )

__all__ = ["parse_segment", "read_email", "read_phone", "write_segment"]
