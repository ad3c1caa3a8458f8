"""Rejected rows that were staged before know no place and no end: releases of them need both.

Revision ID: 0028
"""

from alembic import op

revision = "0028"
down_revision = "0027"

STATEMENTS = (
    r"""
DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'staging' AND c.relkind = 'r' AND c.relname LIKE '%\_\_bad'
    LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS place bigint,'
            ' ADD COLUMN IF NOT EXISTS ended text', found);
    END LOOP;
END $$""",
)


def upgrade() -> None:
    """Give them the columns, empty: nothing of theirs has ended."""
    for statement in STATEMENTS:
        op.execute(statement)
