"""The processes that send: who works, since when, when each was last heard of, and for which database."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import BigId, document, moment


class Worker(SQLModel, table=True):
    """One sending process. `id` begins every claim token it gives out; `seen_at` is its heartbeat.

    `obstacles`: what kept identities from sending when this worker last tried, each [identity, channel,
    sentence or nothing, moment].
    """

    __tablename__ = "worker"

    id: str = Field(primary_key=True, max_length=16)
    host: str = Field(max_length=253)
    pid: int
    role: str = Field(default="worker", max_length=20)
    version: str = Field(default="", max_length=40)
    started_at: datetime = moment()
    seen_at: datetime = moment(index=True)
    stopped_at: datetime | None = moment(nullable=True)
    obstacles: list[list[Any]] = document([])


class Turn(SQLModel, table=True):
    """Work that one worker has taken: `launch:7`, `drain:3:orange:0`. It holds while its worker is alive."""

    __tablename__ = "turn"

    key: str = Field(primary_key=True, max_length=120)
    worker_id: str = Field(max_length=16)
    since: datetime = moment()


class Installation(SQLModel, table=True):
    """Which database this is, in one row: what is kept beside it as files names it, lest it be mixed up."""

    __tablename__ = "installation"

    id: int = Field(default=1, primary_key=True)
    key: str = Field(max_length=32)
    made_at: datetime = moment()


class NumbersUsed(SQLModel, table=True):
    """Up to which number a table has given numbers whose rows are gone since: SQLite would give them again.

    Programs keep the ids of people they have erased, and of segments; none of these may ever mean another.
    """

    __tablename__ = "numbers_used"

    table_name: str = Field(primary_key=True, max_length=60)
    number: int = Field(sa_type=BigId)
