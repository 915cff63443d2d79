"""What was on the outside of mails from outside, and those that were set aside unread.

Revision ID: 0008
Revises: 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for name, kind, nothing in (
        ("way", sa.String(length=10), ""),
        ("sender", sa.String(length=320), ""),
        ("recipients", sa.Text(), ""),
        ("problem", sa.String(length=500), ""),
        ("tries", sa.Integer(), "0"),
    ):
        op.add_column("incoming", sa.Column(name, kind, nullable=False, server_default=nothing))
    op.create_index(
        "ix_incoming_aside",
        "incoming",
        ["id"],
        postgresql_where=sa.text("tries > 0"),
        sqlite_where=sa.text("tries > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_incoming_aside", "incoming")
    for name in ("tries", "problem", "recipients", "sender", "way"):
        op.drop_column("incoming", name)
