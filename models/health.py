"""An identity's health: what the DNS says of it, when it was looked at, and the proof that it is ours."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, foreign_key, moment, primary_key


class HealthLevel(StrEnum):
    """UNKNOWN: not looked at yet, or nobody could be asked. PROBLEM: providers refuse or filter."""

    UNKNOWN = "unknown"
    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"


class HealthCheck(SQLModel, table=True):
    """One look at an identity. `findings`: one object a finding, as `deliverability.health` writes them."""

    __tablename__ = "health_check"
    __table_args__ = (sa.Index("ix_health_check_identity_id_checked_at", "identity_id", "checked_at"),)

    id: int = primary_key()
    identity_id: int = foreign_key("identity.id", cascade=True)
    checked_at: datetime = moment()
    level: HealthLevel = choice(HealthLevel)
    reason: str = Field(default="", max_length=500)
    findings: list[dict[str, Any]] = document([])


class ProofKind(StrEnum):
    """How somebody shows that an address is theirs: a TXT record of its domain, a link sent to it."""

    DNS = "dns"
    MAILBOX = "mailbox"


class IdentityProof(SQLModel, table=True):
    """What was asked of an identity's owner, and when it was shown; `subject`: the domain or the address.

    Another From address needs another proof: one whose subject is no longer the identity's is void.
    `misses` in a row since `missing_since`: looks at which the record was certainly not there; `lost_at`:
    when that was one too many. `mailed_at`: when the letter with the link left; `problem`: why it did not.
    """

    __tablename__ = "identity_proof"

    identity_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="identity.id", ondelete="CASCADE")
    kind: ProofKind = choice(ProofKind, primary_key=True)
    subject: str = Field(max_length=254)
    token: str = Field(max_length=100)
    asked_at: datetime = moment()
    proven_at: datetime | None = moment(nullable=True)
    checked_at: datetime | None = moment(nullable=True)
    misses: int = Field(default=0, sa_type=sa.Integer)
    missing_since: datetime | None = moment(nullable=True)
    lost_at: datetime | None = moment(nullable=True)
    mailed_at: datetime | None = moment(nullable=True)
    problem: str = Field(default="", max_length=300)


class IdentityChange(SQLModel, table=True):
    """One step in the life of an identity; `by`: who took it, "" when it was taken by itself."""

    __tablename__ = "identity_change"
    __table_args__ = (sa.Index("ix_identity_change_identity_id_at", "identity_id", "at"),)

    id: int = primary_key()
    identity_id: int = foreign_key("identity.id", cascade=True)
    at: datetime = moment()
    origin: str = Field(max_length=32)
    state: str = Field(max_length=32)
    by: str = Field(default="", max_length=254)
    reason: str = Field(default="", max_length=500)


class Listing(SQLModel, table=True):
    """What a blocklist last answered about an IP address or a domain; asked again after `fresh_until`."""

    __tablename__ = "listing"

    zone: str = Field(primary_key=True, max_length=120)
    subject: str = Field(primary_key=True, max_length=253)
    listed: bool = False
    answer: str = Field(default="", max_length=300)
    asked_at: datetime = moment()
    fresh_until: datetime = moment()
    problem: str = Field(default="", max_length=300)
