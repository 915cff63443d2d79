"""IMAP SEARCH (RFC 3501 section 6.4.4): which messages answer a question."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

from sandbox.imap_syntax import ImapSyntaxError, Word, read_set
from sandbox.inspection import read_headers
from sandbox.mailboxes import StoredMail

Question = Callable[[int, StoredMail], bool]
"""Takes the sequence number, from 1, and the message."""

_FLAG_KEYS = {name.upper(): f"\\{name}" for name in ("Answered", "Deleted", "Flagged", "Seen", "Draft")}
_HEADER_KEYS = {"FROM": "from", "TO": "to", "CC": "cc", "BCC": "bcc", "SUBJECT": "subject"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def search(words: list[Word], mails: list[StoredMail]) -> list[tuple[int, StoredMail]]:
    """The messages that answer all of `words`, with their sequence numbers.

    Raises:
        ImapSyntaxError: a key that is not known or lacks its argument.
    """
    if words and isinstance(words[0], str) and words[0].upper() == "CHARSET":
        words = words[2:]
    question = _Reader(words, mails).read_all()
    return [(number, mail) for number, mail in enumerate(mails, 1) if question(number, mail)]


class _Reader:
    """Reads search keys from left to right into one question."""

    def __init__(self, words: list[Word], mails: list[StoredMail]) -> None:
        self._words = list(reversed(words))
        self._mails = mails
        self._readers: dict[str, Callable[[], Question]] = {
            **dict.fromkeys(("ALL", "OLD"), lambda: lambda _number, _mail: True),
            **dict.fromkeys(("NEW", "RECENT"), lambda: lambda _number, _mail: False),
            **dict.fromkeys(("BODY", "TEXT"), self._read_text),
            "NOT": self._read_not,
            "OR": self._read_or,
            "UID": self._read_uids,
            "HEADER": lambda: _has_header(self._text().lower(), self._text()),
            "X-GM-RAW": lambda: _is_of_category(self._text()),
            "LARGER": lambda: self._read_size("LARGER"),
            "SMALLER": lambda: self._read_size("SMALLER"),
        }

    def read_all(self) -> Question:
        """Every key: all of them must hold."""
        questions = []
        while self._words:
            questions.append(self._read_key())
        return lambda number, mail: all(ask(number, mail) for ask in questions)

    def _read_key(self) -> Question:
        word = self._next()
        if isinstance(word, list):
            return _Reader(word, self._mails).read_all()
        key = word.upper()
        reader = self._readers.get(key)
        return reader() if reader else self._read_by_table(key)

    def _read_not(self) -> Question:
        inner = self._read_key()
        return lambda number, mail: not inner(number, mail)

    def _read_or(self) -> Question:
        one, other = self._read_key(), self._read_key()
        return lambda number, mail: one(number, mail) or other(number, mail)

    def _read_text(self) -> Question:
        wanted = self._text().lower().encode()
        return lambda _number, mail: wanted in mail.content.lower()

    def _read_by_table(self, key: str) -> Question:
        if key in _HEADER_KEYS:
            return _has_header(_HEADER_KEYS[key], self._text())
        flag = _FLAG_KEYS.get(key.removeprefix("UN"))
        if flag is not None:
            return lambda _number, mail: (flag in mail.flags) is not key.startswith("UN")
        if key.removeprefix("SENT") in {"SINCE", "BEFORE", "ON"}:
            return _is_dated(key, _read_date(self._text()))
        if key[:1].isdigit() or key.startswith("*"):
            ranges = read_set(key, len(self._mails))
            return lambda number, _mail: any(low <= number <= high for low, high in ranges)
        raise ImapSyntaxError(f"Unknown search key {key}")

    def _read_uids(self) -> Question:
        ranges = read_set(self._text(), self._mails[-1].uid if self._mails else 0)
        return lambda _number, mail: any(low <= mail.uid <= high for low, high in ranges)

    def _read_size(self, key: str) -> Question:
        size = self._text()
        if not size.isdigit():
            raise ImapSyntaxError(f"{key} wants a number")
        if key == "LARGER":
            return lambda _number, mail: len(mail.content) > int(size)
        return lambda _number, mail: len(mail.content) < int(size)

    def _next(self) -> Word:
        if not self._words:
            raise ImapSyntaxError("A search key lacks its argument")
        return self._words.pop()

    def _text(self) -> str:
        word = self._next()
        if isinstance(word, list):
            raise ImapSyntaxError("Text was expected, a list came")
        return word


def _has_header(name: str, part: str) -> Question:
    """Whether a header holds `part`, without regard to case; "" asks for the header alone."""

    def ask(_number: int, mail: StoredMail) -> bool:
        values = read_headers(mail.content).values.get(name, ())
        return any(part.lower() in value.lower() for value in values)

    return ask


def _is_of_category(asked: str) -> Question:
    """Gmail's own search, of which `category:` alone is known here; anything else finds nothing."""
    wanted = asked.lower().removeprefix("category:") if asked.lower().startswith("category:") else None
    return lambda _number, mail: bool(mail.category) and mail.category == wanted


def _is_dated(key: str, wanted: date) -> Question:
    """By the day it came in, or the day of its Date header for the SENT… keys."""

    def ask(_number: int, mail: StoredMail) -> bool:
        day = _sent_at(mail).date() if key.startswith("SENT") else mail.received_at.date()
        match key.removeprefix("SENT"):
            case "SINCE":
                return day >= wanted
            case "BEFORE":
                return day < wanted
            case _:
                return day == wanted

    return ask


def _sent_at(mail: StoredMail) -> datetime:
    try:
        return parsedate_to_datetime(read_headers(mail.content).first("date"))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _read_date(text: str) -> date:
    """A date such as `5-Mar-2026`; not by strptime, which follows the locale."""
    day, _, rest = text.partition("-")
    month, _, year = rest.partition("-")
    try:
        return date(int(year), _MONTHS.index(month.title()) + 1, int(day))
    except ValueError as problem:
        raise ImapSyntaxError(f"No such date: {text}") from problem
