"""What a rule suppressed, undone as a whole: it proved wrong, and the people it silenced are not to blame."""

from dataclasses import dataclass
from datetime import datetime

from deliverability.suppression import foresee, hold
from models.errors import BadInputError
from store import Database, suppressions

A_PAGE = 200


@dataclass(frozen=True, slots=True)
class Undone:
    """`found` suppressions rest on the rule; `kept` are earned without it, too; `lifted` ended, or would."""

    found: int
    kept: int
    lifted: int


async def undo_rule(
    database: Database, rule: str, *, since: datetime, why: str, now: datetime, apply: bool
) -> Undone:
    """End what `rule` suppressed since a moment, unless other evidence is enough; BadInputError without why.

    A dry run unless `apply`. Each page is a transaction, and what has ended is not found again: safe to
    repeat. The rows stay, with `why` (who, and the reason): what was heard before does not count any more.
    """
    if not rule.strip() or not why.strip():
        raise BadInputError("The name of a rule and a reason are needed.", "The reason is kept as the trace.")
    found = kept = lifted = after = 0
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
                if delivery is not None and delivery.address:
                    plan = await foresee(session, row.channel, delivery.address, apart_from=rule)
                    if row.reason in plan.earned:
                        kept += 1
                        continue
                told = f"undo of rule {rule}: {why}"
                lifted += await suppressions.lift_row(session, row.id, why=told, now=now) if apply else 1
        if not page:
            return Undone(found, kept, lifted)
        after = page[-1][0].id
