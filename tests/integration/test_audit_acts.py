"""Single acts are found in a long audit log by an index, whatever texts its other entries have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from onecard.model.reconciliations import ReconciliationResult
from onecard.model.signoffs import SignOff
from onecard.operations.incidents import close_incident
from onecard.store import (
    audit,
    audit_queries,
    database,
    expiry,
    hold_facts,
    incidents,
    reconciliations,
    transfers,
)
from onecard.store.database import Connection

NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)
AGREEMENT, DATASET, AGENCY = "f20-health-hrss-death", "hrss/small", "hrss"
HOW = SignOff("张主任", "已核实")
MANY = 5_000
"""Entries of another kind: of the same subjects, every other one of a text that is no JSON."""
SCANNED = b"""
SELECT CASE indexrelid WHEN 0 THEN 'all of it' ELSE indexrelid::regclass::text END
FROM (SELECT indexrelid FROM pg_index WHERE indrelid = 'ledger.audit'::regclass UNION ALL SELECT 0)
WHERE pg_stat_get_xact_numscans(coalesce(nullif(indexrelid, 0), 'ledger.audit'::regclass)) > 0
"""


@pytest.fixture
def connection(hub_database: str) -> Iterator[Connection]:
    """A hub whose log is long."""
    with database.connect(hub_database, autocommit=True) as made:
        made.execute(
            "INSERT INTO ledger.audit (seq, at, kind, subject, actor, body, leaf, hash)"
            " SELECT 1000000 + n, clock_timestamp() + interval '1 day', 'collect.published',"
            " (ARRAY[%s, %s, %s])[n %% 3 + 1], 'night', CASE n %% 2 WHEN 0 THEN '{}' ELSE chr(1)"
            " END, sha256('x'), CASE n %% 2 WHEN 1 THEN sha256('y') END"
            " FROM generate_series(1, %s) n",
            (AGREEMENT, DATASET, AGENCY, MANY),
        )
        made.execute("ANALYZE ledger.audit")
        yield made


def written(connection: Connection, kind: str, body: dict[str, object]) -> None:
    with connection.transaction():
        audit.append(connection, kind, AGENCY, "li", body)


def look_at_all(connection: Connection) -> None:
    """Write one act of each kind that is looked for, and find it."""
    number = transfers.open_transfer(connection, "deliver", AGREEMENT, "1", NOW)
    incidents.open_incident(connection, AGREEMENT, number, "PR-05", 9)
    found = incidents.open_ones(connection)[-1]
    assert incidents.closing(connection, found) is None
    close_incident(connection, found.id, HOW)
    closing = incidents.closing(connection, found)
    assert closing is not None
    assert closing.actor == HOW.by

    held, done = (
        reconciliations.start(connection, "dataset", DATASET, NOW, None) for _ in range(2)
    )
    connection.execute("UPDATE ledger.reconciliation SET outcome = 'held' WHERE id = %s", (held,))
    result = ReconciliationResult(done, DATASET, "sql", tombstoned=3, outcome="healed")
    reconciliations.finish(connection, result, "li", HOW)
    ended = hold_facts.ended_reconciliation(connection, held)
    assert ended is not None
    assert (ended.number, ended.tombstoned, ended.by) == (done, 3, HOW.by)

    assert not audit_queries.handed_back(connection, AGENCY, "1")
    written(connection, "handback.confirmed", {"handback": "1"})
    assert audit_queries.handed_back(connection, AGENCY, "1")

    written(connection, expiry.KIND, {})
    assert len(expiry.receipts(connection, 5)) == 1


def test_acts_are_found_by_their_index(connection: Connection) -> None:
    """Each look by it, and none by reading the log; also where a plan is made for any kind."""
    connection.execute("SET plan_cache_mode = force_generic_plan")
    look_at_all(connection)
    seen = []
    (found,) = incidents.page(connection, ended=True, before=0, limit=1)
    for look in (
        lambda: incidents.closing(connection, found),
        lambda: hold_facts.ended_reconciliation(connection, 1),
        lambda: audit_queries.handed_back(connection, AGENCY, "1"),
        lambda: expiry.receipts(connection, 5),
    ):
        with connection.transaction():
            look()
            seen.append([line[0] for line in connection.execute(SCANNED).fetchall()])
    assert seen == [["ledger.audit_acts"]] * 4


def test_a_text_is_read_after_the_kind_in_whatever_order_conditions_are_tried(
    connection: Connection,
) -> None:
    """Where comparing texts is dear, the server would rather try another condition first."""
    connection.execute("DROP INDEX ledger.audit_acts")
    connection.execute("ALTER FUNCTION pg_catalog.texteq(text, text) COST 1000000")
    look_at_all(connection)
