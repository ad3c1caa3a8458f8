"""A collect may be read in partitions, each by a worker of its own.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = """
CREATE TABLE ledger.partition_plan (
    transfer bigint PRIMARY KEY REFERENCES ledger.transfer,
    parts integer NOT NULL,
    whole boolean NOT NULL,
    mark text NOT NULL,
    contract text NOT NULL,
    apart text NOT NULL
);
COMMENT ON TABLE ledger.partition_plan IS
    'collects whose source is read in partitions; contract: SHA-256 of the contract as it is read;'
    ' apart: why it must be read in one after all';
CREATE TABLE ledger.partition (
    transfer bigint NOT NULL REFERENCES ledger.partition_plan,
    number integer NOT NULL,
    attempt bigint,
    attempts bigint[] NOT NULL DEFAULT '{}',
    begun_by text NOT NULL DEFAULT '',
    begun_at timestamptz,
    done_at timestamptz,
    outcome jsonb,
    PRIMARY KEY (transfer, number)
);
COMMENT ON COLUMN ledger.partition.attempt IS
    'fencing: only what this attempt has staged counts; out of the sequence of transfers';
COMMENT ON COLUMN ledger.partition.attempts IS 'all of them, the newest last';
COMMENT ON COLUMN ledger.partition.outcome IS 'counts, digest and checkpoint; no value of a row'
"""


def upgrade() -> None:
    """Keep what is expected of each partition, and what came of it."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
