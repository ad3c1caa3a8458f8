"""Peaks of the audit log's beginnings, so that the proof of one entry does not walk all before it.

Revision ID: 0029
"""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Make the table, empty; housekeeping fills it for the log as it stands."""
    op.execute("CREATE TABLE ledger.audit_peaks (size bigint PRIMARY KEY, peaks bytea[] NOT NULL)")
    op.execute(
        "COMMENT ON TABLE ledger.audit_peaks IS 'peaks of the tree of the first `size` entries;"
        " they count only where their root is that of the signed checkpoint of this size'"
    )
