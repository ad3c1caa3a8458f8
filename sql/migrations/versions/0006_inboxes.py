"""Reconciliations of inboxes; deletes that consumers are told of.

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
ALTER TABLE ledger.transfer ADD COLUMN deleted_rows bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.transfer.deleted_rows IS
    'rows, beside sent_rows, that the consumer was told to drop';
COMMENT ON COLUMN ledger.reconciliation.agreeing IS
    'of an inbox: rows that are what they should be; agreeing / (agreeing + missing + differing +'
    ' extra) is the rate of agreement'
"""


def upgrade() -> None:
    """Widen the tables of reconciliations and transfers."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
