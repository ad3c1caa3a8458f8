"""Releases by finding: a person vouches for what held a transfer, and for nothing else.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0005"

STATEMENTS = """
ALTER TABLE ledger.release ADD COLUMN finding text NOT NULL DEFAULT '';
ALTER TABLE ledger.release DROP CONSTRAINT release_pkey;
ALTER TABLE ledger.release ADD PRIMARY KEY (transfer, finding);
COMMENT ON COLUMN ledger.release.finding IS
    'the failed critical expectation that a held collect may be published with; empty: a delivery'
"""


def upgrade() -> None:
    """Let a held collect be released, by its findings."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
