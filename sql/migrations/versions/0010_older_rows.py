"""Reconciliations count rows that are older at the source than what is published.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = """
ALTER TABLE ledger.reconciliation ADD COLUMN older bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.reconciliation.older IS
    'rows of the source that are older than the published ones; only a person lets them replace'
"""


def upgrade() -> None:
    """Count them apart from those that differ."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
