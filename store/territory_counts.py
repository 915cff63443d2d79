"""What people did, by the département they live in: read from the counters, with small groups out of sight.

Few people in one place are soon somebody: what is told here is told of `FEWEST` people or more, by the
database already, so that no page or file can forget it. It holds against taking sums apart, too. Where
a campaign reached too few somewhere, the next larger places are hidden with them until what is left
over of the whole is `FEWEST` people of two places at least. A period is a sum of campaigns so treated: a
campaign writes to nobody twice, so that whatever two periods differ by is a group as large as that again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.event import Event
from models.states import Channel
from models.tally import PlaceTally
from store.engine import last_number
from store.territory_fold import FIGURES, counted_up_to

__all__ = ["FEWEST", "Figures", "Places", "of_campaign", "of_period", "uncounted", "whole_of"]

FEWEST: Final = 10
"""People of whom something may be told together."""
_PLACE = sa.inspect(PlaceTally).local_table.c
_CAMPAIGN = sa.inspect(Campaign).local_table.c


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages by what became of them, as in `models.tally.PlaceTally`."""

    accepted: int = 0
    heard: int = 0
    bounced: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) + getattr(other, name) for name in FIGURES))

    @property
    def arrived(self) -> int:
        """Accepted and not come back."""
        return max(0, self.accepted - self.bounced)


@dataclass(frozen=True, slots=True)
class Places:
    """Figures by place, small groups out of sight.

    `shown`: by INSEE code, "" where it is not known. `together`: the sum of what is hidden, None where even
    that is too few; `hidden`: the places of which nothing is shown. `campaigns`: how many were looked at.
    `whole`: all that may be told of.
    """

    shown: dict[str, Figures]
    together: Figures | None
    hidden: frozenset[str]
    campaigns: int
    whole: Figures = field(init=False)

    def __post_init__(self) -> None:
        """Add up once what every place is compared with."""
        whole = sum(self.shown.values(), self.together or Figures())
        object.__setattr__(self, "whole", whole)


async def of_campaign(session: AsyncSession, campaign_id: int) -> Places:
    """One campaign. Served by the primary key of place_tally."""
    return await _places(session, _PLACE.campaign_id == campaign_id)


async def of_period(
    session: AsyncSession, since: datetime, until: datetime, *, channel: Channel = Channel.EMAIL
) -> Places:
    """Every campaign of a channel launched in a period, those of several identities once.

    One look through the table of campaigns; served by the primary key of place_tally.
    """
    theirs = sa.select(_CAMPAIGN.id).where(
        _CAMPAIGN.launched_at >= since,
        _CAMPAIGN.launched_at < until,
        _CAMPAIGN.channel == channel,
        _CAMPAIGN.test.is_(False),
    )
    return await _places(session, _PLACE.campaign_id.in_(theirs))


async def whole_of(session: AsyncSession, campaign_id: int) -> Figures:
    """What all places of a campaign come to, for the proof. Served by the primary key of place_tally."""
    sums = [_sum(sa.func.coalesce(_PLACE[name], 0)).label(name) for name in FIGURES]
    row = (await session.exec(sa.select(*sums).where(_PLACE.campaign_id == campaign_id))).one()  # type: ignore[call-overload]
    return Figures(*(int(figure or 0) for figure in row))


async def uncounted(session: AsyncSession) -> int:
    """How many events, about, are in no place's counters yet. By primary keys."""
    return max(0, await last_number(session, sa.inspect(Event).local_table) - await counted_up_to(session))


async def _places(session: AsyncSession, condition: sa.ColumnElement[bool]) -> Places:
    cells = _ranked(condition).subquery()
    # In the order of their size: the smallest is one of few, so that there are two at least.
    before = sa.func.coalesce(cells.c.before, 0)
    hidden = sa.and_(cells.c.least < FEWEST, sa.or_(cells.c.arrived < FEWEST, before < FEWEST))
    is_hidden = sa.case((hidden, 1), else_=0).label("hidden")
    statement = sa.select(
        cells.c.departement,
        is_hidden,
        # A campaign to so few is told on its own page only: in a sum of several it would stick out.
        *(_sum(sa.case((cells.c.whole >= FEWEST, cells.c[name]), else_=0)).label(name) for name in FIGURES),
    ).group_by(cells.c.departement, is_hidden)
    rows: Sequence[Any] = (await session.exec(statement)).all()  # type: ignore[call-overload]
    counted = sa.select(sa.func.count(sa.distinct(_PLACE.campaign_id))).where(condition)
    campaigns = (await session.exec(counted)).scalar_one()  # type: ignore[call-overload]
    return _put_together(rows, int(campaigns))


def _ranked(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Each place of each campaign, with what the smaller ones of the campaign come to."""
    arrived = sa.case((_PLACE.accepted > _PLACE.bounced, _PLACE.accepted - _PLACE.bounced), else_=0)
    order = (arrived, _PLACE.departement)
    return sa.select(
        _PLACE.departement,
        *(_PLACE[name] for name in FIGURES),
        arrived.label("arrived"),
        sa.func.sum(arrived)
        .over(partition_by=_PLACE.campaign_id, order_by=order, rows=(None, -1))
        .label("before"),
        sa.func.min(arrived).over(partition_by=_PLACE.campaign_id).label("least"),
        sa.func.sum(arrived).over(partition_by=_PLACE.campaign_id).label("whole"),
    ).where(condition)


def _sum(figure: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """As a whole number: PostgreSQL makes a decimal fraction of it."""
    return sa.cast(sa.func.sum(figure), sa.BigInteger)


def _put_together(rows: Iterable[Any], campaigns: int) -> Places:
    shown: dict[str, Figures] = {}
    together = Figures()
    hidden: set[str] = set()
    for departement, is_hidden, *figures in rows:
        told = Figures(*map(int, figures))
        if is_hidden:
            together += told
            hidden.add(departement)
        else:
            shown[departement] = told
    return Places(
        dict(sorted(shown.items())),
        together if together.arrived >= FEWEST else None,
        frozenset(hidden - shown.keys()),
        campaigns,
    )
