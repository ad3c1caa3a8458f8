"""Tickets: challenges of a record or a finding, and everything that happened to them.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = """
CREATE TABLE ledger.ticket (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency text NOT NULL,
    opened_for text NOT NULL,
    opened_by text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('record', 'finding')),
    dataset text NOT NULL,
    field text NOT NULL DEFAULT '',
    rule text NOT NULL DEFAULT '',
    record_ref bytea,
    key_epoch text NOT NULL DEFAULT '',
    suite text NOT NULL DEFAULT '',
    baseline jsonb NOT NULL DEFAULT '{}',
    statement text NOT NULL,
    opened_at timestamptz NOT NULL,
    due_on date NOT NULL,
    clock text NOT NULL CHECK (clock IN ('holidays', 'weekdays')),
    status text NOT NULL DEFAULT 'open'
        CHECK (status IN ('open', 'acknowledged', 'answered', 'closed')),
    outcome text NOT NULL DEFAULT ''
        CHECK (outcome IN ('', 'corrected', 'confirmed', 'rejected')),
    answer text NOT NULL DEFAULT '',
    answered_at timestamptz,
    closed_at timestamptz,
    evidence jsonb NOT NULL DEFAULT '{}',
    CHECK ((kind = 'record') = (record_ref IS NOT NULL)),
    CHECK (kind = 'record' OR rule <> ''),
    CHECK ((outcome = '') = (status IN ('open', 'acknowledged'))),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    CHECK (status <> 'closed' OR evidence <> '{}')
);
CREATE INDEX ticket_agency ON ledger.ticket (agency, status);
CREATE INDEX ticket_waiting ON ledger.ticket (dataset) WHERE status <> 'closed';
COMMENT ON COLUMN ledger.ticket.agency IS 'the provider, which must answer';
COMMENT ON COLUMN ledger.ticket.record_ref IS
    'digest of dataset and key values under the quarantine key of that epoch; never a value';
COMMENT ON COLUMN ledger.ticket.baseline IS
    'numbers of when it was opened, which the next collects are compared with';
COMMENT ON COLUMN ledger.ticket.clock IS
    'weekdays: the holidays of a year were not published yet when the day was counted';

CREATE TABLE ledger.ticket_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket bigint NOT NULL REFERENCES ledger.ticket,
    at timestamptz NOT NULL,
    event text NOT NULL
        CHECK (event IN ('opened', 'acknowledged', 'answered', 'seen', 'closed')),
    actor text NOT NULL,
    text text NOT NULL DEFAULT '',
    transfer bigint REFERENCES ledger.transfer,
    detail jsonb NOT NULL DEFAULT '{}',
    CHECK ((event = 'seen') = (transfer IS NOT NULL))
);
CREATE INDEX ticket_event_ticket ON ledger.ticket_event (ticket, id);
CREATE UNIQUE INDEX ticket_event_seen ON ledger.ticket_event (ticket, transfer)
    WHERE event = 'seen';

CREATE FUNCTION ledger.refuse_other_ticket() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF OLD.status = 'closed' OR (to_jsonb(NEW) - ARRAY['status', 'outcome', 'answer',
            'answered_at', 'closed_at', 'evidence']) <> (to_jsonb(OLD) - ARRAY['status',
            'outcome', 'answer', 'answered_at', 'closed_at', 'evidence'])
        THEN RAISE EXCEPTION 'ticket %: only status, answer and evidence of one that is not closed'
            ' may change', OLD.id; END IF; RETURN NEW; END $$;
CREATE TRIGGER ticket_content BEFORE UPDATE ON ledger.ticket
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_other_ticket();
CREATE TRIGGER ticket_stays BEFORE DELETE OR TRUNCATE ON ledger.ticket
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER ticket_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.ticket_event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger.ticket_event FROM PUBLIC;
REVOKE DELETE, TRUNCATE ON ledger.ticket FROM PUBLIC
"""


def upgrade() -> None:
    """Create tickets and their events."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
