"""What was found when a campaign was looked at before sending, and who sent it all the same, and why."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, document, foreign_key, moment, primary_key


class LintLevel(StrEnum):
    """BLOCK: it is not scheduled like this. WARN: a risk one may take. FINE: looked at, and in order."""

    BLOCK = "block"
    WARN = "warn"
    FINE = "fine"


class Preflight(SQLModel, table=True):
    """The last look at a campaign. `findings`: one object each, as `scheduler.preflight` writes them.

    `fingerprint`: of what was looked at; another one says that the campaign has changed since. `seeds`:
    what the last test through the real path found, taken at `seeds_at`; it is kept until the next.
    """

    __tablename__ = "preflight"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    examined_at: datetime = moment()
    fingerprint: str = Field(default="", max_length=64)
    findings: list[dict[str, Any]] = document([])
    seeds: list[dict[str, Any]] = document([])
    seeds_at: datetime | None = moment(nullable=True)


class PreflightOverride(SQLModel, table=True):
    """Somebody had a campaign scheduled although the findings `codes` stood in its way.

    It holds for the campaign as it was looked at (`fingerprint`): changed, it is asked again.
    """

    __tablename__ = "preflight_override"
    __table_args__ = (sa.Index("ix_preflight_override_campaign_id", "campaign_id"),)

    id: int = primary_key()
    campaign_id: int = foreign_key("campaign.id", cascade=True)
    at: datetime = moment()
    by: str = Field(max_length=254)
    reason: str = Field(max_length=500)
    codes: list[str] = document([])
    fingerprint: str = Field(default="", max_length=64)
