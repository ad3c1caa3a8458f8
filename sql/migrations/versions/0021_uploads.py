"""Uploads that agencies bring are on record: whose, which bytes, in which order, how they ended.

Revision ID: 0021
"""

from alembic import op

revision = "0021"
down_revision = "0020"

STATEMENTS = """
CREATE SEQUENCE ledger.upload_number;
CREATE TABLE ledger.upload (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    upload uuid NOT NULL,
    caller text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    length bigint NOT NULL CHECK (length > 0),
    state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'refused', 'waiting', 'published', 'expired')),
    number bigint UNIQUE,
    outcome jsonb,
    transfer bigint,
    opened_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (dataset, upload),
    CHECK (state NOT IN ('waiting', 'published') OR number IS NOT NULL)
);
CREATE INDEX upload_dataset ON ledger.upload (dataset, state);
CREATE INDEX upload_caller ON ledger.upload (caller, opened_at);
COMMENT ON TABLE ledger.upload IS
    'what agencies brought (POST /ingest): an id counts once, with one content; no value of a row';
COMMENT ON COLUMN ledger.upload.digest IS 'SHA-256 of the whole, as it was announced';
COMMENT ON COLUMN ledger.upload.number IS
    'the order in which uploads are collected; given when one is whole and judged';
COMMENT ON COLUMN ledger.upload.outcome IS
    'what the gate says of it: counts, and rejected rows by number, field and rule';
COMMENT ON COLUMN ledger.upload.transfer IS 'the collect that has published it';
COMMENT ON COLUMN ledger.upload.ended_at IS 'when it was refused, published, or was too old'
"""


def upgrade() -> None:
    """Make the table of uploads and the sequence of their numbers."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
