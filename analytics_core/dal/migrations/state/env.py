"""Alembic's entry: runs within the transaction that `dal.schema.upgrade` opened."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes["schema"].metadata,
    version_table=attributes["schema"].version_table,
)
context.run_migrations()
