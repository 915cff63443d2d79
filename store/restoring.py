"""What has to happen to a ledger that comes out of a backup before anybody works with it.

It does not know what left after the backup was made, nor who unsubscribed. So nothing may leave by itself:
every campaign that could is paused, in the same step that brings the ledger back, and says why. And it gets
a number of its own: journals beside it tell of the ledger as it went on, and what they have forgotten since
must not be taken for never sent.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col

import store.tables  # noqa: F401 - registers every table
from models.campaign import Campaign
from models.states import CampaignState
from models.worker import Installation

UNDER_WAY = (CampaignState.SCHEDULED, CampaignState.LAUNCHING, CampaignState.SENDING)
FIRST_REVISION = "0001"
"""Its tables knew of no installation."""
BOOKKEEPING = "alembic_version"


def restored_problem(made_at: datetime) -> str:
    """What a campaign says of itself after a restore."""
    return (
        f"Restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC. What left after that, and who unsubscribed,"
        " is not known here: look into the logs of the mail server before you resume it, or people may get"
        " it twice."
    )


def _precautions(made_at: datetime, revision: str) -> Sequence[sa.Update | sa.Delete]:
    pause = (
        sa.update(Campaign)
        .where(col(Campaign.state).in_(UNDER_WAY))
        .values(state=CampaignState.PAUSED, problem=restored_problem(made_at))
    )
    return (pause,) if revision == FIRST_REVISION else (pause, sa.delete(Installation))


def take_precautions(file: Path, made_at: datetime, revision: str) -> None:
    """The same on an SQLite file that nobody has opened yet."""
    engine = sa.create_engine(f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            for statement in _precautions(made_at, revision):
                connection.execute(statement)
    finally:
        engine.dispose()


def written_precautions(made_at: datetime, revision: str) -> str:
    """The precautions as PostgreSQL reads them."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return "".join(
        f"{statement.compile(dialect=dialect, compile_kwargs={'literal_binds': True})};\n"
        for statement in _precautions(made_at, revision)
    )


def written_clearance(engine_schema: str) -> str:
    """What makes room for a ledger on PostgreSQL: every table of this version's dropped, and no others."""
    names = [BOOKKEEPING, *(table.name for table in SQLModel.metadata.sorted_tables)]
    listed = ", ".join(f'"{name}"' for name in names)
    return f"DROP SCHEMA IF EXISTS {engine_schema} CASCADE;\nDROP TABLE IF EXISTS {listed} CASCADE;\n"
