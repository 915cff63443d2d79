"""How a value is written in each part of a message: cleaned, as HTML, in quoted-printable.

Kept for the values that come again and again, as first names, towns and the sender's own do.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from templates.personalise import clean, write_html
from templates.transfer import QP_LINE, quote_value

KEPT = 4096
"""Values kept at hand; some 2 MB."""


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


# Nothing that any of the places would write otherwise, and short enough for a line of each.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,;:/@_?!()+*-]*\Z")


def spell_once(value: str) -> Spelled:
    """The value in every spelling; for values of one message alone, such as its addresses."""
    if len(value) <= QP_LINE and _PLAIN.match(value) and "  " not in value and not value.endswith(" "):
        return Spelled(value, value, value)
    cleaned = clean(value)
    return Spelled(cleaned, write_html(cleaned), quote_value(cleaned))


spell = lru_cache(maxsize=KEPT)(spell_once)
"""The same, kept for the next time."""
