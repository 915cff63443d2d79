"""What must be true of a run before its speed means anything: every effect is there, each of them once."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, func, select

from benchmarks.event_plan import HOOKS, Evidence, Expected
from benchmarks.processes import MeasureError
from deliverability.report import campaign_report
from models.clock import SystemClock
from models.contact import Contact
from models.event import Event, Incoming
from models.news import News, NewsState
from models.states import Channel, ConsentStatus, DeliveryState, EventKind, SuppressionReason
from models.suppression import Suppression, address_hash
from store import Database, tally_check
from store.campaigns import progress
from store.tally_fold import advance

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Before:
    """Where the tables stood before the run: the last numbers."""

    event: int
    suppression: int
    original: int
    news: int


async def stand(database: Database) -> Before:
    """Where they stand now."""
    async with database.read() as session:
        last = [
            int((await session.exec(select(func.max(col(table.id))))).one() or 0)
            for table in (Event, Suppression, Incoming, News)
        ]
    return Before(*last)


async def events_since(database: Database, before: Before) -> int:
    """How many there are."""
    async with database.read() as session:
        return (await session.exec(select(func.count()).where(col(Event.id) > before.event))).one()


async def check(
    database: Database, campaign_id: int, before: Before, expected: Expected, *, group: str
) -> None:
    """MeasureError unless the tables and the pages hold what was told, no less, no more and not twice."""
    problems: list[str] = []
    async with database.read() as session:
        found = Counter([_evidence(row) for row in (await session.exec(_events_after(before.event))).all()])
        problems += _difference("events", expected.events, found)
        stopped = (
            await session.exec(
                select(Suppression.address_hash, Suppression.reason).where(
                    col(Suppression.id) > before.suppression, col(Suppression.lifted_at).is_(None)
                )
            )
        ).all()
        wanted = Counter(
            {
                (address_hash(Channel.EMAIL, address), reason): count
                for (address, reason), count in expected.suppressions.items()
            }
        )
        found_stopped = Counter(
            (fingerprint, SuppressionReason(reason).value) for fingerprint, reason in stopped
        )
        problems += _difference("suppressions", wanted, found_stopped)
        withdrawn = select(Contact.id).where(
            Contact.canton_key == group, Contact.email_consent == ConsentStatus.WITHDRAWN
        )
        silent = Counter((await session.exec(withdrawn)).all())
        problems += _difference("consents withdrawn", Counter(expected.withdrawn), silent)
        kept = await _count(session, Incoming, col(Incoming.id) > before.original, col(Incoming.matched))
        told = {
            state: await _count(session, News, col(News.id) > before.news, col(News.state) == state)
            for state in NewsState
        }
        states = await progress(session, campaign_id)
    problems += _numbers("originals", expected.originals, kept)
    problems += _numbers("news applied", expected.applied, told[NewsState.APPLIED])
    problems += _numbers("news of unknown messages", expected.waiting, told[NewsState.WAITING])
    if set(states) != {DeliveryState.ACCEPTED}:
        problems.append(f"messages are {dict(states)}")
    problems += await _on_pages(database, campaign_id, expected)
    if problems:
        raise MeasureError("; ".join(problems), "This is a fault of the product: please report it.")


async def _on_pages(database: Database, campaign_id: int, expected: Expected) -> list[str]:
    """What the campaign's page and report say, and whether their counters are those of the rows."""
    await advance(database)
    async with database.read() as session:
        total = (await campaign_report(session, campaign_id, SystemClock().now())).total.counts
        wrong = await tally_check.differences(session, campaign_id)
    told = expected.messages
    shown = {
        "bounced for good": (expected.hard, total.bounced_hard),
        "bounced": (told[EventKind.BOUNCED], total.bounced_hard + total.bounced_soft),
        "complaints": (told[EventKind.COMPLAINED], total.complained),
        "unsubscribed": (told[EventKind.UNSUBSCRIBED], total.unsubscribed),
        "clicked": (told[EventKind.CLICKED], total.clicked),
    }
    problems = [
        line for name, (one, other) in shown.items() for line in _numbers(f"{name}, page", one, other)
    ]
    return [*problems, *wrong[:SHOWN]]


def _events_after(number: int) -> Any:
    columns = (Event.source, Event.delivery_id, Event.kind, Event.bounce_class)
    return sa.select(*(col(column) for column in columns)).where(col(Event.id) > number)


def _evidence(row: Any) -> Evidence:
    source, number, kind, bounce_class = row
    read = "" if bounce_class is None or kind != EventKind.BOUNCED else bounce_class.value
    return source if source in {*HOOKS, "evidence"} else "mail", number or 0, kind.value, read


async def _count(session: Any, table: Any, *conditions: Any) -> int:
    return int((await session.exec(select(func.count()).select_from(table).where(*conditions))).one())


def _difference(what: str, expected: Counter[Any], found: Counter[Any]) -> list[str]:
    missing, surplus = expected - found, found - expected
    if not missing and not surplus:
        return []
    told = f"{what}: {missing.total()} missing, {surplus.total()} too many"
    return [f"{told}, such as {[*missing][:SHOWN]} and {[*surplus][:SHOWN]}"]


def _numbers(what: str, expected: int, found: int) -> list[str]:
    return [] if expected == found else [f"{what}: {found}, and should be {expected}"]
