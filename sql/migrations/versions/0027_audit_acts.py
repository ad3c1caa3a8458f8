"""Single acts are found in the audit log by their kind and subject, and not by reading all of it.

Revision ID: 0027
"""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Order the entries of a few kinds that pages look for; entries of other kinds cost nothing."""
    op.execute(
        "CREATE INDEX audit_acts ON ledger.audit (kind, subject, seq) WHERE kind IN"
        " ('incident.closed', 'reconcile.agreed', 'reconcile.healed', 'reconcile.open',"
        " 'handback.confirmed', 'records.expired')"
    )
