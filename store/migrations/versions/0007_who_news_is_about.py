"""News of providers: whom it is about, and how their webhooks were called.

Revision ID: 0007
Revises: 0006
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import models.columns

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("news", sa.Column("recipient", sa.String(length=254), nullable=True))
    address = (
        "signal ->> '$.recipient'" if op.get_bind().dialect.name == "sqlite" else "signal ->> 'recipient'"
    )
    op.execute(f"UPDATE news SET recipient = {address} WHERE state = 'waiting'")  # noqa: S608 - our own words
    op.create_index(
        "ix_news_recipient",
        "news",
        ["recipient"],
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "hook_tally",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("forged", sa.BigInteger(), nullable=False),
        sa.Column("stale", sa.BigInteger(), nullable=False),
        sa.Column("told_at", models.columns.UtcDateTime(timezone=True), nullable=True),
        sa.Column("refused_at", models.columns.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_hook_tally")),
    )


def downgrade() -> None:
    op.drop_table("hook_tally")
    op.drop_index("ix_news_recipient", "news")
    op.drop_column("news", "recipient")
