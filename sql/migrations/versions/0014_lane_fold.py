"""Old transfers of the event lane are folded: a line a day, their receipts and disclosures packed.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"

TABLES = """
CREATE TABLE ledger.lane_day (
    direction text NOT NULL CHECK (direction IN ('collect', 'deliver')),
    subject text NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    transfers bigint NOT NULL CHECK (transfers > 0),
    first_time timestamptz NOT NULL,
    rows_read bigint NOT NULL,
    published bigint NOT NULL,
    unchanged bigint NOT NULL,
    quarantined bigint NOT NULL,
    deduplicated bigint NOT NULL,
    filtered_by_policy bigint NOT NULL,
    sent_rows bigint NOT NULL,
    sent_parts bigint NOT NULL,
    deleted_rows bigint NOT NULL,
    took_ms bigint[] NOT NULL,
    took_times bigint[] NOT NULL,
    digest bytea NOT NULL,
    folded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (direction, subject, day, first),
    CHECK (direction = 'deliver' OR rows_read = published + unchanged + quarantined + deduplicated
        + filtered_by_policy)
);
COMMENT ON TABLE ledger.lane_day IS
    'a line for all folded transfers of one subject and day of the hub''s clock';
COMMENT ON COLUMN ledger.lane_day.took_ms IS
    'how long they took, in milliseconds, each value once; took_times: how many took so long';
COMMENT ON COLUMN ledger.lane_day.digest IS
    'SHA-256 over SHA-256 of the body and the signature of each receipt, in the order of transfers';

CREATE TABLE ledger.lane_pack (
    direction text NOT NULL CHECK (direction IN ('collect', 'deliver')),
    subject text NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    dataset text NOT NULL,
    first_finished timestamptz NOT NULL,
    last_finished timestamptz NOT NULL,
    first_expires timestamptz,
    sent bigint NOT NULL,
    transfers bigint[] NOT NULL,
    started_at timestamptz[] NOT NULL,
    finished_at timestamptz[] NOT NULL,
    hub_time timestamptz[] NOT NULL,
    versions bigint[] NOT NULL,
    sent_rows bigint[] NOT NULL,
    deleted_rows bigint[] NOT NULL,
    deliveries text[] NOT NULL,
    expires_at timestamptz[] NOT NULL,
    suites text[] NOT NULL,
    key_epochs text[] NOT NULL,
    signatures bytea[] NOT NULL,
    bodies text[] NOT NULL,
    PRIMARY KEY (direction, subject, first)
);
CREATE INDEX lane_pack_last ON ledger.lane_pack (last);
COMMENT ON TABLE ledger.lane_pack IS
    'up to a thousand folded transfers of one subject and day with their receipts, by id';
COMMENT ON COLUMN ledger.lane_pack.sent IS 'how many of them sent any row';
COMMENT ON COLUMN ledger.lane_pack.versions IS
    'of `dataset`: as it was published, or as the delivery''s receipt says that it carried';

CREATE VIEW ledger.folded AS
    SELECT p.direction, p.subject, p.dataset, p.day, x.* FROM ledger.lane_pack p,
    unnest(p.transfers, p.started_at, p.finished_at, p.hub_time, p.versions, p.sent_rows,
        p.deleted_rows, p.deliveries, p.expires_at)
        AS x (id, started_at, finished_at, hub_time, version, sent_rows, deleted_rows, delivery_id,
            expires_at);
COMMENT ON VIEW ledger.folded IS 'folded transfers one by one, without their receipts';

CREATE VIEW ledger.folded_receipt AS
    SELECT p.direction, p.subject, p.first, p.last, x.* FROM ledger.lane_pack p,
    unnest(p.transfers, p.bodies, p.suites, p.key_epochs, p.signatures)
        AS x (transfer, body, suite, key_epoch, signature);
COMMENT ON VIEW ledger.folded_receipt IS 'receipts of folded transfers one by one';

CREATE TABLE ledger.lane_finding (
    dataset text NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    name text NOT NULL,
    severity text NOT NULL,
    runs bigint NOT NULL,
    failed bigint NOT NULL,
    last bigint NOT NULL,
    observed double precision,
    last_failed bigint,
    PRIMARY KEY (dataset, day, first, name, severity)
);
COMMENT ON TABLE ledger.lane_finding IS
    'how expectations ended in folded collects; observed: by the last of them';

CREATE TABLE ledger.lane_rule (
    dataset text NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    field text NOT NULL,
    rule text NOT NULL,
    severity text NOT NULL,
    failed bigint NOT NULL,
    first_broken bigint NOT NULL,
    last_broken bigint NOT NULL,
    last_failed bigint NOT NULL,
    last_read bigint NOT NULL,
    PRIMARY KEY (dataset, day, first, field, rule, severity)
);
COMMENT ON TABLE ledger.lane_rule IS
    'rows of folded collects that failed a rule; last_failed, last_read: of the last such collect';

CREATE TABLE ledger.lane_county (
    dataset text NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    county text NOT NULL,
    rows_read bigint NOT NULL,
    quarantined bigint NOT NULL,
    PRIMARY KEY (dataset, day, first, county)
);

CREATE TABLE ledger.lane_disclosure (
    agreement text NOT NULL,
    month date NOT NULL,
    bucket integer NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    first bigint NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (bucket, agreement, month, first)
);
ALTER TABLE ledger.lane_disclosure ALTER COLUMN entries SET STORAGE EXTERNAL;
COMMENT ON COLUMN ledger.lane_disclosure.bucket IS 'first byte of the references';
COMMENT ON COLUMN ledger.lane_disclosure.entries IS
    '16 bytes each, sorted: reference of a person (8) as in ledger.disclosure, transfer (8)';

CREATE TABLE ledger.privacy_day (
    agreement text NOT NULL,
    day date NOT NULL,
    rule text NOT NULL,
    action text NOT NULL,
    runs bigint NOT NULL,
    checked bigint NOT NULL,
    hits bigint NOT NULL,
    PRIMARY KEY (agreement, day, rule, action)
) WITH (fillfactor = 50);
COMMENT ON TABLE ledger.privacy_day IS
    'results of the privacy gate in confirmed deliveries, by day, but for hits of the last days';

INSERT INTO ledger.privacy_day (agreement, day, rule, action, runs, checked, hits)
    SELECT t.subject, CAST(t.hub_time AT TIME ZONE 'Asia/Shanghai' AS date), p.rule, p.action,
    count(*), sum(p.checked), sum(p.hits) FROM ledger.privacy_result p JOIN ledger.transfer t
    ON t.id = p.transfer WHERE t.status = 'confirmed' AND p.outcome <> 'hit' GROUP BY 1, 2, 3, 4;
DELETE FROM ledger.privacy_result p USING ledger.transfer t
    WHERE t.id = p.transfer AND t.status = 'confirmed' AND p.outcome <> 'hit';

CREATE TRIGGER lane_day_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.lane_day
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER lane_pack_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.lane_pack
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger.lane_day, ledger.lane_pack FROM PUBLIC;

CREATE FUNCTION ledger.refuse_loss() RETURNS trigger LANGUAGE plpgsql AS
    $$ DECLARE low bigint; high bigint; whose text[]; BEGIN
        SELECT min(g.transfer), max(g.transfer), array_agg(DISTINCT t.subject)
            INTO low, high, whose FROM gone g LEFT JOIN ledger.transfer t ON t.id = g.transfer; IF
            EXISTS (SELECT transfer, body, suite, key_epoch, signature FROM gone EXCEPT
            SELECT transfer, body, suite, key_epoch, signature FROM ledger.folded_receipt
            WHERE subject = ANY(whose) AND first <= high AND last >= low)
        THEN RAISE EXCEPTION 'append-only: % of % refused', TG_OP, TG_TABLE_NAME; END IF; RETURN
        NULL; END $$;
DROP TRIGGER receipt_append_only ON ledger.receipt;
CREATE TRIGGER receipt_append_only BEFORE UPDATE OR TRUNCATE ON ledger.receipt
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER receipt_stays AFTER DELETE ON ledger.receipt REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_loss();

ALTER TABLE ledger.transfer ADD COLUMN expires_at timestamptz;
COMMENT ON COLUMN ledger.transfer.expires_at IS
    'of a confirmed delivery: when the consumer is to erase it, as its receipt says';
UPDATE ledger.transfer t SET expires_at = CAST(CAST(r.body AS jsonb) ->> 'expiresAt' AS timestamptz)
    FROM ledger.receipt r WHERE r.transfer = t.id AND t.direction = 'deliver'
    AND t.status = 'confirmed';
CREATE INDEX transfer_expires ON ledger.transfer (subject, expires_at)
    WHERE direction = 'deliver' AND status = 'confirmed' AND NOT replay;

ALTER TABLE ledger.erasure ADD COLUMN transfer bigint;
ALTER TABLE ledger.erasure ADD COLUMN finished_at timestamptz;
COMMENT ON COLUMN ledger.erasure.transfer IS 'the confirmed delivery';
COMMENT ON COLUMN ledger.erasure.finished_at IS 'when it ended; NULL where it sent no row';
UPDATE ledger.erasure e SET transfer = t.id,
    finished_at = CASE WHEN t.sent_rows > 0 THEN t.finished_at END
    FROM ledger.transfer t WHERE t.delivery_id = e.delivery_id AND t.status = 'confirmed';
CREATE INDEX erasure_agreement ON ledger.erasure (agreement);

ALTER TABLE ledger.ticket_event DROP CONSTRAINT ticket_event_transfer_fkey;
COMMENT ON COLUMN ledger.ticket_event.transfer IS
    'the collect that saw the correction; its line may be folded before anybody looked';

CREATE INDEX record_first ON quarantine.record (first_transfer);
CREATE INDEX record_last ON quarantine.record (last_transfer);
CREATE INDEX record_ended_by ON quarantine.record (ended_by) WHERE ended_by IS NOT NULL;
CREATE INDEX incident_transfer ON ledger.incident (transfer);
CREATE INDEX ticket_event_transfer ON ledger.ticket_event (transfer) WHERE transfer IS NOT NULL
"""


def upgrade() -> None:
    """Make the tables of folded transfers; let receipts go once they are packed."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
