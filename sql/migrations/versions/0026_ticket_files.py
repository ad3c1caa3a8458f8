"""Tickets have files and comments, and their owners are told by mail or webhook.

Revision ID: 0026
"""

from alembic import op

revision = "0026"
down_revision = "0025"

STATEMENTS = (
    "ALTER TABLE ledger.ticket_event DROP CONSTRAINT ticket_event_event_check",
    (
        "ALTER TABLE ledger.ticket_event ADD CONSTRAINT ticket_event_event_check CHECK (event IN"
        " ('opened', 'acknowledged', 'handed_over', 'answered', 'seen', 'closed', 'reopened',"
        " 'commented'))"
    ),
    """
CREATE TABLE ledger.ticket_attachment (
    ticket bigint NOT NULL REFERENCES ledger.ticket,
    number integer NOT NULL CHECK (number > 0),
    event bigint NOT NULL REFERENCES ledger.ticket_event,
    kind text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes > 0),
    digest bytea NOT NULL,
    added_by text NOT NULL,
    added_for text NOT NULL,
    added_at timestamptz NOT NULL,
    content bytea,
    key_epoch text NOT NULL,
    suite text NOT NULL,
    erased_at timestamptz,
    PRIMARY KEY (ticket, number),
    CHECK ((content IS NULL) = (erased_at IS NOT NULL))
)""",
    "ALTER TABLE ledger.ticket_attachment ALTER COLUMN content SET STORAGE EXTERNAL",
    "COMMENT ON TABLE ledger.ticket_attachment IS 'files of tickets, without their own names'",
    (
        "COMMENT ON COLUMN ledger.ticket_attachment.content IS"
        " 'sealed under the quarantine key of that epoch; empty once it was erased'"
    ),
    (
        "COMMENT ON COLUMN ledger.ticket_attachment.digest IS"
        " 'of the file as it came, under the quarantine key of that epoch'"
    ),
    """
CREATE FUNCTION ledger.refuse_other_attachment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.content IS NULL OR NEW.content IS NOT NULL
        OR (to_jsonb(NEW) - ARRAY['content', 'erased_at'])
            <> (to_jsonb(OLD) - ARRAY['content', 'erased_at']) THEN
        RAISE EXCEPTION 'attachment % of ticket %: it can be erased, and nothing else',
            OLD.number, OLD.ticket;
    END IF;
    RETURN NEW;
END $$""",
    (
        "CREATE TRIGGER ticket_attachment_content BEFORE UPDATE ON ledger.ticket_attachment"
        " FOR EACH ROW EXECUTE FUNCTION ledger.refuse_other_attachment()"
    ),
    (
        "CREATE TRIGGER ticket_attachment_stays BEFORE DELETE OR TRUNCATE"
        " ON ledger.ticket_attachment FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    ),
    "REVOKE DELETE, TRUNCATE ON ledger.ticket_attachment FROM PUBLIC",
    """
CREATE TABLE ledger.ticket_notice (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket bigint NOT NULL REFERENCES ledger.ticket,
    kind text NOT NULL CHECK (kind IN
        ('opened', 'handed_over', 'answered', 'closed', 'reopened', 'due_soon', 'overdue')),
    event bigint NOT NULL DEFAULT 0,
    due_on date NOT NULL,
    made_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    done_at timestamptz,
    UNIQUE (ticket, kind, event, due_on)
)""",
    "CREATE INDEX ticket_notice_waiting ON ledger.ticket_notice (id) WHERE done_at IS NULL",
    "COMMENT ON TABLE ledger.ticket_notice IS 'what people in charge of a ticket are told'",
    "COMMENT ON COLUMN ledger.ticket_notice.event IS 'of the ticket; 0: a deadline'",
    """
CREATE TABLE ledger.ticket_told (
    notice bigint NOT NULL REFERENCES ledger.ticket_notice ON DELETE CASCADE,
    receiver text NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (notice, receiver)
)""",
    "COMMENT ON COLUMN ledger.ticket_told.receiver IS 'an address, or the webhook of an agency'",
)


def upgrade() -> None:
    """Create files of tickets and what their owners are told."""
    for statement in STATEMENTS:
        op.execute(statement)
