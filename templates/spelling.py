"""How a value is written in each part of a message: cleaned, as HTML, in quoted-printable.

Kept for the values that come again and again, as first names, towns and the sender's own do.
"""

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from templates.personalise import clean, write_html
from templates.transfer import quote_value

KEPT = 8192
"""Values kept at hand; some 3 MB at most."""


class Spelled(NamedTuple):
    """A value, cleaned and in the encoding of each part."""

    clean: str
    html: str
    text: str


class Column(IntEnum):
    """Which of the three a part of a message uses."""

    CLEAN = 0
    HTML = 1
    TEXT = 2


@lru_cache(maxsize=KEPT)
def spell(value: str) -> Spelled:
    """The value in every spelling."""
    cleaned = clean(value)
    return Spelled(cleaned, write_html(cleaned), quote_value(cleaned))
