"""Rollups of products' databases: the same, and how far each has been followed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "followed_users",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("noun", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("source", "noun", "user_id", name="pk_followed_users"),
    )
    op.create_table(
        "followed_cells",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("dimension", sa.String(32), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("start", INSTANT, nullable=False),
        sa.Column("member", sa.String(300), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric().with_variant(sa.BigInteger(), "sqlite"), nullable=False),
        sa.Column("timed", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("source", "user_id", "dimension", "width", "start", "member"),
            name="pk_followed_cells",
        ),
    )
    op.create_table(
        "followed_marks",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("noun", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_followed_marks"),
    )
    op.create_index(
        "ix_followed_marks_page", "followed_marks", ["source", "user_id", "noun", "day"]
    )

    op.create_table(
        "followed_nouns",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("noun", sa.String(32), nullable=False),
        sa.Column("seen_until", INSTANT, nullable=False),
        sa.Column("looked_at", INSTANT, nullable=False),
        sa.Column("reconciled_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("source", "noun", name="pk_followed_nouns"),
    )
