"""What a mail's header tells of its way: how long it took, and what the servers thought of it. Pure."""

import re
from datetime import datetime

from deliverability.placement.verdicts import results_of
from deliverability.signals.mime import clean, fields_of, header, moment_in, open_mail
from models.seed import SeedMailbox
from store.seeds import SentMail

KEPT_STARTS = (
    "authentication-results",
    "x-forefront-antispam-report",
    "x-microsoft-antispam",
    "x-me-spam",
    "x-ovh-spam",
    "x-vr-spam",
    "x-proxad",
    "x-gmx-antispam",
    "x-rspamd",
    "x-spam",
)
"""Header fields that are kept, by how their names begin: what filters write about a mail."""
LONGEST_VALUE = 500
MOST_KEPT = 12
_BY_HOST = re.compile(r"\bby\s+([a-z0-9.-]+\.[a-z0-9-]+)", re.IGNORECASE)


def details_of(headers: bytes, mail: SentMail, seed: SeedMailbox, now: datetime) -> dict[str, str]:
    """The seconds from leaving to arriving, the server's own verdicts, and the fields of its filters.

    Arrival is the topmost Received line, which the mailbox's own server wrote (RFC 5321 section 4.4).
    Empty when the header cannot be read.
    """
    parsed = open_mail(headers)
    if parsed is None:
        return {}
    received = header(parsed, "Received")
    arrived_at = moment_in(re.sub(r".*;", "", received), now)
    details = {"latency_seconds": str(max(0, round((arrived_at - mail.sent_at).total_seconds())))}
    fields = list(fields_of(parsed))
    by_host = _BY_HOST.search(received)
    known = [seed.imap_host, seed.address.rpartition("@")[2], by_host[1] if by_host else ""]
    details |= results_of(fields, provider=seed.provider, known_hosts=known)
    kept = 0
    for name, value in fields:
        key = name.lower()
        if key.startswith(KEPT_STARTS) and key not in details and kept < MOST_KEPT:
            details[key[:60]] = clean(value)[:LONGEST_VALUE]
            kept += 1
    return details
