"""What an identity asks of providers, by its plans, and of people, by how often it writes; read together."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.pressure import PressureReport, pressure_of
from deliverability.volume import PlanLine, volume_of


@dataclass(frozen=True, slots=True)
class Burden:
    """The plans by provider, the largest first, and how often people are written to."""

    plans: tuple[PlanLine, ...]
    pressure: PressureReport


async def burden_of(
    session: AsyncSession, identity_id: int, since: datetime, until: datetime, zone: str
) -> Burden:
    """Of a period up to now; `zone`: the installation's, whose days the plans count."""
    plans = await volume_of(session, identity_id, since, until, ZoneInfo(zone))
    return Burden(plans, await pressure_of(session, identity_id, since, until))
