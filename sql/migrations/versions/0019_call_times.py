"""How calls about single persons were answered, and how long it took.

Revision ID: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"

STATEMENTS = """
CREATE TABLE ledger.question_time (
    since timestamptz NOT NULL,
    agreement text NOT NULL,
    caller text NOT NULL,
    found boolean NOT NULL,
    at_most_ms integer NOT NULL CHECK (at_most_ms > 0),
    calls bigint NOT NULL,
    PRIMARY KEY (since, agreement, caller, found, at_most_ms)
);
COMMENT ON TABLE ledger.question_time IS
    'answered calls by how long they took, added up each second by every process that serves:'
    ' figures, which a process that is killed leaves a second behind; the record of what was asked'
    ' is ledger.question';
COMMENT ON COLUMN ledger.question_time.since IS
    'the hour by the hub''s clock; the day, once housekeeping has folded it';
COMMENT ON COLUMN ledger.question_time.agreement IS
    'empty: residents'' look-ups of their own data';
COMMENT ON COLUMN ledger.question_time.at_most_ms IS
    'they took no longer: a bound of onecard.base.call_bounds';
COMMENT ON COLUMN ledger.question_refusal.hour IS
    'the hour by the hub''s clock; the day, once housekeeping has folded it'
"""


def upgrade() -> None:
    """Keep times by agreement, caller and outcome."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
