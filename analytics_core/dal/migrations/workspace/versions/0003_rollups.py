"""Rollups: whose rows are kept added up, the cells, and what changed since."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rolled_users",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("noun", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("source", "noun", "user_id", name="pk_rolled_users"),
    )
    op.create_table(
        "rollup_cells",
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
            *("source", "user_id", "dimension", "width", "start", "member"), name="pk_rollup_cells"
        ),
    )
    op.create_table(
        "rollup_marks",
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
        sa.PrimaryKeyConstraint("id", name="pk_rollup_marks"),
    )
    op.create_index("ix_rollup_marks_page", "rollup_marks", ["source", "user_id", "noun", "day"])
