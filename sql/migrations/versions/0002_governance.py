"""Governance: approvals, stops, receipts, audit log, disclosures, quarantine with a time to live.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = """
CREATE TABLE ledger.agreement_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agreement text NOT NULL,
    version text NOT NULL,
    fingerprint text NOT NULL,
    event text NOT NULL CHECK (event IN ('approved', 'suspended')),
    actor text NOT NULL,
    document text NOT NULL,
    content jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX agreement_event_newest ON ledger.agreement_event (agreement, id DESC);
COMMENT ON COLUMN ledger.agreement_event.fingerprint IS
    'SHA-256 of everything in the YAML file that decides what leaves; another one needs approval';

CREATE TABLE ledger.stop_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    stopped boolean NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX stop_event_newest ON ledger.stop_event (scope, id DESC);
COMMENT ON TABLE ledger.stop_event IS 'kill switch: scope is a consumer, or * for all';

CREATE TABLE ledger.privacy_result (
    transfer bigint NOT NULL REFERENCES ledger.transfer,
    rule text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('passed', 'hit', 'not_applicable')),
    checked bigint NOT NULL DEFAULT 0,
    hits bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (transfer, rule)
);

CREATE TABLE ledger.receipt (
    transfer bigint PRIMARY KEY REFERENCES ledger.transfer,
    body text NOT NULL,
    suite text NOT NULL,
    key_epoch text NOT NULL,
    signature bytea NOT NULL
);

CREATE TABLE ledger.erasure (
    delivery_id text PRIMARY KEY,
    agreement text NOT NULL,
    erased_at timestamptz NOT NULL,
    actor text NOT NULL,
    document text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ledger.incident (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agreement text NOT NULL,
    transfer bigint NOT NULL REFERENCES ledger.transfer,
    rule text NOT NULL,
    delivered_rows bigint NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ledger.release (
    transfer bigint PRIMARY KEY REFERENCES ledger.transfer,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ledger.statistic (
    agreement text NOT NULL,
    cell text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (agreement, cell)
);
COMMENT ON TABLE ledger.statistic IS 'cells that a consumer holds, against difference attacks';

CREATE TABLE ledger.disclosure (
    month date NOT NULL,
    bucket integer NOT NULL,
    transfer bigint NOT NULL,
    part integer NOT NULL,
    refs bytea NOT NULL,
    PRIMARY KEY (bucket, month, transfer, part) INCLUDE (refs)
) PARTITION BY RANGE (month);
COMMENT ON COLUMN ledger.disclosure.refs IS
    '8-byte keyed references of persons, sorted; the key is that of consumer and epoch';

CREATE TABLE ledger.audit (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    actor text NOT NULL,
    body text NOT NULL,
    leaf bytea NOT NULL
);
CREATE INDEX audit_access ON ledger.audit (at) WHERE kind LIKE 'access.%';
CREATE TABLE ledger.audit_head (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    size bigint NOT NULL,
    peaks bytea[] NOT NULL
);
INSERT INTO ledger.audit_head (size, peaks) VALUES (0, '{}');
CREATE TABLE ledger.audit_checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    suite text NOT NULL,
    key_epoch text NOT NULL,
    signature bytea NOT NULL
);
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'append-only: % of % refused', TG_OP, TG_TABLE_NAME; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.receipt
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER agreement_event_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.agreement_event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stop_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.stop_event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger.audit, ledger.audit_checkpoint, ledger.receipt,
    ledger.agreement_event, ledger.stop_event FROM PUBLIC;

ALTER TABLE ledger.transfer ADD COLUMN replay boolean NOT NULL DEFAULT false;
ALTER TABLE ledger.delivered ADD COLUMN confirmed_on date;
ALTER TABLE ledger.delivered ADD COLUMN token_epoch text NOT NULL DEFAULT '';

ALTER TABLE quarantine.record ADD COLUMN agreement text;
ALTER TABLE quarantine.record ADD COLUMN suite text NOT NULL DEFAULT 'international';
ALTER TABLE quarantine.record ADD COLUMN expires_at timestamptz;
ALTER TABLE quarantine.record ADD COLUMN status text NOT NULL DEFAULT 'held'
    CHECK (status IN ('held', 'released', 'replayed', 'purged'));
ALTER TABLE quarantine.record ADD COLUMN resolved_at timestamptz;
ALTER TABLE quarantine.record ADD COLUMN resolved_by text NOT NULL DEFAULT '';
ALTER TABLE quarantine.record ALTER COLUMN payload DROP NOT NULL;
COMMENT ON COLUMN quarantine.record.payload IS
    'sealed by AES-256-GCM or SM4-GCM: 12 bytes nonce, then ciphertext; NULL when purged';
CREATE INDEX record_expiry ON quarantine.record (expires_at) WHERE status = 'held'
"""


def upgrade() -> None:
    """Create the tables of governance."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
