"""The bounce mailbox: how far it was read.

Revision ID: 0006
Revises: 0004
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import models.columns

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "polled_mailbox",
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("recorded", sa.Integer(), nullable=False),
        sa.Column("left_alone", sa.Integer(), nullable=False),
        sa.Column("checked_at", models.columns.UtcDateTime(timezone=True), nullable=True),
        sa.Column("news_at", models.columns.UtcDateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_polled_mailbox")),
    )


def downgrade() -> None:
    op.drop_table("polled_mailbox")
