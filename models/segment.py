"""Named rules over contacts."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import document, moment, primary_key


class Segment(SQLModel, table=True):
    """A rule kept both as people write it (`text`) and as a typed tree (`tree`, which has a version)."""

    __tablename__ = "segment"

    id: int = primary_key()
    name: str = Field(unique=True, max_length=200)
    text: str
    tree: dict[str, Any] = document()
    created_at: datetime = moment()
    updated_at: datetime = moment()
