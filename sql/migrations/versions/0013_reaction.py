"""How long events take from the counter to each consumer's confirmation.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = """
CREATE TABLE ledger.reaction (
    since timestamptz NOT NULL,
    agreement text NOT NULL,
    kind text NOT NULL,
    bucket smallint NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (since, agreement, kind, bucket)
);
COMMENT ON TABLE ledger.reaction IS
    'events by how long they took to a consumer''s confirmation, written in its transaction';
COMMENT ON COLUMN ledger.reaction.since IS
    'the hour of the confirmation by the hub''s clock; the day, once housekeeping has folded it';
COMMENT ON COLUMN ledger.reaction.bucket IS
    'onecard.model.reaction: bounds that grow by a constant factor; below 0: in no percentile';
CREATE TABLE ledger.reaction_breach (
    since timestamptz NOT NULL,
    agreement text NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    allowed text NOT NULL,
    events bigint NOT NULL,
    worst double precision NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (since, agreement, kind, cause, allowed)
);
COMMENT ON TABLE ledger.reaction_breach IS
    'events that were confirmed after the limit, by hour and cause; worst: seconds';
ALTER TABLE ledger.lease ADD COLUMN taken_at timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN ledger.lease.taken_at IS
    'since when its holder has had it without a gap'
"""


def upgrade() -> None:
    """Keep the times by agreement and kind of event, and what was too late."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
