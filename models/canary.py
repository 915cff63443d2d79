"""A campaign's canary: a first slice goes out, the seeds are read, and only then the rest may follow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, moment

HELD_FOR_CANARY: Final = "canary"
"""Why a delivery outside the first slice is held: `models.delivery.Delivery.reason`."""


class CanaryDeed(StrEnum):
    """What a finding leads to. ALERT: tell people, and go on; HOLD: tell people, and wait for one."""

    GO_ON = "go_on"
    ALERT = "alert"
    HOLD = "hold"


class CanaryStage(StrEnum):
    """READY before the launch; SENDING the first slice; WAITING for the seeds; then what was decided.

    RELEASED: a person let the rest go.
    """

    READY = "ready"
    SENDING = "sending"
    WAITING = "waiting"
    PASSED = "passed"
    HELD = "held"
    RELEASED = "released"


CLOSED: Final = frozenset({CanaryStage.READY, CanaryStage.SENDING, CanaryStage.WAITING, CanaryStage.HELD})
"""Stages in which the rest may not leave."""


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """The gate as a person asks for it; see `Canary`."""

    people: int = 200
    wait: timedelta = timedelta(minutes=30)
    when_bad: CanaryDeed = CanaryDeed.HOLD
    when_unknown: CanaryDeed = CanaryDeed.ALERT


class Canary(SQLModel, table=True):
    """The gate of one campaign; without a row there is none.

    `people`: how many, drawn by chance, get the first slice. `wait_seconds`: how long to wait for the
    seeds once the slice has left. `when_bad`, `when_unknown`: what to do if too many seeds are found in
    spam, or too few are found at all. `seen`: the counts by provider the decision rests on, and `reason`
    the decision in a line. `opened_at`: when the last of the rest was let go.
    """

    __tablename__ = "canary"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    people: int = Field(default=0, sa_type=sa.Integer)
    wait_seconds: int = Field(default=1800, sa_type=sa.Integer)
    when_bad: CanaryDeed = choice(CanaryDeed, default=CanaryDeed.HOLD)
    when_unknown: CanaryDeed = choice(CanaryDeed, default=CanaryDeed.ALERT)
    stage: CanaryStage = choice(CanaryStage, default=CanaryStage.READY)
    sent_at: datetime | None = moment(nullable=True)
    decided_at: datetime | None = moment(nullable=True)
    opened_at: datetime | None = moment(nullable=True)
    decided_by: str = Field(default="", max_length=254)
    reason: str = Field(default="", max_length=500)
    seen: dict[str, Any] = document()

    @property
    def plan(self) -> CanaryPlan:
        """What was asked for."""
        return CanaryPlan(self.people, timedelta(seconds=self.wait_seconds), self.when_bad, self.when_unknown)
