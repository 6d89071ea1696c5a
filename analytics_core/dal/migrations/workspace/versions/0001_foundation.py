"""The foundation: what pages read, and the daily aggregate that recording keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")

# What a render is, in one number; see dal.facets.
FACETS = """
    CAST(
        CASE
            WHEN (type = 'image') THEN 1
            WHEN (type = 'video') THEN 2
            ELSE 0
            END
        + CASE
            WHEN (status = 'completed') THEN 10
            WHEN (status = 'failed') THEN 20
            WHEN (status = 'pending') THEN 30
            WHEN (status = 'processing') THEN 40
            ELSE 0
            END
        + CASE
            WHEN (quality = 'standard') THEN 100
            WHEN (quality = 'high') THEN 200
            WHEN (quality = 'ultra') THEN 300
            ELSE 0
            END
        + CASE
            WHEN (source_platform != '') THEN 1000
            WHEN (platform = 'tools') THEN 2000
            WHEN (platform = 'canvas') THEN 3000
            WHEN (platform = 'web') THEN 4000
            ELSE 0
            END
    AS SMALLINT)
"""


def upgrade() -> None:
    op.create_table(
        "recorded_renders",
        sa.Column("render_id", sa.String(64), nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("render_id", name="pk_recorded_renders"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255)),
        sa.Column("zone", sa.String(64)),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("last_login_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "account_activity",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_activity"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_account_activity_user_id"),
    )
    op.create_index(
        "ix_account_activity_page", "account_activity", ["user_id", "event", "created_at"]
    )
    op.create_table(
        "api_calls",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("route", sa.String(255), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("duration_bucket", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(64)),
        sa.Column("plugin_version", sa.String(64)),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_calls"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_calls_user_id"),
    )
    op.create_index(
        "ix_api_calls_page",
        "api_calls",
        ["user_id", "occurred_at", "method", "route", "status_code", "platform", "duration_bucket"],
    )
    op.create_table(
        "credit_transactions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("reference_id", sa.String(64)),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credit_transactions"),
        sa.CheckConstraint("amount > 0", name="amount_is_positive"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_credit_transactions_user_id"),
    )
    op.create_index(
        "ix_credit_transactions_page",
        "credit_transactions",
        ["user_id", "created_at", "kind", "category", "amount"],
    )
    op.create_table(
        "files",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_files_user_id"),
    )
    op.create_index(
        "ix_files_page", "files", ["user_id", "created_at", "media_type", "size", "deleted_at"]
    )
    op.create_table(
        "plugin_api_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("key_hash", sa.String(128), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plugin_api_keys"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_plugin_api_keys_user_id"),
        sa.UniqueConstraint("key_hash", name="uq_plugin_api_keys_key_hash"),
    )
    op.create_index("ix_plugin_api_keys_user_id", "plugin_api_keys", ["user_id"])
    op.create_table(
        "projects",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_projects_user_id"),
    )
    op.create_index(
        "ix_projects_page", "projects", ["user_id", "created_at", "status", "platform", "id"]
    )
    op.create_table(
        "usage_tracking",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("renders_created", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("credits_spent", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("api_calls", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("storage_used", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("user_id", "date", name="pk_usage_tracking"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_usage_tracking_user_id"),
    )
    op.create_table(
        "renders",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(64)),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("quality", sa.String(32)),
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("source_platform", sa.String(64)),
        sa.Column("plugin_version", sa.String(64)),
        sa.Column("credits_cost", sa.Integer(), nullable=False),
        sa.Column("processing_time", sa.Double()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("facets", sa.SmallInteger(), sa.Computed(FACETS, persisted=True)),
        sa.PrimaryKeyConstraint("id", name="pk_renders"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_renders_project_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_renders_user_id"),
    )
    op.create_index(
        "ix_renders_plugin",
        "renders",
        ["user_id", "created_at", "source_platform"],
        postgresql_where=sa.text("source_platform <> ''"),
        sqlite_where=sa.text("source_platform <> ''"),
    )
    op.create_index(
        "ix_renders_page",
        "renders",
        [
            "user_id",
            "created_at",
            "facets",
            "processing_time",
            "credits_cost",
            "project_id",
        ],
    )
