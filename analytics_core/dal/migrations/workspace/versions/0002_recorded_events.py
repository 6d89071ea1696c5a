"""Recorded events: which were counted, how things ended, and what the database would not take."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "recorded_events",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recorded_events"),
    )
    op.create_index("ix_recorded_events_occurred_at", "recorded_events", ["occurred_at"])
    op.create_table(
        "endings",
        sa.Column("noun", sa.String(8), nullable=False),
        sa.Column("noun_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(32)),
        sa.Column("processing_time", sa.Double()),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("noun", "noun_id", "user_id", name="pk_endings"),
    )
    op.create_index("ix_endings_occurred_at", "endings", ["occurred_at"])
    op.create_table(
        "set_aside_events",
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(64)),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("set_aside_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_set_aside_events"),
    )
    op.add_column(
        "recorded_renders",
        sa.Column("amounts_told", sa.Integer(), nullable=False, server_default="1"),
    )
