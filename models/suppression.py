"""Addresses that are not written to any more, kept as hashes so that the rule outlives the person's data."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, moment, primary_key
from models.states import Channel, SuppressionReason


def address_hash(channel: Channel, address: str) -> str:
    """The fingerprint of a normalised address: 64 hexadecimal digits of SHA-256.

    Not keyed: a suppression must hold on another installation and after the loss of every secret,
    since what it prevents is writing to somebody who objected (GDPR article 21).
    """
    [fingerprint] = address_hashes(channel, [address])
    return fingerprint or ""


def address_hashes(channel: Channel, addresses: Iterable[str | None]) -> list[str | None]:
    """The fingerprints of many addresses; None where there is none."""
    prefix, sha256 = f"tocsin/suppression/1:{channel.value}:".encode(), hashlib.sha256
    return [
        None if address is None else sha256(prefix + address.encode()).hexdigest() for address in addresses
    ]


class Suppression(SQLModel, table=True):
    """An address on a channel is not written to, for a reason, until a moment or for good.

    Lifted rows stay, with `lifted_at` and `lifted_why`, as the trace of the decision.
    """

    __tablename__ = "suppression"
    __table_args__ = (sa.Index("ix_suppression_hash", "address_hash", "channel"),)

    id: int = primary_key()
    channel: Channel = choice(Channel)
    address_hash: str = Field(max_length=64)
    reason: SuppressionReason = choice(SuppressionReason)
    evidence: str = Field(default="", max_length=500)
    event_id: int | None = Field(default=None, sa_type=BigId)
    created_at: datetime = moment()
    until: datetime | None = moment(nullable=True)
    lifted_at: datetime | None = moment(nullable=True)
    lifted_why: str = Field(default="", max_length=500)
