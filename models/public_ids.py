"""The identifiers that programs see: a word for the kind, and a number nobody can guess the next of.

Nothing of them is stored: they are the row's number, signed (`models.tokens`). One that this installation did
not write, or of another kind, is as good as unknown.
"""

from enum import StrEnum

from models.errors import NotFoundError
from models.tokens import TokenPurpose, Tokens

_KINDS = 32
"""How many kinds there may ever be: the kind is part of the number that is signed."""


class Kind(StrEnum):
    """What an identifier names, by its first letters. New ones at the end: the place is signed."""

    MESSAGE = "msg"
    CONTACT = "ctc"
    SEGMENT = "seg"
    CAMPAIGN = "cmp"
    EVENT = "evt"
    KEY = "key"
    WEBHOOK = "whk"
    NOTICE = "ntc"
    IMPORT = "imp"
    INTERACTION = "int"
    TEMPLATE = "tpl"
    IDENTITY = "idt"
    SUPPRESSION = "sup"


_PLACE = {kind: place for place, kind in enumerate(Kind)}


class Ids:
    """Writes and reads identifiers."""

    def __init__(self, tokens: Tokens) -> None:
        """`tokens`: of this installation."""
        self._tokens = tokens

    def write(self, kind: Kind, number: int) -> str:
        """Such as `msg_ae…`, 28 characters of a-z, 2-7 and one underscore."""
        return f"{kind}_{self._tokens.make(TokenPurpose.API, number * _KINDS + _PLACE[kind])}"

    def read(self, kind: Kind, text: str) -> int:
        """The number; NotFoundError for anything this installation did not write for such a thing."""
        begin, _, token = text.partition("_")
        number = self._tokens.read(TokenPurpose.API, token) if begin == kind else None
        if number is None or number % _KINDS != _PLACE[kind]:
            raise NotFoundError(f"There is no {kind.name.lower()} “{text[:60]}”.")
        return number // _KINDS
