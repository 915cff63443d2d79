"""The one family of errors; each says what is wrong and, where it can, what to do.

Raised for the unexpected only: what a mail server or a form field may well answer is a value.
The command line prints `str(error)` and exits with `exit_code`; nobody reads a traceback.
"""

from datetime import datetime


class TocsinError(Exception):
    """Something Tocsin cannot go on with, in one clear line."""

    exit_code = 1

    def __init__(self, problem: str, advice: str = "") -> None:
        """`problem` says what is wrong, `advice` what to do about it."""
        super().__init__(problem)
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.problem} {self.advice}".strip()


class BadInputError(TocsinError, ValueError):
    """What a person or a program handed in cannot be used."""

    exit_code = 2


class NaiveDatetimeError(BadInputError):
    """A moment without a time zone reached a place where moments are compared."""

    def __init__(self, value: datetime) -> None:
        """`value` is the naive datetime."""
        super().__init__(
            f"The moment {value.isoformat()} has no time zone.", "Give it one, UTC for instance."
        )


class SettingsError(BadInputError):
    """A setting is missing or wrong."""


class NotFoundError(TocsinError, LookupError):
    """There is no such thing under that name or number."""


class ConflictError(TocsinError):
    """What was asked does not fit the present state."""


class StoreError(TocsinError):
    """The database cannot be used: unreachable, not migrated, locked, full."""


class SenderError(TocsinError):
    """A transport cannot be used at all: address, sign-in, certificate."""


class TemplateError(BadInputError):
    """A message template cannot be compiled or rendered."""


class SegmentError(BadInputError):
    """A segment's text or tree cannot be understood."""
