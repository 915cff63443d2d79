"""What mailbox providers declare about our mail: their own dashboards and feedback files, day by day."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import choice, document, moment, primary_key


class DeclaredSource(StrEnum):
    """Who says so."""

    GMAIL_POSTMASTER = "gmail_postmaster"
    MICROSOFT_SNDS = "microsoft_snds"
    SIGNAL_SPAM = "signal_spam"
    YAHOO_CFL = "yahoo_cfl"


class DeclaredFigure(SQLModel, table=True):
    """One figure of one day. `subject`: the domain, address or Feedback-ID it is about.

    `value`: a share between 0 and 1, or a count, as `metric` says; None where the source says it in
    `words` only. Imported again, the newer one stands.
    """

    __tablename__ = "declared_figure"
    __table_args__ = (
        sa.UniqueConstraint("source", "subject", "provider", "metric", "day"),
        sa.Index("ix_declared_figure_day", "day"),
    )

    id: int = primary_key()
    source: DeclaredSource = choice(DeclaredSource)
    subject: str = Field(max_length=253)
    provider: str = Field(default="", max_length=60)
    metric: str = Field(max_length=60)
    day: date = Field(sa_type=sa.Date)
    value: float | None = None
    words: str = Field(default="", max_length=200)
    details: dict[str, Any] = document()
    imported_at: datetime = moment()


class DeclaredFeed(SQLModel, table=True):
    """How a source was last asked: `news_at` when it last had news, `problem` what stands in the way."""

    __tablename__ = "declared_feed"

    source: DeclaredSource = choice(DeclaredSource, primary_key=True)
    checked_at: datetime | None = moment(nullable=True)
    news_at: datetime | None = moment(nullable=True)
    problem: str = Field(default="", max_length=500)
