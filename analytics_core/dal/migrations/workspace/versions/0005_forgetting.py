"""Who was forgotten, and since which day records of a kind are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tombstones",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("forgotten_at", INSTANT, nullable=False),
        sa.Column("forgotten_by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("source", "digest", name="pk_tombstones"),
    )
    op.create_table(
        "tombstone_keys",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_tombstone_keys"),
    )
    op.create_table(
        "horizons",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_horizons"),
    )
