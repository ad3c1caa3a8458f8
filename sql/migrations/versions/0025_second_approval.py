"""An agreement's life knows the first of two approvals, and that it was taken back.

Revision ID: 0025
"""

from alembic import op

revision = "0025"
down_revision = "0024"

STATEMENTS = (
    "ALTER TABLE ledger.agreement_event DROP CONSTRAINT agreement_event_event_check",
    """
ALTER TABLE ledger.agreement_event ADD CONSTRAINT agreement_event_event_check
    CHECK (event IN ('approved', 'suspended', 'endorsed', 'withdrawn'))""",
    (
        "COMMENT ON COLUMN ledger.agreement_event.event IS"
        " 'endorsed: approved by the first of two people; nothing leaves by it'"
    ),
)


def upgrade() -> None:
    """Let the two new events in."""
    for statement in STATEMENTS:
        op.execute(statement)
