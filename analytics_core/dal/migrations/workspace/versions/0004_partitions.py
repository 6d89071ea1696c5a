"""API calls by month on PostgreSQL: the table that was becomes what no month holds."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_PAGE = (
    *("user_id", "occurred_at", "method", "route", "status_code"),
    *("platform", "duration_bucket"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _partition()
        return
    # Takes triggers with it, too; the next refresh of rollups makes them again.
    with op.batch_alter_table("api_calls", recreate="always") as table:
        table.drop_constraint("pk_api_calls", type_="primary")
        table.create_primary_key("pk_api_calls", ["id", "occurred_at"])


def _partition() -> None:
    for event in ("insert", "update", "delete"):
        # Of a partition they would not fire; the next refresh of rollups makes them again.
        op.execute(f"DROP TRIGGER IF EXISTS mark_api_calls_{event} ON api_calls")
    op.rename_table("api_calls", "api_calls_other")
    op.drop_constraint("pk_api_calls", "api_calls_other")
    op.create_primary_key("pk_api_calls_other", "api_calls_other", ["id", "occurred_at"])
    op.execute("ALTER INDEX ix_api_calls_page RENAME TO ix_api_calls_other_page")
    op.execute(
        "ALTER TABLE api_calls_other RENAME CONSTRAINT fk_api_calls_user_id"
        " TO fk_api_calls_other_user_id"
    )
    op.execute(
        "CREATE TABLE api_calls (LIKE api_calls_other INCLUDING DEFAULTS)"
        " PARTITION BY RANGE (occurred_at)"
    )
    op.create_primary_key("pk_api_calls", "api_calls", ["id", "occurred_at"])
    op.create_foreign_key("fk_api_calls_user_id", "api_calls", "users", ["user_id"], ["id"])
    op.create_index("ix_api_calls_page", "api_calls", list(_PAGE))
    op.execute(sa.text("ALTER TABLE api_calls ATTACH PARTITION api_calls_other DEFAULT"))
