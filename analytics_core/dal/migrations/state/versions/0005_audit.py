"""The audit log, which is only added to, and the keys of those who stand in it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# An instant is microseconds since 1970 on SQLite; see dal.tables.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
LOG = "followed_audit_log"


def upgrade() -> None:
    op.create_table(
        LOG,
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("whose", sa.Text(), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_followed_audit_log"),
    )
    op.create_index("ix_followed_audit_log_at", LOG, ["at"])
    op.create_table(
        "followed_audit_people",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("source", "user_id", name="pk_followed_audit_people"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {LOG}_{event.lower()} BEFORE {event} ON {LOG} BEGIN"
                " SELECT RAISE(ABORT, 'the audit log is only added to'); END"
            )
        return
    op.execute(
        f"CREATE OR REPLACE FUNCTION refuse_{LOG}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'the audit log is only added to'; END $$"
    )
    for event, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER refuse_{LOG}_{each.lower()} BEFORE {event} ON {LOG}"
            f" FOR EACH {each} EXECUTE FUNCTION refuse_{LOG}()"
        )
    # Of its owner too, who has to mean it to get it back.
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {LOG} FROM CURRENT_USER")
