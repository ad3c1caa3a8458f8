"""Calls are watched for misuse for a day; operators who misuse the service are suspended.

Revision ID: 0018
"""

from alembic import op

revision = "0018"
down_revision = "0017"

STATEMENTS = """
CREATE TABLE ledger.question_watch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    agreement text NOT NULL,
    caller text NOT NULL,
    operator text NOT NULL,
    person bytea NOT NULL,
    series bytea NOT NULL,
    answered boolean NOT NULL
);
CREATE INDEX question_watch_operator ON ledger.question_watch (caller, operator, id);
CREATE INDEX question_watch_person ON ledger.question_watch (person);
CREATE INDEX question_watch_at ON ledger.question_watch (at);
COMMENT ON TABLE ledger.question_watch IS
    'calls as rules against misuse count them, written with their record; kept for a day';
COMMENT ON COLUMN ledger.question_watch.person IS 'keyed reference, as in ledger.question';
COMMENT ON COLUMN ledger.question_watch.series IS
    '8-byte keyed reference of the first 14 digits of the ID number: division and day of birth;'
    ' the key is that of the consumer';

CREATE TABLE ledger.misuse_look (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    line bigint NOT NULL
);
INSERT INTO ledger.misuse_look (line) VALUES (0);
COMMENT ON TABLE ledger.misuse_look IS
    'the newest line of ledger.question_watch that the rules have been held against; who looks'
    ' holds it, so that one process does';

CREATE TABLE ledger.operator_suspension (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency text NOT NULL,
    caller text NOT NULL,
    operator text NOT NULL,
    rule text NOT NULL,
    at timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > at),
    number bigint NOT NULL,
    allowed bigint NOT NULL,
    agreements text[] NOT NULL,
    line bigint NOT NULL,
    lifted_at timestamptz,
    lifted_by text,
    reason text,
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
    CHECK ((lifted_at IS NULL) = (reason IS NULL))
);
CREATE INDEX operator_suspension_operator ON ledger.operator_suspension (caller, operator, until);
COMMENT ON TABLE ledger.operator_suspension IS
    'operators of callers who are not answered until a time, by which rule of misuse.yaml; kept as'
    ' long as calls';
COMMENT ON COLUMN ledger.operator_suspension.number IS
    'what was counted; `allowed` is the limit that it has reached';
COMMENT ON COLUMN ledger.operator_suspension.line IS
    'calls up to this line of ledger.question_watch do not count for this rule again'
"""


def upgrade() -> None:
    """Make the tables of the watch and of suspensions."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
