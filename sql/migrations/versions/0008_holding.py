"""What each consumer holds, by keyed digests; old values of columns by which rows are found.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = """
CREATE TABLE ledger.holding_head (
    agreement text PRIMARY KEY,
    number integer NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    key text NOT NULL,
    basis text NOT NULL,
    shape text NOT NULL,
    token_epoch text NOT NULL,
    buckets integer NOT NULL CHECK (buckets > 0),
    rows bigint NOT NULL CHECK (rows >= 0),
    versions jsonb NOT NULL,
    looked_on date NOT NULL
);
COMMENT ON TABLE ledger.holding_head IS
    'one line for each agreement: by which state of the registry its record of held rows was made';
COMMENT ON COLUMN ledger.holding_head.key IS 'suite and epoch of the key of references and digests';
COMMENT ON COLUMN ledger.holding_head.basis IS
    'digest of whatever decides which rows the consumer should hold, besides the registry';
COMMENT ON COLUMN ledger.holding_head.shape IS 'digest of whatever makes of a row what leaves';

CREATE TABLE ledger.holding (
    holder integer NOT NULL,
    bucket integer NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (holder, bucket)
);
ALTER TABLE ledger.holding ALTER COLUMN entries SET STORAGE EXTERNAL;
COMMENT ON COLUMN ledger.holding.holder IS 'number of the head';
COMMENT ON COLUMN ledger.holding.entries IS
    'sorted, 26 bytes each: keyed reference of a row (16), digest of its values (6), transfer (4)';

CREATE TABLE ledger.holding_pending (
    agreement text NOT NULL,
    transfer bigint NOT NULL,
    refs bytea NOT NULL
);
CREATE INDEX holding_pending_agreement ON ledger.holding_pending (agreement);
ALTER TABLE ledger.holding_pending ALTER COLUMN refs SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger.holding_pending IS
    'references of rows that may have reached a consumer in a delivery that is not confirmed';

CREATE TABLE ledger.link_field (
    dataset text NOT NULL,
    field text NOT NULL,
    PRIMARY KEY (dataset, field)
);
COMMENT ON TABLE ledger.link_field IS
    'fields by which some agreement finds rows: a change of one keeps the old values';

CREATE SCHEMA IF NOT EXISTS registry;
CREATE TABLE registry.former (
    dataset text NOT NULL,
    version bigint NOT NULL,
    kept_on date NOT NULL,
    link jsonb NOT NULL
);
CREATE INDEX former_version ON registry.former (dataset, version);
COMMENT ON TABLE registry.former IS
    'old values of link fields, by the version that replaced them, until every agreement has looked'
"""


def upgrade() -> None:
    """Make room for the record of what consumers hold; each agreement's next run fills it."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
