"""Releases by finding, and how many rows a source holds.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = """
ALTER TABLE ledger.release ADD COLUMN finding text NOT NULL DEFAULT '';
ALTER TABLE ledger.release DROP CONSTRAINT release_pkey;
ALTER TABLE ledger.release ADD PRIMARY KEY (transfer, finding);
COMMENT ON COLUMN ledger.release.finding IS
    'the failed critical expectation that a held collect may be published with; empty: a delivery';

ALTER TABLE ledger.transfer ADD COLUMN source_rows bigint;
COMMENT ON COLUMN ledger.transfer.source_rows IS
    'rows that the source held when it was read: read whole, or counted; NULL where nobody knows'
"""


def upgrade() -> None:
    """Let a held collect be released by its findings; remember what sources hold."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
