"""A request that is repeated is found by its caller and id, however many calls are on record.

Revision ID: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"

STATEMENTS = """
ALTER TABLE ledger.question DROP CONSTRAINT question_month_caller_request_id_key;
ALTER TABLE ledger.question ADD CONSTRAINT question_request UNIQUE (caller, request_id, month)
"""
"""The same rule; its index began with the month, which a repetition does not name."""


def upgrade() -> None:
    """Turn the order of the index's columns."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
