"""What people did with us elsewhere: a meeting, a sign-up, a door that opened."""

import re
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import NUMBERED_ONCE, BigId, document, moment, primary_key
from models.text import fold

KIND_LENGTH: Final = 60


def kind_key(label: str) -> str:
    """What a kind is known by, however it is written: folded, letters and digits alone, single blanks.

    Empty when the label says nothing.
    """
    return " ".join(re.sub(r"[\W_]+", " ", fold(label)).split())[:KIND_LENGTH].strip()


class Interaction(SQLModel, table=True):
    """One thing one person did, told by a field app, a web site or a CRM.

    `kind` is `kind_key` of what the teller calls it (`meeting attended`), `label` how it was written.
    The same `external_id` of the same `source` is the same row. `contact_id` is a contact's number,
    unchecked: see `store.cascade`.
    """

    __tablename__ = "interaction"
    __table_args__ = (
        sa.Index("ix_interaction_contact_id", "contact_id", "kind", "at"),
        # Serves segments: who did this lately.
        sa.Index("ix_interaction_kind", "kind", "at", "contact_id"),
        sa.Index(
            "uq_interaction_external_id",
            "source",
            "external_id",
            unique=True,
            postgresql_where=sa.text("external_id IS NOT NULL"),
            sqlite_where=sa.text("external_id IS NOT NULL"),
        ),
        NUMBERED_ONCE,
    )

    id: int = primary_key()
    contact_id: int = Field(sa_type=BigId)
    kind: str = Field(max_length=KIND_LENGTH)
    label: str = Field(max_length=KIND_LENGTH)
    at: datetime = moment()
    source: str = Field(default="", max_length=100)
    external_id: str | None = Field(default=None, max_length=200)
    details: dict[str, str] = document()
    recorded_at: datetime = moment()
