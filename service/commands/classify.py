"""`tocsin classify`: how mails are read, one line of JSON each; nothing is sent and nothing is kept."""

import gc
import json
import os
import re
import sys
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInputError
from service.commands import examples

if TYPE_CHECKING:
    from deliverability.signals.news import Reading, RecipientNews

MAX_FILE_BYTES = 1_000_000
_FIELD = re.compile(rb"From \S|[A-Za-z][A-Za-z0-9-]{1,60}:(?:[ \t\r\n]|$)")
FIRST = (
    b"From: mailer-daemon@mx.example\nSubject: Undelivered\n\n"
    b"<a@b.example>:\n550 unlike any other\n\nAction: failed\nFinal-Recipient: rfc822; a@b.example\n"
)
"""A bounce that makes every rule be asked."""
KINDS = MappingProxyType(
    {
        "bounce": "soft",
        "delay": "soft",
        "delivered": "none",
        "complaint": "feedback",
        "autoreply": "vacation",
        "ordinary": "not-a-bounce",
    }
)
KIND_OF_REASON = MappingProxyType({"feedback": "feedback", "vacation": "vacation", "delivered": "none"})


def register(app: typer.Typer) -> None:
    """Put the command into `app`."""
    app.command(
        "classify",
        rich_help_panel="Run",
        epilog=examples(
            "tocsin classify bounce.eml", "tocsin classify < bounce.eml", "tocsin classify < paths.txt"
        ),
    )(classify)


def classify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Mails; without any, standard input: one mail, or a path a line.", metavar="FILES"
        ),
    ] = None,
    *,
    timing: Annotated[
        bool | None,
        typer.Option(
            help="End with a line that says how long the reading took. By default for paths on standard"
            " input.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Read mails as bounces, complaints and automatic replies: files in, a line of JSON for each out.

    Each line names the file, its kind, and for each recipient the address, kind, reason, status, reply and
    the verdict with its rule. `kind` is hard when the reason is that the address is wrong; `permanent` is
    what the mail system says of trying again; `permanence` is what the rules make of it, and with `fault`
    decides. A file that cannot be read gives a line with an error, and exit code 1; what could not be read
    of a mail is said in `unread`.
    """
    if files:
        lines, timing = ({"file": str(file), **_of_file(file)} for file in files), timing or False
    else:
        if sys.stdin.isatty():
            raise BadInputError("No file is named.", "Name one, or send a mail to standard input.")
        first = sys.stdin.buffer.readline()
        if _begins_a_mail(first):
            _print([{"file": "-", **as_row(_reading(first + sys.stdin.buffer.read(MAX_FILE_BYTES)))}], False)
            return
        paths = (os.fsdecode(line).rstrip("\r\n") for line in chain([first], sys.stdin.buffer))
        lines, timing = ({"file": path, **_of_file(path)} for path in paths if path), timing is not False
    if not _print(lines, timing):
        raise typer.Exit(1)


def _begins_a_mail(line: bytes) -> bool:
    """Whether a first line is a mail's, or no path at all, such as octets that are no text."""
    if _FIELD.match(line):
        return not Path(os.fsdecode(line).rstrip("\r\n")).exists()
    return b"\0" in line or not line.decode("utf-8", "replace").rstrip("\r\n").isprintable()


def _print(lines: Iterable[dict[str, object]], timing: bool) -> bool:
    """A line for each, whatever may be wrong with one; whether every file could be read."""
    from deliverability.signals.news import read_news

    read_news(FIRST)  # the rules are read once, before the clock starts
    gc.freeze()
    gc.set_threshold(50_000)
    spent = 0.0
    count = 0
    fine = True
    each = iter(lines)
    while True:
        started = time.perf_counter()
        line = next(each, None)
        if line is None:
            break
        told = json.dumps(line, ensure_ascii=True)
        spent += time.perf_counter() - started
        count += 1
        fine = fine and "error" not in line
        sys.stdout.write(told + "\n")
    if timing and count:
        sys.stdout.write(json.dumps({"_timing": spent, "_n": count}) + "\n")
    return fine


def _reading(raw: bytes) -> "Reading":
    from deliverability.signals.news import read_news

    return read_news(raw)


def _of_file(path: str | Path) -> dict[str, object]:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        return {"recipients": [], "kind": None, "error": str(error)}
    return as_row(_reading(raw))


def as_row(reading: "Reading") -> dict[str, object]:
    """A reading in the words of the line that is printed."""
    recipients = [_recipient(news) for news in reading.recipients]
    kinds = {str(row["kind"]) for row in recipients}
    kind = kinds.pop() if len(kinds) == 1 else "mixed" if kinds else KINDS[reading.kind]
    reasons = {str(row["reason"]) for row in recipients}
    return {
        "mail": reading.kind.value,
        "kind": kind,
        "reason": reasons.pop() if len(reasons) == 1 else None,
        "recipients": recipients,
        **({"unread": reading.unread} if reading.unread else {}),
    }


def _recipient(news: "RecipientNews") -> dict[str, object]:
    reason = news.reason.value
    verdict = news.verdict
    return {
        "address": news.address,
        "kind": KIND_OF_REASON.get(reason) or ("hard" if news.is_hard else "soft"),
        "reason": reason,
        "status": news.reply.enhanced,
        "code": news.reply.code,
        "text": news.reply.text[:500],
        "action": news.action or None,
        "permanent": _is_permanent(news),
        "class": verdict.bounce_class.value if verdict else None,
        "fault": verdict.fault.value if verdict else None,
        "permanence": verdict.permanence.value if verdict else None,
        "rule": verdict.rule if verdict else None,
    }


def _is_permanent(news: "RecipientNews") -> bool | None:
    """What the mail system says of trying again; None when it says nothing."""
    if news.action == "delayed":
        return False
    if news.reply.enhanced:
        return news.reply.enhanced.startswith("5")
    return news.reply.code >= 500 if news.reply.code else None
