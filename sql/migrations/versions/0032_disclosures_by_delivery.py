"""Disclosures stand in the order of their deliveries, so that a delivery only appends.

Revision ID: 0032
"""

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Begin the key with the delivery; a look-up asks for one bucket of each (ADR 0065)."""
    op.execute("ALTER TABLE ledger.disclosure DROP CONSTRAINT disclosure_pkey")
    op.execute("ALTER TABLE ledger.disclosure ADD PRIMARY KEY (transfer, bucket, part, month)")
