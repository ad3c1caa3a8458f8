"""Alembic environment: runs migrations on the connection that `onecard.store.migrate` passes."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    version_table_schema="ledger",
)
with context.begin_transaction():
    context.run_migrations()
