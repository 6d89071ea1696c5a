"""Rollups have cells of a quarter of a day: those that are kept are made again."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # What was never followed is looked at as a whole; until then rows are read.
    for table in ("followed_users", "followed_cells", "followed_marks", "followed_nouns"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - our names
