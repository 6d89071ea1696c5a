"""Rollups have cells of a quarter of a day: those that are kept are made again."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Nobody's mark has the next refresh look for who is worth it; until then rows are read.
    op.execute(
        "INSERT INTO rollup_marks (source, noun, user_id, day)"
        " SELECT source, noun, '', '1970-01-01' FROM rolled_users GROUP BY source, noun"
    )
    op.execute("DELETE FROM rolled_users")
    op.execute("DELETE FROM rollup_cells")
