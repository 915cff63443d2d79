"""The evidence: what happened, append-only, each piece once."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final, Protocol

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, foreign_key, moment, primary_key
from models.states import BounceClass, EventKind, Fault, Permanence
from models.values import Reply, Verdict

IMPERSONAL: Final = (
    "action",
    "by",
    "cause",
    "decision",
    "event",
    "feedback_type",
    "folder",
    "keyword",
    "machine",
    "moved_from",
    "proof",
    "status",
    "tab",
    "to",
    "via",
)
"""Details of an event that are words of ours or of a standard: they stay when the person is erased."""


class Event(SQLModel, table=True):
    """One thing that happened to one delivery. Reports count these rows and nothing else.

    (`source`, `source_id`) is unique: the same news arriving again changes nothing. Campaign, identity,
    provider and whether it was a seed are repeated here so that a report needs no join. `at` is when it
    happened by the source's account, `recorded_at` when we learnt it.
    """

    __tablename__ = "event"
    __table_args__ = (
        sa.UniqueConstraint("source", "source_id"),
        # Serves the reports: everything of a campaign, grouped.
        sa.Index("ix_event_campaign_kind", "campaign_id", "kind", "identity_id", "provider"),
    )

    id: int = primary_key()
    delivery_id: int | None = foreign_key("delivery.id", nullable=True, index=True)
    campaign_id: int | None = foreign_key("campaign.id", nullable=True)
    identity_id: int | None = foreign_key("identity.id", nullable=True)
    contact_id: int | None = Field(default=None, sa_type=BigId, index=True)
    provider: str = Field(default="", max_length=60)
    seed: bool = False
    kind: EventKind = choice(EventKind)
    permanence: Permanence | None = choice(Permanence, nullable=True)
    bounce_class: BounceClass | None = choice(BounceClass, nullable=True)
    fault: Fault | None = choice(Fault, nullable=True)
    rule: str = Field(default="", max_length=100)
    code: int | None = None
    enhanced: str | None = Field(default=None, max_length=12)
    text: str = Field(default="", max_length=2000)
    link_index: int | None = None
    source: str = Field(max_length=40)
    source_id: str = Field(max_length=200)
    details: dict[str, str] = document()
    at: datetime = moment()
    recorded_at: datetime = moment()


@dataclass(slots=True)
class Entry:
    """An event before it is written, in a tenth of the time that making a row takes; `id`: 0 until then."""

    kind: EventKind
    source: str
    source_id: str
    at: datetime
    recorded_at: datetime
    delivery_id: int | None = None
    campaign_id: int | None = None
    identity_id: int | None = None
    contact_id: int | None = None
    provider: str = ""
    seed: bool = False
    permanence: Permanence | None = None
    bounce_class: BounceClass | None = None
    fault: Fault | None = None
    rule: str = ""
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    link_index: int | None = None
    details: dict[str, str] = field(default_factory=dict)
    id: int = 0


_WRITTEN: Final = tuple(one.name for one in fields(Entry) if one.name != "id")


class Subject(Protocol):
    """What an event repeats of the delivery it is about."""

    @property
    def id(self) -> int: ...  # noqa: D102 - as in models.delivery
    @property
    def campaign_id(self) -> int: ...  # noqa: D102
    @property
    def identity_id(self) -> int: ...  # noqa: D102
    @property
    def contact_id(self) -> int | None: ...  # noqa: D102
    @property
    def seed_id(self) -> int | None: ...  # noqa: D102
    @property
    def provider(self) -> str: ...  # noqa: D102


def event_about(
    delivery: Subject,
    kind: EventKind,
    *,
    source: str,
    source_id: str,
    at: datetime,
    now: datetime,
    reply: Reply | None = None,
    verdict: Verdict | None = None,
) -> Event:
    """The row that says that `kind` happened to `delivery`, as `source` tells it."""
    entry = entry_about(
        delivery, kind, source=source, source_id=source_id, at=at, now=now, reply=reply, verdict=verdict
    )
    return Event(**{name: getattr(entry, name) for name in _WRITTEN})


def entry_about(
    delivery: Subject,
    kind: EventKind,
    *,
    source: str,
    source_id: str,
    at: datetime,
    now: datetime,
    reply: Reply | None = None,
    verdict: Verdict | None = None,
) -> Entry:
    """`event_about`, for those who write many at once."""
    return Entry(
        delivery_id=delivery.id,
        campaign_id=delivery.campaign_id,
        identity_id=delivery.identity_id,
        contact_id=delivery.contact_id,
        provider=delivery.provider,
        seed=delivery.seed_id is not None,
        kind=kind,
        permanence=verdict.permanence if verdict else None,
        bounce_class=verdict.bounce_class if verdict else None,
        fault=verdict.fault if verdict else None,
        rule=verdict.rule if verdict else "",
        code=reply.code if reply else None,
        enhanced=reply.enhanced if reply else None,
        text=reply.text[:2000] if reply else "",
        source=source,
        source_id=source_id,
        at=at,
        recorded_at=now,
    )


class Incoming(SQLModel, table=True):
    """The untouched original of news from outside, kept so that a better rule can read it again.

    `matched` tells whether it led to a delivery or a person, `contact_id` to whom: it goes with them. What
    was on the outside of a mail stands beside it: the `way` it came by, the `sender` and the `recipients` of
    its envelope, one a line. `problem` says why one was set aside unread, after so many `tries`.
    """

    __tablename__ = "incoming"
    __table_args__ = (
        sa.UniqueConstraint("source", "source_id"),
        # Serves the erasure of a person.
        sa.Index(
            "ix_incoming_contact",
            "contact_id",
            postgresql_where=sa.text("contact_id IS NOT NULL"),
            sqlite_where=sa.text("contact_id IS NOT NULL"),
        ),
        # Serves whoever looks at what was set aside.
        sa.Index(
            "ix_incoming_aside",
            "id",
            postgresql_where=sa.text("tries > 0"),
            sqlite_where=sa.text("tries > 0"),
        ),
    )

    id: int = primary_key()
    source: str = Field(max_length=40)
    source_id: str = Field(max_length=200)
    received_at: datetime = moment()
    matched: bool = False
    way: str = Field(default="", max_length=10)
    sender: str = Field(default="", max_length=320)
    recipients: str = Field(default="", sa_type=sa.Text)
    problem: str = Field(default="", max_length=500)
    tries: int = 0
    contact_id: int | None = Field(default=None, sa_type=BigId)
    raw: bytes = Field(sa_type=sa.LargeBinary)
