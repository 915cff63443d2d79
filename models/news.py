"""News from providers' webhooks, on its way into the evidence."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import choice, document, moment, primary_key
from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from models.values import Reply, Signal, Verdict


class NewsState(StrEnum):
    """WAITING for its turn or for its message to be known; APPLIED; UNMATCHED: led to nobody, given up."""

    WAITING = "waiting"
    APPLIED = "applied"
    UNMATCHED = "unmatched"


class News(SQLModel, table=True):
    """One piece of news from a provider, stored before the provider is answered, and once.

    `signal` is what it says (`signal_to_json`), `raw` its untouched original, `recipient` the address it is
    about; all are emptied once they are needed no more: the original is then in `incoming`, and goes with
    the person it is about. Until then it goes by `recipient`.
    """

    __tablename__ = "news"
    __table_args__ = (
        sa.UniqueConstraint("source", "source_id"),
        # Serves the job that applies what is due.
        sa.Index(
            "ix_news_due",
            "due_at",
            postgresql_where=sa.text("state = 'waiting'"),
            sqlite_where=sa.text("state = 'waiting'"),
        ),
        # Serves whoever erases a person of whom news waits.
        sa.Index(
            "ix_news_recipient",
            "recipient",
            postgresql_where=sa.text("state = 'waiting'"),
            sqlite_where=sa.text("state = 'waiting'"),
        ),
        # Serves the view of what led to nobody, and its clearing away.
        sa.Index("ix_news_state_received", "state", "received_at"),
    )

    id: int = primary_key()
    source: str = Field(max_length=40)
    source_id: str = Field(max_length=200)
    kind: EventKind = choice(EventKind)
    signal: dict[str, Any] = document()
    raw: bytes = Field(sa_type=sa.LargeBinary)
    recipient: str | None = Field(default=None, max_length=254)
    received_at: datetime = moment()
    due_at: datetime = moment()
    tries: int = 0
    state: NewsState = choice(NewsState, default=NewsState.WAITING)


class HookNonce(SQLModel, table=True):
    """A signed token that may serve one body only: some providers sign the token and not the content."""

    __tablename__ = "hook_nonce"

    source: str = Field(primary_key=True, max_length=40)
    nonce: str = Field(primary_key=True, max_length=128)
    digest: str = Field(max_length=64)
    seen_at: datetime = moment(index=True)


class HookTally(SQLModel, table=True):
    """How a provider's webhook has been called since it was set up, a row a provider.

    `told` counts pieces of news, those told again too; `forged` and `stale` calls that were refused.
    """

    __tablename__ = "hook_tally"

    source: str = Field(primary_key=True, max_length=40)
    told: int = Field(default=0, sa_type=sa.BigInteger)
    forged: int = Field(default=0, sa_type=sa.BigInteger)
    stale: int = Field(default=0, sa_type=sa.BigInteger)
    told_at: datetime | None = moment(nullable=True)
    refused_at: datetime | None = moment(nullable=True)


def signal_to_json(signal: Signal) -> dict[str, Any]:
    """What `signal_from_json` reads back; without the original, which has a column of its own."""
    reply, verdict = signal.reply, signal.verdict
    return {
        "kind": signal.kind.value,
        "channel": signal.channel.value,
        "source": signal.source,
        "source_id": signal.source_id,
        "at": signal.at.isoformat(),
        "delivery_id": signal.delivery_id,
        "provider_message_id": signal.provider_message_id,
        "recipient": signal.recipient,
        "reply": None if reply is None else [reply.code, reply.enhanced, reply.text],
        "verdict": None
        if verdict is None
        else [verdict.bounce_class.value, verdict.fault.value, verdict.permanence.value, verdict.rule],
        "details": dict(signal.details),
    }


def signal_from_json(kept: Mapping[str, Any], raw: bytes) -> Signal:
    """The signal as it was told."""
    verdict = kept["verdict"]
    return Signal(
        kind=EventKind(kept["kind"]),
        channel=Channel(kept["channel"]),
        source=kept["source"],
        source_id=kept["source_id"],
        at=datetime.fromisoformat(kept["at"]),
        delivery_id=kept["delivery_id"],
        provider_message_id=kept["provider_message_id"],
        recipient=kept["recipient"],
        reply=None if kept["reply"] is None else Reply(*kept["reply"]),
        verdict=None
        if verdict is None
        else Verdict(BounceClass(verdict[0]), Fault(verdict[1]), Permanence(verdict[2]), verdict[3]),
        details=dict(kept["details"]),
        raw=raw,
    )
