"""Audit entries of which there are very many keep their hash as bytes, beside their text.

Revision ID: 0023
"""

from alembic import op

revision = "0023"
down_revision = "0022"

STATEMENTS = (
    "ALTER TABLE ledger.audit ADD COLUMN hash bytea CHECK (octet_length(hash) = 32)",
    (
        "COMMENT ON COLUMN ledger.audit.hash IS 'where it is given, body has the character 1 in"
        " place of its hexadecimal digits, and 2 in place of the subject; what is signed is the"
        " whole text'"
    ),
)


def upgrade() -> None:
    """Let entries have a hash of their own; those that are there stay as they are."""
    for statement in STATEMENTS:
        op.execute(statement)
