"""Which databases the workspace has looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("identity", name="uq_sources_identity"),
    )
