"""Problems of data quality are known one by one: open rows, days, who cares; tickets go on.

Revision ID: 0022
"""

from alembic import op

revision = "0022"
down_revision = "0021"

STATEMENTS = (
    """
CREATE TABLE ledger.problem (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    field text NOT NULL,
    rule text NOT NULL,
    severity text NOT NULL DEFAULT 'error',
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    last_transfer bigint NOT NULL DEFAULT 0,
    last_failed bigint NOT NULL DEFAULT 0,
    last_read bigint NOT NULL DEFAULT 0,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by bigint NOT NULL DEFAULT 0,
    times integer NOT NULL DEFAULT 1,
    kept boolean NOT NULL DEFAULT false,
    open_rows bigint NOT NULL DEFAULT 0 CHECK (open_rows >= 0),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'accepted')),
    owner text NOT NULL DEFAULT '',
    accepted_until date,
    UNIQUE (dataset, field, rule),
    CHECK ((state = 'accepted') = (accepted_until IS NOT NULL)),
    CHECK (open_rows = 0 OR ended_at IS NULL)
)""",
    "COMMENT ON TABLE ledger.problem IS 'a rule that rows of a dataset broke; no value of a row'",
    "COMMENT ON COLUMN ledger.problem.since IS 'from when it is open this time'",
    "COMMENT ON COLUMN ledger.problem.times IS 'how many times it began'",
    (
        "COMMENT ON COLUMN ledger.problem.kept IS"
        " 'rows of it stood in quarantine: it ends with the last of them, else by a whole reading'"
    ),
    """
CREATE TABLE ledger.problem_day (
    problem bigint NOT NULL REFERENCES ledger.problem,
    day date NOT NULL,
    failed bigint NOT NULL,
    rows_read bigint NOT NULL,
    PRIMARY KEY (problem, day)
)""",
    """
CREATE TABLE ledger.problem_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem bigint NOT NULL REFERENCES ledger.problem,
    at timestamptz NOT NULL,
    event text NOT NULL CHECK (event IN ('acknowledged', 'accepted', 'reopened', 'commented')),
    actor text NOT NULL,
    text text NOT NULL DEFAULT '',
    until date,
    CHECK ((event = 'accepted') = (until IS NOT NULL))
)""",
    "CREATE INDEX problem_event_problem ON ledger.problem_event (problem, id)",
    (
        "CREATE TRIGGER problem_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
        " ON ledger.problem_event FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    ),
    "REVOKE UPDATE, DELETE, TRUNCATE ON ledger.problem_event FROM PUBLIC",
    """
CREATE TABLE quarantine.reason (
    problem bigint NOT NULL REFERENCES ledger.problem,
    record bigint NOT NULL,
    PRIMARY KEY (problem, record)
)""",
    "CREATE INDEX reason_record ON quarantine.reason (record)",
    (
        "COMMENT ON TABLE quarantine.reason IS"
        " 'open rows of each problem, kept by triggers of quarantine.record'"
    ),
    # What stands in quarantine.reason, and what problems say of their open rows, for some records.
    """
CREATE FUNCTION quarantine.note_reasons(records bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(records) = 0 THEN RETURN; END IF;
    INSERT INTO ledger.problem (dataset, field, rule, first_seen, last_seen, since, times, kept)
        SELECT r.dataset, x ->> 0, x ->> 1, min(r.first_seen), max(r.last_seen),
            min(r.first_seen), 0, true
        FROM quarantine.record r CROSS JOIN LATERAL jsonb_array_elements(r.reasons) x
        WHERE r.id = ANY(records) AND r.agreement IS NULL AND r.status IN ('held', 'purged')
            AND NOT EXISTS (SELECT FROM ledger.problem p WHERE p.dataset = r.dataset
                AND p.field = x ->> 0 AND p.rule = x ->> 1)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 ON CONFLICT (dataset, field, rule) DO NOTHING;
    PERFORM FROM ledger.problem p WHERE p.dataset IN
        (SELECT r.dataset FROM quarantine.record r WHERE r.id = ANY(records))
        ORDER BY p.id FOR UPDATE;
    WITH added AS (
        INSERT INTO quarantine.reason (problem, record)
        SELECT DISTINCT p.id, r.id
        FROM quarantine.record r CROSS JOIN LATERAL jsonb_array_elements(r.reasons) x
        JOIN ledger.problem p ON p.dataset = r.dataset AND p.field = x ->> 0 AND p.rule = x ->> 1
        WHERE r.id = ANY(records) AND r.agreement IS NULL AND r.status IN ('held', 'purged')
        ON CONFLICT DO NOTHING RETURNING problem, record
    ), more AS (
        SELECT a.problem, count(*) AS rows, max(r.last_seen) AS at
        FROM added a JOIN quarantine.record r ON r.id = a.record GROUP BY a.problem
    ), begun AS (
        SELECT m.*, p.ended_at IS NOT NULL OR p.times = 0 AS anew,
            p.state = 'accepted'
            AND p.accepted_until >= CAST(m.at AT TIME ZONE 'Asia/Shanghai' AS date) AS stands
        FROM more m JOIN ledger.problem p ON p.id = m.problem
    )
    UPDATE ledger.problem p SET open_rows = p.open_rows + b.rows, kept = true,
        since = CASE WHEN b.anew THEN b.at ELSE p.since END,
        times = p.times + CAST(b.anew AS integer),
        state = CASE WHEN b.anew AND NOT b.stands THEN 'open' ELSE p.state END,
        accepted_until = CASE WHEN b.anew AND NOT b.stands THEN NULL ELSE p.accepted_until END,
        ended_at = NULL, ended_by = 0
        FROM begun b WHERE p.id = b.problem;
    WITH gone AS (
        DELETE FROM quarantine.reason s USING ledger.problem p
        WHERE s.record = ANY(records) AND p.id = s.problem AND NOT EXISTS (
            SELECT FROM quarantine.record r WHERE r.id = s.record
            AND r.agreement IS NULL AND r.status IN ('held', 'purged')
            AND r.reasons @> jsonb_build_array(jsonb_build_array(p.field, p.rule)))
        RETURNING s.problem, s.record
    ), less AS (
        SELECT g.problem, count(*) AS rows, max(coalesce(r.ended_by, 0)) AS ended_by,
            max(coalesce(t.hub_time, r.resolved_at, clock_timestamp())) AS at
        FROM gone g LEFT JOIN quarantine.record r ON r.id = g.record
        LEFT JOIN ledger.transfer t ON t.id = r.ended_by GROUP BY g.problem
    )
    UPDATE ledger.problem p SET open_rows = p.open_rows - l.rows,
        ended_at = CASE WHEN p.open_rows = l.rows THEN coalesce(l.at, clock_timestamp()) END,
        ended_by = CASE WHEN p.open_rows = l.rows THEN l.ended_by ELSE 0 END
        FROM less l WHERE p.id = l.problem;
END $$""",
    """
CREATE FUNCTION quarantine.note_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM quarantine.note_reasons(coalesce((SELECT array_agg(n.id ORDER BY n.id)
        FROM new_rows n WHERE n.agreement IS NULL), '{}'));
    RETURN NULL;
END $$""",
    """
CREATE FUNCTION quarantine.note_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM quarantine.note_reasons(coalesce((SELECT array_agg(n.id ORDER BY n.id)
        FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.agreement IS NULL
        AND (n.status IN ('held', 'purged'), n.reasons)
            <> (o.status IN ('held', 'purged'), o.reasons)), '{}'));
    RETURN NULL;
END $$""",
    """
CREATE FUNCTION quarantine.note_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM quarantine.note_reasons(coalesce((SELECT array_agg(o.id ORDER BY o.id)
        FROM old_rows o WHERE o.agreement IS NULL), '{}'));
    RETURN NULL;
END $$""",
    (
        "CREATE TRIGGER record_new AFTER INSERT ON quarantine.record"
        " REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION quarantine.note_new()"
    ),
    (
        "CREATE TRIGGER record_changed AFTER UPDATE ON quarantine.record"
        " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION quarantine.note_changed()"
    ),
    (
        "CREATE TRIGGER record_deleted AFTER DELETE ON quarantine.record"
        " REFERENCING OLD TABLE AS old_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION quarantine.note_deleted()"
    ),
    # Of a ledger that is there already, or that was filled past the triggers.
    """
CREATE FUNCTION ledger.gather_problems() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE gathered ON COMMIT DROP AS
        SELECT t.subject AS dataset, c.field, c.rule, c.severity, c.failed, t.rows_read,
            t.id AS transfer, t.hub_time AS at,
            CAST(t.hub_time AT TIME ZONE 'Asia/Shanghai' AS date) AS day
        FROM ledger.rule_count c JOIN ledger.transfer t ON t.id = c.transfer
        WHERE t.direction = 'collect' AND t.status = 'published' AND NOT t.replay AND c.failed > 0
        UNION ALL
        SELECT dataset, field, rule, severity, failed, last_read, last_broken,
            CAST(day AS timestamp) AT TIME ZONE 'Asia/Shanghai', day FROM ledger.lane_rule
        WHERE failed > 0;
    INSERT INTO ledger.problem AS p (dataset, field, rule, severity, first_seen, last_seen,
        last_transfer, last_failed, last_read, since)
        SELECT dataset, field, rule, (array_agg(severity ORDER BY transfer DESC))[1], min(at),
            max(at), max(transfer), (array_agg(failed ORDER BY transfer DESC))[1],
            (array_agg(rows_read ORDER BY transfer DESC))[1], min(at)
        FROM gathered GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (dataset, field, rule) DO UPDATE SET severity = excluded.severity,
            first_seen = excluded.first_seen, last_seen = excluded.last_seen,
            last_transfer = excluded.last_transfer, last_failed = excluded.last_failed,
            last_read = excluded.last_read;
    INSERT INTO ledger.problem_day (problem, day, failed, rows_read)
        SELECT p.id, g.day, sum(g.failed), sum(g.rows_read) FROM gathered g JOIN ledger.problem p
        ON p.dataset = g.dataset AND p.field = g.field AND p.rule = g.rule
        GROUP BY 1, 2 ON CONFLICT DO NOTHING;
    DROP TABLE gathered;
    PERFORM quarantine.note_reasons(coalesce((SELECT array_agg(id ORDER BY id)
        FROM quarantine.record r WHERE r.agreement IS NULL AND r.status IN ('held', 'purged')
        AND NOT EXISTS (SELECT FROM quarantine.reason s WHERE s.record = r.id)), '{}'));
    UPDATE ledger.problem p SET kept = true FROM (SELECT DISTINCT r.dataset, x ->> 0 AS field,
        x ->> 1 AS rule FROM quarantine.record r
        CROSS JOIN LATERAL jsonb_array_elements(r.reasons) x WHERE r.agreement IS NULL) k
        WHERE p.dataset = k.dataset AND p.field = k.field AND p.rule = k.rule AND NOT p.kept;
    UPDATE ledger.problem p SET since = coalesce((SELECT min(r.first_seen) FROM quarantine.reason s
        JOIN quarantine.record r ON r.id = s.record WHERE s.problem = p.id), p.since),
        times = greatest(p.times, 1) WHERE p.open_rows > 0;
    UPDATE ledger.problem p SET ended_at = coalesce(e.at, p.last_seen), ended_by = coalesce(e.id, 0)
        FROM ledger.problem q LEFT JOIN LATERAL (SELECT t.id, t.hub_time AS at
            FROM ledger.transfer t WHERE t.subject = q.dataset AND t.direction = 'collect'
            AND t.status = 'published' AND NOT t.replay AND t.id > q.last_transfer
            AND (q.kept OR t.whole AND t.source_rows IS NOT NULL AND t.rows_read > 0)
            ORDER BY t.id LIMIT 1) e ON true
        WHERE p.id = q.id AND q.open_rows = 0 AND q.ended_at IS NULL
        AND (q.kept OR e.id IS NOT NULL);
END $$""",
    "SELECT ledger.gather_problems()",
    # Tickets: who has it, what the record is called, a closed one that is opened once more.
    "ALTER TABLE ledger.ticket ADD COLUMN owner text NOT NULL DEFAULT ''",
    "ALTER TABLE ledger.ticket ADD COLUMN shown_key text NOT NULL DEFAULT ''",
    (
        "COMMENT ON COLUMN ledger.ticket.shown_key IS"
        " 'the record''s key under the masks of its semantic types; empty where one has none'"
    ),
    "ALTER TABLE ledger.ticket_event DROP CONSTRAINT ticket_event_event_check",
    (
        "ALTER TABLE ledger.ticket_event ADD CONSTRAINT ticket_event_event_check CHECK (event IN"
        " ('opened', 'acknowledged', 'handed_over', 'answered', 'seen', 'closed', 'reopened'))"
    ),
    """
CREATE OR REPLACE FUNCTION ledger.refuse_other_ticket() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free constant text[] := ARRAY['status', 'outcome', 'answer', 'answered_at', 'closed_at',
        'evidence', 'owner', 'due_on', 'clock'];
BEGIN
    IF OLD.status = 'closed' AND NEW.status <> 'open'
        OR (NEW.due_on, NEW.clock) <> (OLD.due_on, OLD.clock)
            AND NOT (OLD.status IN ('answered', 'closed') AND NEW.status = 'open')
        OR (to_jsonb(NEW) - free) <> (to_jsonb(OLD) - free) THEN
        RAISE EXCEPTION 'ticket %: only status, owner, answer and evidence of one that is not'
            ' closed may change, and its deadline when it is opened again', OLD.id;
    END IF;
    RETURN NEW;
END $$""",
)


def upgrade() -> None:
    """Know problems one by one, from what the ledger holds already."""
    for statement in STATEMENTS:
        op.execute(statement)
