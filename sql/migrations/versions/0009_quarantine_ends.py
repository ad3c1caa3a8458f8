"""Quarantined rows end when their record is right again, has gone, or is rejected anew.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = """
ALTER TABLE quarantine.record ADD COLUMN record_ref bytea;
ALTER TABLE quarantine.record ADD COLUMN first_reasons jsonb;
ALTER TABLE quarantine.record ADD COLUMN ended_by bigint REFERENCES ledger.transfer;
UPDATE quarantine.record SET first_reasons = reasons;
ALTER TABLE quarantine.record DROP CONSTRAINT record_status_check;
ALTER TABLE quarantine.record ADD CONSTRAINT record_status_check CHECK (status IN
    ('held', 'released', 'replayed', 'purged', 'mended', 'superseded', 'gone'));
CREATE INDEX record_key ON quarantine.record (dataset, record_ref) WHERE record_ref IS NOT NULL;
CREATE INDEX record_open ON quarantine.record (dataset, last_transfer)
    WHERE status IN ('held', 'purged');
COMMENT ON COLUMN quarantine.record.record_ref IS
    'digest of dataset and key values under the quarantine key of key_epoch; never a value';
COMMENT ON COLUMN quarantine.record.first_reasons IS
    'why it was rejected when it was first seen; a contract may call the rule something else since';
COMMENT ON COLUMN quarantine.record.ended_by IS
    'the collect that saw its record right again (mended), rejected with other values (superseded)'
    ' or no more in the source (gone)'
"""


def upgrade() -> None:
    """Let rejected rows be known by their record, and end."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
