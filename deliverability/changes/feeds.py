"""Feeds that used to speak and went silent. Pure.

Silence is no news where nothing was sent: a feed that speaks of mail is waited for from the moment mail
left, and for as long as that feed takes as a rule.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from deliverability.changes.shares import rules
from deliverability.changes.values import Change, ChangeCode, Turn
from store.feed_news import FeedWord


def silent_feeds(words: Iterable[FeedWord], sent_at: datetime | None, now: datetime) -> Iterator[Change]:
    """Of feeds that spoke lately, those that say nothing any more.

    `sent_at`: when mail last left for people; None: none did.
    """
    for one in sorted(words, key=lambda each: (each.kind, each.name)):
        patience = timedelta(hours=rules().silence[one.kind])
        if one.waits:
            silent = sent_at is not None and one.last_at < sent_at and now - sent_at > patience
        else:
            silent = now - one.last_at > patience
        if silent:
            yield Change(
                ChangeCode.FEED_SILENT,
                Turn.WORSE,
                {"key": one.kind, "name": one.name, "number": one.number},
                provider=one.name if one.kind == "seeds" else "",
                at=one.last_at,
            )
