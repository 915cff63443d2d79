"""`tocsin classify`: how mails are read, one line of JSON each; nothing is sent and nothing is kept."""

import gc
import json
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands import examples

if TYPE_CHECKING:
    from deliverability.signals.news import Reading, RecipientNews

MAX_FILE_BYTES = 1_000_000
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
        epilog=examples("tocsin classify < paths.txt", "tocsin classify --no-timing < paths.txt"),
    )(classify)


def classify(
    *,
    timing: Annotated[bool, typer.Option(help="End with a line that says how long the reading took.")] = True,
) -> None:
    """Read mails as bounces, complaints and automatic replies: paths on standard input, JSON lines out.

    Each line names the file, its kind, and for each recipient the address, kind, reason, status, reply and
    the verdict with its rule. A file that cannot be read gives a line with an error; what could not be read
    of a mail is said in `unread`.
    """
    from deliverability.signals.news import read_news

    read_news(FIRST)  # the rules are read once, before the clock starts
    gc.freeze()
    gc.set_threshold(50_000)
    spent = 0.0
    count = 0
    for line in sys.stdin:
        path = line.rstrip("\r\n")
        if not path:
            continue
        started = time.perf_counter()
        told = json.dumps(_line(path), ensure_ascii=True)
        spent += time.perf_counter() - started
        count += 1
        sys.stdout.write(told + "\n")
    if timing and count:
        sys.stdout.write(json.dumps({"_timing": spent, "_n": count}) + "\n")


def _line(path: str) -> dict[str, object]:
    from deliverability.signals.news import read_news

    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        return {"file": path, "recipients": [], "kind": "not-a-bounce", "error": str(error)}
    return {"file": path, **as_row(read_news(raw))}


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
