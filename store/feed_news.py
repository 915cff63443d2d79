"""When each feed that tells us of our mail last had a word: hooks, providers' files, reports, mailboxes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.authentication import DmarcReport
from models.declared import DeclaredFeed
from models.news import HookTally
from models.seed import PolledMailbox, SeedMailbox

FEWEST_REPORTS = 3
"""Reports of a receiver in the time looked back on, below which it never was a feed."""
MOST_REPORTERS = 500


@dataclass(frozen=True, slots=True)
class FeedWord:
    """One feed. `kind`: hook, declared, dmarc, seeds or mailbox; `name`: whose; `last_at`: its last word.

    `waits`: it speaks of its own accord only once mail was sent. `number`: how many are behind it.
    """

    kind: str
    name: str
    last_at: datetime
    waits: bool = True
    number: int = 1


async def last_words(
    session: AsyncSession, domains: Collection[str], since: datetime, quiet_since: datetime
) -> list[FeedWord]:
    """Of each feed that spoke since then; of seeds, those that nobody could read since `quiet_since`.

    `domains`: whose DMARC reports count. A row a source in all tables but that of reports, which is served
    by ix_dmarc_report_domain_begins_at.
    """
    found = [
        FeedWord("declared", row.source.value, row.news_at)
        for row in (await session.exec(select(DeclaredFeed))).all()
        if row.news_at is not None and row.news_at >= since
    ]
    found += [
        FeedWord("hook", row.source, row.told_at)
        for row in (await session.exec(select(HookTally))).all()
        if row.told_at is not None and row.told_at >= since
    ]
    found += await _reporters(session, domains, since)
    found += await _mailboxes(session, since)
    return found + await _seeds(session, since, quiet_since)


async def _reporters(session: AsyncSession, domains: Collection[str], since: datetime) -> list[FeedWord]:
    if not domains:
        return []
    wanted = (
        sa.select(col(DmarcReport.org), sa.func.max(DmarcReport.received_at))
        .where(col(DmarcReport.domain).in_(sorted(domains)), col(DmarcReport.begins_at) >= since)
        .group_by(col(DmarcReport.org))
        .having(sa.func.count() >= FEWEST_REPORTS)
        .order_by(sa.func.count().desc(), col(DmarcReport.org))
        .limit(MOST_REPORTERS)
    )
    rows = (await (await session.connection()).execute(wanted)).all()
    return [FeedWord("dmarc", org, last_at) for org, last_at in rows if last_at >= since]


async def _mailboxes(session: AsyncSession, since: datetime) -> list[FeedWord]:
    """Those that cannot be read at present: of the others, that they hold nothing is no silence."""
    rows = (await session.exec(select(PolledMailbox).where(col(PolledMailbox.problem) != ""))).all()
    return [
        FeedWord("mailbox", row.place, row.news_at, waits=False)
        for row in rows
        if row.news_at is not None and row.news_at >= since
    ]


async def _seeds(session: AsyncSession, since: datetime, quiet_since: datetime) -> list[FeedWord]:
    """By provider, those that could be read in the time looked back on, and not since."""
    wanted = (
        sa.select(col(SeedMailbox.provider), sa.func.max(SeedMailbox.last_read_at), sa.func.count())
        .where(
            col(SeedMailbox.active),
            col(SeedMailbox.removed_at).is_(None),
            col(SeedMailbox.last_read_at) >= since,
            col(SeedMailbox.last_read_at) < quiet_since,
            # Looked into since, in vain: where nobody looks, nothing went silent.
            col(SeedMailbox.last_checked_at) > col(SeedMailbox.last_read_at),
        )
        .group_by(col(SeedMailbox.provider))
    )
    rows = (await (await session.connection()).execute(wanted)).all()
    return [
        FeedWord("seeds", name, last_at, waits=False, number=count)
        for name, last_at, count in rows
        if last_at is not None
    ]
