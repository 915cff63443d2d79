"""Whom we tell what happens: subscriptions of programs, and what was posted to each."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.api import KeyMode
from models.columns import NUMBERED_ONCE, BigId, choice, document, foreign_key, moment, primary_key


class EndpointState(StrEnum):
    """ENABLED; DISABLED by a person, by its own 410, or after days without one success."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class WebhookEndpoint(SQLModel, table=True):
    """An address that hears of events (Standard Webhooks 1.0). Empty `event_types`: of all.

    `sealed_secret` is encrypted (`models.keyring`); while it is changed, `sealed_before` signs as well, until
    `before_until`. `reason` says why it is disabled; `failing_since`: the first failure since it last worked;
    `resting_until`: it is left alone until then, since it failed or asked for it.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = NUMBERED_ONCE

    id: int = primary_key()
    url: str = Field(max_length=1000)
    description: str = Field(default="", max_length=200)
    mode: KeyMode = choice(KeyMode)
    event_types: list[str] = document([])
    sealed_secret: str = Field(max_length=500)
    sealed_before: str = Field(default="", max_length=500)
    before_until: datetime | None = moment(nullable=True)
    state: EndpointState = choice(EndpointState, default=EndpointState.ENABLED)
    reason: str = Field(default="", max_length=300)
    failing_since: datetime | None = moment(nullable=True)
    resting_until: datetime | None = moment(nullable=True)
    worked_at: datetime | None = moment(nullable=True)
    created_by: str = Field(default="", max_length=254)
    created_at: datetime = moment()


class NoticeState(StrEnum):
    """PENDING until DELIVERED, or FAILED once every try was in vain."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookNotice(SQLModel, table=True):
    """One event told, or to be told, to one endpoint. `webhook_id` stays the same in every try.

    `body` is what is posted, octet for octet; `next_at`: when it is tried (again). Who tries it holds it
    until `leased_until`, the moment that fences: whoever records the outcome must still hold it. `contact_id`
    is whom it is about: it goes with them (`store.erasure`).
    """

    __tablename__ = "webhook_notice"
    __table_args__ = (
        sa.UniqueConstraint("endpoint_id", "webhook_id"),
        # Serves whoever posts: what is due of one endpoint, the oldest first.
        sa.Index(
            "ix_webhook_notice_due",
            "endpoint_id",
            "next_at",
            "id",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        ),
        sa.Index("ix_webhook_notice_endpoint_id", "endpoint_id", "id"),
        sa.Index("ix_webhook_notice_created_at", "created_at"),
        # Serves the erasure of a person.
        sa.Index(
            "ix_webhook_notice_contact",
            "contact_id",
            postgresql_where=sa.text("contact_id IS NOT NULL"),
            sqlite_where=sa.text("contact_id IS NOT NULL"),
        ),
    )

    id: int = primary_key()
    endpoint_id: int = foreign_key("webhook_endpoint.id", cascade=True)
    webhook_id: str = Field(max_length=80)
    event_type: str = Field(max_length=60)
    contact_id: int | None = Field(default=None, sa_type=BigId)
    body: str = Field(sa_type=sa.Text)
    state: NoticeState = choice(NoticeState, default=NoticeState.PENDING)
    attempts: int = 0
    next_at: datetime = moment()
    leased_until: datetime | None = moment(nullable=True)
    status: int | None = None
    problem: str = Field(default="", max_length=300)
    milliseconds: int | None = None
    created_at: datetime = moment()
    delivered_at: datetime | None = moment(nullable=True)


class WebhookOutbox(SQLModel, table=True):
    """Something that somebody subscribed to, noted by a trigger in the transaction that wrote it.

    `subject_id` is the number of the event; of a campaign where `event_type` says so, with the moment `at` it
    came to that (`models.webhook_types`). The rows go as they become notices (`store.webhook_triggers`).
    """

    __tablename__ = "webhook_outbox"

    id: int = primary_key()
    event_type: str = Field(max_length=60)
    mode: KeyMode = choice(KeyMode)
    subject_id: int = Field(sa_type=BigId)
    at: datetime | None = moment(nullable=True)
