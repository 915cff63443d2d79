"""The jobs of many workers: the tables of the job engine, on PostgreSQL alone, in a schema of their own.

They are procrastinate's, made by what the installed package brings along (3.10). SQLite has one process,
which keeps its jobs in memory.

Revision ID: 0003
Revises: 0002
"""

from collections.abc import Sequence
from importlib import resources

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCHEMA = "engine"


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    tables = resources.files("procrastinate.sql").joinpath("schema.sql").read_text(encoding="utf-8")
    usual = bind.scalar(sa.text("SHOW search_path"))
    op.execute(f"CREATE SCHEMA {SCHEMA}")
    op.execute(f"SET LOCAL search_path = {SCHEMA}")
    bind.exec_driver_sql(tables.replace("%", "%%"))
    op.execute(f"SET LOCAL search_path = {usual}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
