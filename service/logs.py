"""Log lines on standard error: when, how serious, where, a constant message, then its fields.

Fields are what code passes as `extra`; a message that never changes can be counted and searched for.
"""

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
QUIET = (
    *("apscheduler", "procrastinate", "alembic", "aiosqlite", "httpx", "httpcore", "mail.log"),
    *("uvicorn.error", "asyncio"),
)
"""Libraries whose everyday news is not news to us: heard from warnings up."""


class FieldFormatter(logging.Formatter):
    """`2026-12-01T17:30:02Z info scheduler.dispatch: delivery held reason="no consent" delivery=12`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; the traceback, where there is one, below it."""
        line = f"{_moment(record)} {record.levelname.lower()} {record.name}: {record.getMessage()}"
        line += "".join(f" {name}={_written(value)}" for name, value in _fields(record).items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _moment(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What was passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _written(value: object) -> str:
    """A field's value on one line, in quotes when it would not read as one word."""
    text = str(value)
    if text and text.isprintable() and not set(text) & {" ", '"', "="}:
        return text
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


class JsonFormatter(logging.Formatter):
    """The same as one JSON object a line: time, level, logger, message, its fields, the traceback as text."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it."""
        entry: dict[str, object] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A field never takes the place of what every line has.
        entry |= {name: value for name, value in _fields(record).items() if name not in entry}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def set_up_logs(level: str, form: str = "text") -> None:
    """Send every log line of `level` (a word, as in the settings) and worse to standard error.

    `form`: text or json.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else FieldFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
