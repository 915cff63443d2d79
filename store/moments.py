"""Where in a table that only grows a moment stands: a search by halves through its numbers.

Rows that are only ever added are numbered in the order of their moments, give or take what was being written
at the same time. So the first row since a moment is found in some twenty looks at the primary key, and every
message or event is spared an index of moments.
"""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlmodel.ext.asyncio.session import AsyncSession

SLACK: Final = timedelta(minutes=5)
"""How much later a row may be numbered than it says: longer than any transaction takes."""


async def number_before(
    session: AsyncSession, number: Mapped[int], at: Mapped[datetime], moment: datetime
) -> int:
    """A number below that of every row since `moment`, and not far below; 0 in an empty table.

    `number` is the primary key, by which it is served; `at` the moment of a row.
    """
    connection = await session.connection()
    low, high = 0, int((await connection.execute(sa.select(sa.func.max(number)))).scalar() or 0)
    early = moment - SLACK
    while low < high:
        middle = (low + high + 1) // 2
        found = await connection.execute(_last_up_to(number, at, middle))
        row = found.first()
        if row is None or row[1] < early:
            low = middle
        else:
            high = int(row[0]) - 1
    return low


def _last_up_to(number: Mapped[int], at: Mapped[datetime], most: int) -> sa.Select[int, datetime]:
    return sa.select(number, at).where(number <= most).order_by(number.desc()).limit(1)
