"""Calls about single persons: on record, in groups, before they are answered.

Revision ID: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"

STATEMENTS = """
CREATE TABLE ledger.question_group (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month date NOT NULL,
    size integer NOT NULL CHECK (size > 0),
    statement text NOT NULL,
    suite text NOT NULL,
    key_epoch text NOT NULL,
    signature bytea NOT NULL
);
COMMENT ON TABLE ledger.question_group IS
    'calls that were recorded by one commit: the signed statement holds the root of the tree of'
    ' their receipts, and so does the audit log';

CREATE TABLE ledger.question (
    month date NOT NULL,
    group_id bigint NOT NULL,
    place integer NOT NULL,
    at timestamptz NOT NULL,
    agreement text NOT NULL,
    caller text NOT NULL,
    operator text NOT NULL,
    case_no text NOT NULL,
    request_id text NOT NULL,
    request_mac bytea NOT NULL,
    key_epoch text NOT NULL,
    person bytea NOT NULL,
    found boolean NOT NULL,
    receipt text NOT NULL,
    PRIMARY KEY (month, group_id, place),
    UNIQUE (month, caller, request_id)
) PARTITION BY RANGE (month);
CREATE INDEX question_person ON ledger.question (person);
COMMENT ON TABLE ledger.question IS
    'each person that was asked for, once a request id: what was asked, never what was answered';
COMMENT ON COLUMN ledger.question.person IS
    'as in ledger.disclosure: 8-byte keyed reference; the key is that of consumer and epoch';
COMMENT ON COLUMN ledger.question.request_mac IS
    'keyed digest of the request, to tell a repetition from another request of the same id';

CREATE TABLE ledger.question_call (
    caller text NOT NULL,
    rid text NOT NULL,
    at timestamptz NOT NULL,
    request_id text NOT NULL,
    repeated boolean NOT NULL,
    PRIMARY KEY (caller, rid)
);
CREATE INDEX question_call_at ON ledger.question_call (at);
COMMENT ON TABLE ledger.question_call IS
    'calls that were answered: a signed call is taken once, by whichever process, also after a'
    ' restart; kept for a day';

CREATE TABLE ledger.question_count (
    scope text NOT NULL,
    name text NOT NULL,
    since bigint NOT NULL,
    span integer NOT NULL,
    calls bigint NOT NULL,
    PRIMARY KEY (scope, name, span, since)
);
COMMENT ON TABLE ledger.question_count IS
    'calls of an hour or a day that count for a quota; since: seconds since 1970, span: seconds';

CREATE TABLE ledger.question_refusal (
    hour timestamptz NOT NULL,
    caller text NOT NULL,
    agreement text NOT NULL,
    code text NOT NULL,
    calls bigint NOT NULL,
    PRIMARY KEY (hour, caller, agreement, code)
);
COMMENT ON TABLE ledger.question_refusal IS
    'calls that were refused, counted by the hour; a caller that was not proved has no name here';

CREATE INDEX audit_questions ON ledger.audit (kind, seq)
    WHERE kind IN ('questions.recorded', 'questions.expired');

CREATE TABLE ledger.disclosure_delay (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agreement text NOT NULL,
    case_no text NOT NULL,
    until date NOT NULL,
    basis text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger.disclosure_delay IS
    'calls of a case of which residents are told only from a day on, and on which basis'
    ' (PIPL articles 18, 35)'
"""


def upgrade() -> None:
    """Make the tables of questions."""
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
