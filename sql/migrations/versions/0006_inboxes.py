"""Reconciliations of inboxes: rows that agree, rows past their retention, inboxes nobody can see.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = """
ALTER TABLE ledger.reconciliation
    ADD COLUMN agreeing bigint NOT NULL DEFAULT 0,
    ADD COLUMN lapsed bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT reconciliation_outcome_check,
    ADD CONSTRAINT reconciliation_outcome_check CHECK (outcome IN
        ('running', 'agreed', 'healed', 'open', 'held', 'failed', 'unjudged'));
COMMENT ON COLUMN ledger.reconciliation.agreeing IS
    'of an inbox: rows that are what they should be; agreeing / (agreeing + missing + differing +'
    ' extra) is the rate of agreement'
"""


def upgrade() -> None:
    """Widen the table of reconciliations."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
