"""What a rule suppressed, undone as a whole: it proved wrong, and the people it silenced are not to blame."""

import difflib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import rules_in_force
from deliverability.suppression import foresee, hold
from models.delivery import Delivery
from models.errors import BadInputError, NotFoundError
from models.suppression import Suppression
from store import Database, suppressions

A_PAGE = 200
NAMES_SHOWN = 5


class Fate(StrEnum):
    """What becomes of a suppression by a rule: it stays, ends, or ends while something else stands."""

    KEPT = "kept"
    FREED = "freed"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Undone:
    """`found` suppressions rest on the rule; `kept` are earned without it, too; `lifted` ended, or would.

    `elsewhere`: so many of the lifted are of addresses that stay suppressed by something else.
    """

    found: int
    kept: int
    lifted: int
    elsewhere: int = 0


async def undo_rule(
    database: Database, rule: str, *, since: datetime, why: str, now: datetime, apply: bool
) -> Undone:
    """End what `rule` suppressed since a moment, unless other evidence is enough; BadInputError without why.

    A dry run unless `apply`. Each page is a transaction, and what has ended is not found again: safe to
    repeat. The rows stay, with `why` (who, and the reason): what was heard before does not count any more.
    """
    if not rule.strip() or not why.strip():
        raise BadInputError("The name of a rule and a reason are needed.", "The reason is kept as the trace.")
    found = kept = lifted = elsewhere = after = 0
    while True:
        async with database.write() if apply else database.read() as session:
            page = await suppressions.by_rule(
                session, rule, since=since, now=now, after_id=after, limit=A_PAGE
            )
            if apply:
                # What is heard of them meanwhile is either judged here, or weighs once this is done.
                known = [
                    (row.channel, one.address) for row, _, one in page if one is not None and one.address
                ]
                await hold(session, known)
            for row, _event, delivery in page:
                found += 1
                fate = await fate_of(session, row, delivery, rule, since=since, now=now)
                if fate is Fate.KEPT:
                    kept += 1
                    continue
                elsewhere += fate is Fate.ELSEWHERE
                told = f"undo of rule {rule}: {why}"
                lifted += await suppressions.lift_row(session, row.id, why=told, now=now) if apply else 1
        if not page:
            return Undone(found, kept, lifted, elsewhere)
        after = page[-1][0].id


async def fate_of(
    session: AsyncSession,
    row: Suppression,
    delivery: Delivery | None,
    rule: str,
    *,
    since: datetime,
    now: datetime,
) -> Fate:
    """What undoing `rule` since a moment does to a suppression by it; `delivery` is its event's."""
    earned = set()
    if delivery is not None and delivery.address:
        plan = await foresee(session, row.channel, delivery.address, apart_from=rule)
        earned = set(plan.earned)
    if row.reason in earned:
        return Fate.KEPT
    for other in await suppressions.history(session, row.channel, row.address_hash):
        is_undone = suppressions.rests_on(other, rule, since) and other.reason not in earned
        if other.id != row.id and suppressions.holds(other, now) and not is_undone:
            return Fate.ELSEWHERE
    return Fate.FREED


async def demand_rule(database: Database, rule: str) -> None:
    """NotFoundError for a rule that is neither in force nor ever suppressed anybody."""
    book = rules_in_force()
    if book.find(rule) is not None:
        return
    async with database.read() as session:
        if await suppressions.is_on_record(session, rule):
            return
    near = difflib.get_close_matches(rule, [one.name for one in book.rules], NAMES_SHOWN, 0.5)
    advice = f"Did you mean {', '.join(near)}?" if near else "`tocsin suppression list` shows the evidence."
    raise NotFoundError(f"There is no rule {rule}.", advice)
