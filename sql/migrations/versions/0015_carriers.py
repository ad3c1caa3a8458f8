"""New carriers wait until the old ones are blocked; gaps in a carrier's events are looked at again.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"

STATEMENTS = """
CREATE TABLE registry.waiting_carrier (
    agreement text NOT NULL,
    carrier text NOT NULL,
    dataset text NOT NULL,
    version bigint NOT NULL,
    lagging text[] NOT NULL,
    seen jsonb NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agreement, carrier)
);
COMMENT ON TABLE registry.waiting_carrier IS
    'carriers left out by an agreement''s last delivery: the old one is not blocked everywhere yet';
COMMENT ON COLUMN registry.waiting_carrier.version IS
    'of the dataset: who has confirmed it knows that the old carrier is blocked';
COMMENT ON COLUMN registry.waiting_carrier.seen IS
    'by dataset, what the agreement had confirmed when it first left the carrier out: later waits';
COMMENT ON COLUMN registry.waiting_carrier.since IS
    'when a delivery first left it out, by this database''s clock';
CREATE TABLE ledger.went_ahead (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer bigint NOT NULL,
    agreement text NOT NULL,
    dataset text NOT NULL,
    lagging text NOT NULL,
    version bigint NOT NULL,
    carriers integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger.went_ahead IS
    'new carriers enabled although an agreement had not confirmed in time that the old are blocked';
CREATE TABLE registry.carrier_gap (
    dataset text NOT NULL,
    carrier text NOT NULL,
    ref bytea NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    looks integer NOT NULL DEFAULT 1,
    next_look timestamptz NOT NULL,
    PRIMARY KEY (dataset, carrier)
);
COMMENT ON TABLE registry.carrier_gap IS
    'carriers whose events skip a number that their source has not given when it was asked';
COMMENT ON COLUMN registry.carrier_gap.ref IS
    'keyed reference of the carrier: what may stand in a log, a finding or on a screen'
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
