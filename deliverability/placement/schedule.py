"""When a seed mailbox is looked into: closely for half an hour, then after two hours and after a day. Pure.

Nothing is looked at where nothing is awaited. What was found is looked at again at the later hours:
providers move mails between folders, and so do people.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from models.seed import SeedMailbox
from store.seeds import SentMail

CLOSELY: Final = timedelta(minutes=30)
LATER: Final = (CLOSELY, timedelta(hours=2))
MISSING_AFTER: Final = timedelta(hours=24)
"""When the last look is due: what is not found by then is missing."""
LOOK_BACK: Final = timedelta(days=3)
"""How long a mailbox that cannot be read is waited for."""
REST_AFTER_PROBLEM: Final = timedelta(minutes=5)
"""Sign-ins that fail every minute lock an account."""


def is_due(
    seed: SeedMailbox, mails: Iterable[SentMail], now: datetime, *, missing_after: timedelta = MISSING_AFTER
) -> bool:
    """Whether to look into a mailbox at `now` for one of the mails that left for it."""
    rested = seed.last_checked_at is None or now - seed.last_checked_at >= REST_AFTER_PROBLEM
    if seed.last_problem and not rested:
        return False
    return any(_is_awaited(mail, seed.last_read_at, now, missing_after) for mail in mails)


def _is_awaited(
    mail: SentMail, last_read_at: datetime | None, now: datetime, missing_after: timedelta
) -> bool:
    age = now - mail.sent_at
    if mail.seen is None and age < CLOSELY:
        return True
    looks = {*(after for after in LATER if after < missing_after), missing_after}
    return any(
        mail.sent_at + after <= now and (last_read_at is None or last_read_at < mail.sent_at + after)
        for after in looks
    )
