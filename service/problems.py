"""What went wrong, as the command line tells it: one clear line, an exit status, no traceback.

Told here once for every command, because the last line on the screen is all that most people read.
`TOCSIN_DEBUG=1` puts the traceback above it.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from models.errors import TocsinError

INTERRUPTED = 130
PIPE_CLOSED = 141
DEFECT = 70
_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = ("disk is full", "no space left", "disk full", "file too large", "disk i/o error")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is printed on standard error, and the exit status.

    Each of `lines` comes after the name of the command; `shown` below them, as it is: the place in a text
    that is meant.
    """

    lines: tuple[str, ...]
    exit_code: int
    shown: tuple[str, ...] = ()


def explain(error: BaseException) -> Problem:
    """The problem behind an exception; no lines where silence is the right answer."""
    root = _innermost(error)
    if isinstance(root, KeyboardInterrupt):
        return Problem((), INTERRUPTED)
    if isinstance(root, BrokenPipeError):
        return Problem((), PIPE_CLOSED)
    if _is_full(root):
        return Problem(("The disk is full, or fails. Make room and try again: what is recorded stays.",), 1)
    if isinstance(root, TocsinError):
        return _told_by(root)
    if isinstance(root, OSError):
        what = root.strerror or str(root) or type(root).__name__
        return Problem((f"{root.filename}: {what}." if root.filename else f"{what}.",), 1)
    name = type(root).__name__
    detail = " ".join(str(root).split())[:200]
    return Problem(
        (
            (
                f"Something unexpected happened ({name}: {detail})."
                " Please report it, with what TOCSIN_DEBUG=1 shows."
            ),
        ),
        DEFECT,
    )


def _told_by(error: TocsinError) -> Problem:
    """One line, or one for each problem of the settings; what an error shows of a text is set in by it."""
    written = [line for line in str(error).splitlines() if line.strip()]
    shown = tuple(line for line in written if line.startswith("  "))
    lines = [line.strip() for line in written if not line.startswith("  ")]
    if not all(line.startswith("TOCSIN_") for line in lines):
        lines = [" ".join(lines)]
    return Problem(tuple(lines), error.exit_code, shown)


def _innermost(error: BaseException) -> BaseException:
    """The first error of a group: a task group wraps what its tasks raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _is_full(error: BaseException) -> bool:
    """Whether a full disk, or a limit on the size of files, is behind it."""
    return any(
        (isinstance(link, OSError) and link.errno in _FULL_ERRNOS)
        or any(words in str(link).lower() for words in _FULL_WORDS)
        for link in _chain(error)
    )


def wants_traceback() -> bool:
    """Whether TOCSIN_DEBUG is on; from the environment: the settings may be what is wrong."""
    return os.environ.get("TOCSIN_DEBUG", "").lower() in {"1", "true", "yes", "on"}
