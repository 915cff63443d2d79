"""Log lines on standard error: when, how serious, where, a constant message, then its fields.

Fields are what code passes as `extra`; a message that never changes can be counted and searched for.
"""

import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
QUIET = ("apscheduler", "alembic", "aiosqlite", "httpx", "httpcore", "mail.log", "uvicorn.error", "asyncio")
"""Libraries whose everyday news is not news to us: heard from warnings up."""


class FieldFormatter(logging.Formatter):
    """`2026-12-01T17:30:02Z info scheduler.dispatch: delivery held reason="no consent" delivery=12`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; the traceback, where there is one, below it."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = (
            f"{moment.replace('+00:00', 'Z')} {record.levelname.lower()} {record.name}: {record.getMessage()}"
        )
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line += "".join(f" {name}={_written(value)}" for name, value in fields.items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _written(value: object) -> str:
    """A field's value on one line, in quotes when it would not read as one word."""
    text = str(value)
    if text and text.isprintable() and not set(text) & {" ", '"', "="}:
        return text
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def set_up_logs(level: str) -> None:
    """Send every log line of `level` (a word, as in the settings) and worse to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
