"""Reconciliations: what each found and did, and keys that a source has not any more.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = """
CREATE TABLE ledger.reconciliation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('dataset', 'agreement')),
    subject text NOT NULL,
    hub_time timestamptz NOT NULL,
    since timestamptz,
    method text NOT NULL DEFAULT '' CHECK (method IN ('', 'sql', 'stream')),
    buckets bigint NOT NULL DEFAULT 0,
    rows_hub bigint NOT NULL DEFAULT 0,
    rows_other bigint NOT NULL DEFAULT 0,
    missing bigint NOT NULL DEFAULT 0,
    extra bigint NOT NULL DEFAULT 0,
    differing bigint NOT NULL DEFAULT 0,
    waiting bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    healed bigint NOT NULL DEFAULT 0,
    tombstoned bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    outcome text NOT NULL DEFAULT 'running' CHECK (outcome IN
        ('running', 'agreed', 'healed', 'open', 'held', 'failed')),
    refs jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
);
CREATE INDEX reconciliation_subject ON ledger.reconciliation (subject, id DESC);
COMMENT ON COLUMN ledger.reconciliation.refs IS
    'the first keys of each kind as keyed references (hex), never values';

CREATE TABLE ledger.absence (
    dataset text NOT NULL,
    record_ref bytea NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen_by bigint NOT NULL REFERENCES ledger.reconciliation,
    PRIMARY KEY (dataset, record_ref)
);
COMMENT ON TABLE ledger.absence IS
    'published rows that the source did not have when it was last compared, by keyed reference'
"""


def upgrade() -> None:
    """Create the tables of reconciliation."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
