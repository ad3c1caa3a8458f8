"""Ledger and quarantine.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = """
CREATE SCHEMA IF NOT EXISTS registry;
CREATE SCHEMA IF NOT EXISTS staging;
CREATE SCHEMA IF NOT EXISTS quarantine;

CREATE TABLE ledger.transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    direction text NOT NULL CHECK (direction IN ('collect', 'deliver')),
    subject text NOT NULL,
    status text NOT NULL CHECK (status IN
        ('running', 'staged', 'audited', 'published', 'confirmed', 'failed', 'held')),
    policy_version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    rows_read bigint NOT NULL DEFAULT 0,
    published bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    deduplicated bigint NOT NULL DEFAULT 0,
    filtered_by_policy bigint NOT NULL DEFAULT 0,
    whole boolean NOT NULL DEFAULT false,
    version bigint,
    sent_rows bigint NOT NULL DEFAULT 0,
    sent_parts bigint NOT NULL DEFAULT 0,
    delivery_id text,
    digest text,
    checkpoint jsonb NOT NULL DEFAULT '{}',
    message text NOT NULL DEFAULT ''
);
CREATE INDEX transfer_subject ON ledger.transfer (subject, id DESC);
COMMENT ON TABLE ledger.transfer IS
    'rows_read = published + unchanged + quarantined + deduplicated + filtered_by_policy';

CREATE TABLE ledger.dataset (
    dataset text PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    claim bigint NOT NULL DEFAULT 0,
    checkpoint jsonb NOT NULL DEFAULT '{}',
    contract_version text NOT NULL DEFAULT '',
    published_at timestamptz
);
COMMENT ON COLUMN ledger.dataset.claim IS 'fencing: only this transfer may publish';

CREATE TABLE ledger.rule_count (
    transfer bigint NOT NULL REFERENCES ledger.transfer,
    field text NOT NULL,
    rule text NOT NULL,
    severity text NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (transfer, field, rule)
);

CREATE TABLE ledger.finding (
    transfer bigint NOT NULL REFERENCES ledger.transfer,
    name text NOT NULL,
    severity text NOT NULL,
    passed boolean NOT NULL,
    observed double precision,
    field text NOT NULL DEFAULT '',
    PRIMARY KEY (transfer, name)
);

CREATE TABLE ledger.delivered (
    agreement text NOT NULL,
    dataset text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (agreement, dataset)
);

CREATE TABLE ledger.delivery_window (
    agreement text PRIMARY KEY,
    delivery_id text NOT NULL UNIQUE,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE quarantine.record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    fingerprint bytea NOT NULL,
    origin text NOT NULL,
    row_number bigint NOT NULL,
    reasons jsonb NOT NULL,
    payload bytea NOT NULL,
    key_epoch text NOT NULL,
    first_transfer bigint NOT NULL REFERENCES ledger.transfer,
    last_transfer bigint NOT NULL REFERENCES ledger.transfer,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (dataset, fingerprint)
);
COMMENT ON COLUMN quarantine.record.payload IS 'AES-256-GCM: 12 bytes nonce, then ciphertext';
"""


def upgrade() -> None:
    """Create schemas and tables."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
