"""What people sent, read one field at a time: a form or the query of an address.

FastAPI's own form parameters answer a wrong field with a page of JSON; here a wrong field is a value
that the page can show again.
"""

from enum import StrEnum
from typing import TypeVar

from starlette.datastructures import ImmutableMultiDict, UploadFile

Choice = TypeVar("Choice", bound=StrEnum)
LARGEST_NUMBER = 2**62


class Form:
    """The fields of one request. A missing field reads as empty."""

    def __init__(
        self, fields: ImmutableMultiDict[str, str | UploadFile] | ImmutableMultiDict[str, str]
    ) -> None:
        """`fields` as Starlette parsed them."""
        self._fields = fields

    def text(self, name: str, limit: int = 1000) -> str:
        """One line or a few, without blanks around it, cut at `limit` characters."""
        return self.raw(name).strip()[:limit]

    def raw(self, name: str) -> str:
        """The field as it came, with plain line ends (browsers send CRLF); NUL is no character of a text."""
        value = self._fields.get(name, "")
        return value.replace("\r\n", "\n").replace("\0", "") if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A whole number from 0, None for anything else."""
        return _number(self.text(name))

    def numbers(self, name: str) -> list[int]:
        """Every number given under that name, each once, in the order given."""
        found = [_number(value) for value in self._fields.getlist(name) if isinstance(value, str)]
        return list(dict.fromkeys(value for value in found if value is not None))

    def texts(self, name: str, limit: int = 200) -> list[str]:
        """Every text given under that name, each once, in the order given."""
        found = [value.strip()[:limit] for value in self._fields.getlist(name) if isinstance(value, str)]
        return list(dict.fromkeys(value for value in found if value))

    def choice(self, name: str, kind: type[Choice], default: Choice) -> Choice:
        """One of the members of `kind`, `default` for anything else."""
        value = self.text(name)
        return next((member for member in kind if member.value == value), default)

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name) != ""

    def file(self, name: str) -> UploadFile | None:
        """An uploaded file, None when none was chosen."""
        value = self._fields.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def pairs(self, first: str, second: str) -> dict[str, str]:
        """Two columns of fields beside each other; rows whose first field is empty are passed over."""
        left = [value for value in self._fields.getlist(first) if isinstance(value, str)]
        right = [value for value in self._fields.getlist(second) if isinstance(value, str)]
        return {key.strip(): value.strip() for key, value in zip(left, right, strict=False) if key.strip()}


def is_beyond_numbers(text: str) -> bool:
    """Whether a part of an address is a whole number larger than any the database counts with."""
    digits = text.removeprefix("-")
    return digits.isdigit() and (len(digits) > 19 or int(digits) > LARGEST_NUMBER)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    value = int(text)
    return value if value <= LARGEST_NUMBER else None
