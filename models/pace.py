"""The limits that messages wait for, as rows: any number of workers share them, and a restart keeps them.

A limit belongs to a scope and is known by a key: `relay:email`, `identity:3`, `provider:orange`,
`lane:3:orange`, `domain:exemple.fr:orange` (a DKIM domain at a provider).
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, moment, primary_key


class LimitScope(StrEnum):
    """What a limit is about."""

    RELAY = "relay"
    IDENTITY = "identity"
    PROVIDER = "provider"
    LANE = "lane"
    DOMAIN = "domain"


class Measure(StrEnum):
    """What a limit counts."""

    PER_SECOND = "per_second"
    PER_MINUTE = "per_minute"
    PER_HOUR = "per_hour"
    PER_DAY = "per_day"
    CONNECTIONS = "connections"
    MESSAGES_PER_CONNECTION = "messages_per_connection"


class PaceLimit(SQLModel, table=True):
    """A limit somebody set, over the defaults: `amount` of `measure` for `subject` in `scope`.

    `subject` is what follows the scope in a key: a provider (`orange`), an identity's number (`3`), both
    (`3:orange`), a domain and a provider (`exemple.fr:orange`), a channel (`email`) for the relay.
    """

    __tablename__ = "pace_limit"
    __table_args__ = (sa.UniqueConstraint("scope", "subject", "measure"),)

    id: int = primary_key()
    scope: LimitScope = choice(LimitScope)
    subject: str = Field(max_length=160)
    measure: Measure = choice(Measure)
    amount: float
    note: str = Field(default="", max_length=300)
    changed_at: datetime = moment()


class PaceRow(SQLModel, table=True):
    """A limit a second or a minute, kept by the generic cell rate algorithm (ITU-T I.371).

    `arrival_us` is microseconds since 1970-01-01 UTC: the moment from which the next message conforms.
    """

    __tablename__ = "pace"

    key: str = Field(primary_key=True, max_length=200)
    arrival_us: int = Field(default=0, sa_type=BigId)


class PaceWindow(SQLModel, table=True):
    """A limit an hour or a day: how many left since `started_at`. `key` ends in the measure."""

    __tablename__ = "pace_window"

    key: str = Field(primary_key=True, max_length=200)
    started_at: datetime = moment()
    used: int = 0


class ConnectionSlot(SQLModel, table=True):
    """One of the connections that all workers together may open under `key`; free once the lease is over."""

    __tablename__ = "connection_slot"

    key: str = Field(primary_key=True, max_length=200)
    number: int = Field(primary_key=True, sa_type=sa.Integer)
    holder: str | None = Field(default=None, max_length=40)
    leased_until: datetime | None = moment(nullable=True)


class BreakerState(StrEnum):
    """CLOSED: messages flow. OPEN: none until `opens_at`. HALF_OPEN: one connection finds out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Throttle(SQLModel, table=True):
    """How a scope is slowed by what it was answered: a share of its limits, fewer connections, or a rest.

    `factor` (0 to 1) multiplies the rates; `clean` counts messages taken since it last changed, `trips`
    the rests in a row. `ceiling` is the factor that was last found too much, not tried again before
    `hold_until`. `connections` holds until `connections_until`, or grows one at a time (`step_up`).
    `rule` names the reaction.
    """

    __tablename__ = "throttle"

    key: str = Field(primary_key=True, max_length=200)
    state: BreakerState = choice(BreakerState, default=BreakerState.CLOSED)
    factor: float = 1.0
    ceiling: float = 1.0
    hold_until: datetime | None = moment(nullable=True)
    clean: int = 0
    trips: int = 0
    opens_at: datetime | None = moment(nullable=True)
    connections: int | None = None
    connections_until: datetime | None = moment(nullable=True)
    step_up: bool = False
    rule: str = Field(default="", max_length=100)
    reason: str = Field(default="", max_length=500)
    changed_at: datetime = moment()


class WarmupState(StrEnum):
    """How a plan stands: stepping up, held or stepped back by what was measured, at full pace, or stopped."""

    RISING = "rising"
    HOLDING = "holding"
    FALLING = "falling"
    DONE = "done"
    STOPPED = "stopped"


class Warmup(SQLModel, table=True):
    """The plan by which an identity gets known at a provider: at most `cap` messages on `day`.

    `day` is in the installation's zone. `history` lists past days: day, cap, sent, the measured shares and
    what followed.
    """

    __tablename__ = "warmup"

    identity_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="identity.id", ondelete="CASCADE")
    provider: str = Field(primary_key=True, max_length=60)
    state: WarmupState = choice(WarmupState, default=WarmupState.RISING)
    day: date
    cap: int
    target: int
    history: list[dict[str, Any]] = document([])
    started_at: datetime = moment()
    changed_at: datetime = moment()


class MailDomain(SQLModel, table=True):
    """Which mailbox provider receives a domain's mail, by its mail exchangers, until `expires_at`.

    `exchangers` are MX names, most preferred first. `problem` says why they could not be found; `provider`
    is then a guess.
    """

    __tablename__ = "mail_domain"

    domain: str = Field(primary_key=True, max_length=253)
    provider: str = Field(max_length=60)
    exchangers: list[str] = document([])
    problem: str = Field(default="", max_length=200)
    looked_up_at: datetime = moment()
    expires_at: datetime = moment()
