"""Reports: the hub's own time of each transfer, rows by county, results of expectations.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = """
ALTER TABLE ledger.transfer ADD COLUMN hub_time timestamptz;
UPDATE ledger.transfer SET hub_time = started_at;
ALTER TABLE ledger.transfer ALTER COLUMN hub_time SET NOT NULL;
ALTER TABLE ledger.transfer ALTER COLUMN hub_time SET DEFAULT clock_timestamp();
CREATE INDEX transfer_hub_time ON ledger.transfer (hub_time);
COMMENT ON COLUMN ledger.transfer.hub_time IS
    'the time of the hub''s clock (ONECARD_NOW in rehearsals): reports count by its day';

CREATE TABLE ledger.county_count (
    transfer bigint NOT NULL REFERENCES ledger.transfer,
    county text NOT NULL CHECK (county ~ '^[0-9]{6}$' OR county = ''),
    rows_read bigint NOT NULL,
    quarantined bigint NOT NULL,
    PRIMARY KEY (transfer, county)
);
COMMENT ON TABLE ledger.county_count IS
    'rows of datasets that have a division, by county; empty: not one of the city''s counties'
"""


def upgrade() -> None:
    """Add the time of the hub's clock and the counts by county."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
