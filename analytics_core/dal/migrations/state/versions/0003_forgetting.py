"""Who was forgotten of products' databases."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "followed_tombstones",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("forgotten_at", INSTANT, nullable=False),
        sa.Column("forgotten_by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("source", "digest", name="pk_followed_tombstones"),
    )
    op.create_table(
        "followed_tombstone_keys",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_followed_tombstone_keys"),
    )
