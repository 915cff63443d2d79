"""Incidents: when something went wrong with a sender at a provider, what was done, and who was told."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, foreign_key, moment, primary_key


class IncidentKind(StrEnum):
    """What set it off."""

    HARD_BOUNCES = "hard_bounces"
    COMPLAINTS = "complaints"
    DEFERRALS = "deferrals"
    # A provider refuses the sender: reputation, policy, authentication.
    BLOCKED = "blocked"
    SPAM_PLACEMENT = "spam_placement"
    HEALTH = "health"
    DECLARED = "declared"
    CANARY = "canary"
    # An address that is to hear of events does not answer; `provider` is its host and number.
    WEBHOOK = "webhook"


class IncidentLevel(StrEnum):
    """AMBER: look at it. RED: something was stopped, or ought to be."""

    AMBER = "amber"
    RED = "red"


class IncidentDeed(StrEnum):
    """What was done by itself."""

    TOLD = "told"
    SLOWED = "slowed"
    PAUSED = "paused"
    STOPPED = "stopped"


class Incident(SQLModel, table=True):
    """One incident; open while `ended_at` is None, and then the only open one of its `scope`.

    `scope`: kind, identity, provider and campaign in one word, so that an incident is opened once however
    many workers see it. `provider` "": all of them. `part` of `whole`: the counts the rate was taken from.
    `evidence`: figures, rules and examples, as the page shows them. `until`: when the deed wears off.
    """

    __tablename__ = "incident"
    __table_args__ = (
        sa.Index(
            "uq_incident_open",
            "scope",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_incident_identity_id_began_at", "identity_id", "began_at"),
        sa.Index("ix_incident_campaign_id", "campaign_id"),
        sa.Index("ix_incident_began_at", "began_at"),
    )

    id: int = primary_key()
    scope: str = Field(max_length=200)
    kind: IncidentKind = choice(IncidentKind)
    level: IncidentLevel = choice(IncidentLevel)
    identity_id: int | None = foreign_key("identity.id", nullable=True, cascade=True)
    provider: str = Field(default="", max_length=60)
    campaign_id: int | None = foreign_key("campaign.id", nullable=True, cascade=True)
    began_at: datetime = moment()
    seen_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str = Field(default="", max_length=254)
    deed: IncidentDeed = choice(IncidentDeed, default=IncidentDeed.TOLD)
    until: datetime | None = moment(nullable=True)
    part: int = Field(default=0, sa_type=BigId)
    whole: int = Field(default=0, sa_type=BigId)
    reason: str = Field(default="", max_length=500)
    evidence: dict[str, Any] = document()


class AlertWay(StrEnum):
    """How somebody is told."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Alert(SQLModel, table=True):
    """One telling of one incident to one place, kept until it has arrived; `news`: "began" or "ended"."""

    __tablename__ = "alert"
    __table_args__ = (
        sa.UniqueConstraint("incident_id", "news", "way", "target"),
        sa.Index("ix_alert_due_at", "due_at"),
    )

    id: int = primary_key()
    incident_id: int = foreign_key("incident.id", cascade=True)
    news: str = Field(max_length=10)
    way: AlertWay = choice(AlertWay)
    target: str = Field(max_length=500)
    due_at: datetime | None = moment(nullable=True)
    tries: int = Field(default=0, sa_type=sa.Integer)
    told_at: datetime | None = moment(nullable=True)
    problem: str = Field(default="", max_length=500)
