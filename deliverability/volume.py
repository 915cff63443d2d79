"""How many messages an identity sent each day beside what its warm-up plan allowed, provider by provider."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.pace import Warmup, WarmupState
from models.providers import provider_name
from store import warmups

LONGEST = 400
"""Days of a plan that are told: it remembers fewer."""


@dataclass(frozen=True, slots=True)
class PlanDay:
    """A day of the installation's zone: at most `cap` messages, `sent` of them, and what followed.

    `light`: green, amber or red, and why in `reason`; "" of a day that is not over. `days`: how many the
    figures are of, when nothing looked in between: the cap held on each of them.
    """

    day: date
    cap: int
    sent: int
    light: str = ""
    reason: str = ""
    days: int = 1

    @property
    def is_over(self) -> bool:
        """Whether more messages left than the plan allowed."""
        return self.sent > self.cap * self.days


@dataclass(frozen=True, slots=True)
class PlanLine:
    """The plan of an identity at one provider, its days oldest first."""

    provider: str
    provider_name: str
    state: WarmupState
    cap: int
    target: int
    days: tuple[PlanDay, ...]

    @property
    def under_way(self) -> bool:
        """Whether its cap still holds."""
        return self.state in warmups.CAPPING


async def volume_of(
    session: AsyncSession, identity_id: int, since: datetime, now: datetime, zone: ZoneInfo
) -> tuple[PlanLine, ...]:
    """The plans of an identity, the largest target first, with their days since a moment.

    Past days are what the plans remember of them; today is what the pacer has counted.
    """
    plans = await warmups.list_plans(session, identity_id=identity_id)
    today = now.astimezone(zone).date()
    used = await warmups.sent_today(session, identity_id, today) if plans else {}
    first = since.astimezone(zone).date()
    lines = [
        PlanLine(
            plan.provider,
            provider_name(plan.provider),
            plan.state,
            plan.cap,
            plan.target,
            tuple(one for one in _days(plan, today, used.get(plan.provider, 0)) if one.day >= first),
        )
        for plan in plans
    ]
    return tuple(sorted(lines, key=lambda line: (-line.target, line.provider)))


def _days(plan: Warmup, today: date, used: int) -> Iterator[PlanDay]:
    told = plan.history[-LONGEST:]
    days = [date.fromisoformat(one["day"]) for one in told]
    ends = [*days, plan.day][1:]
    for one, day, following in zip(told, days, ends, strict=True):
        yield PlanDay(
            day,
            int(one["cap"]),
            int(one["sent"]),
            str(one["light"]),
            str(one["reason"]),
            max(1, (following - day) // timedelta(days=1)),
        )
    if plan.state in warmups.CAPPING:
        yield PlanDay(today, plan.cap, used)
