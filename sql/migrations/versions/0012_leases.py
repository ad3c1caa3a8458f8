"""Several processes share the live lane's work by leases with fencing tokens.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = """
CREATE TABLE ledger.lease (
    name text PRIMARY KEY,
    holder text NOT NULL,
    fence bigint NOT NULL DEFAULT 1,
    until timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL
);
COMMENT ON TABLE ledger.lease IS
    'who does which work of the live lane, by this database''s clock; a line each process too';
COMMENT ON COLUMN ledger.lease.fence IS
    'grows whenever the holder changes: what an earlier holder has in hand is refused by it'
"""


def upgrade() -> None:
    """Make the table of leases."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
