"""What dialects without a server at hand ask and say, beside texts that people have reviewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import connectors
from connectors.common import source_types
from connectors.common.source_types import LOGICAL
from connectors.sql import dialects
from connectors.sql.options import SqlSink, SqlSource
from onecard.errors import ConfigError, ProtocolError, SchemaMismatch
from onecard.ports.inbox import Arrivals
from onecard.ports.source import Chunk, Column, ReadPart, ReadRequest
from schemas.models.partition import ByHash, ByRange
from tests.connectors import dialect_texts, standin, type_runs
from tests.connectors.dialect_samples import SAMPLES, UNKNOWN, Given

SQL = connectors.connector("sql")
ALONE = tuple(standin.CATALOGUES)
"""Dialects that no test of ours can try on a server."""


@pytest.mark.parametrize("name", dialect_texts.NAMES)
def test_what_is_asked_is_what_was_reviewed(name: str) -> None:
    kept = (dialect_texts.FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    assert dialect_texts.text(name) == kept


def answers(name: str, told: Any, rows: Any) -> dict[str, Any]:
    """A table of a key and one column."""
    key = {"data_type": "VARCHAR2", "char_length": 9, "kind": "nvarchar", "max_length": 18}
    table = standin.catalogue(name, {"k": key, "v": told})
    return {standin.CATALOGUES[name][0]: table, r"FROM .*t_rows": (["k", "v"], rows)}


@pytest.mark.parametrize(
    ("name", "sample"),
    [(name, sample) for name, samples in SAMPLES.items() for sample in samples],
    ids=lambda found: found if isinstance(found, str) else found.name,
)
def test_a_value_is_what_the_database_says(name: str, sample: Given) -> None:
    rows = [(str(n), value) for n, value in enumerate(sample.given, start=1)]
    with standin.served(name, **answers(name, sample.told, rows)):
        found = type_runs.outcome(standin.connection(name), "sql", SqlSource(table="t_rows"))
    assert set(found) == set(sample.arrives), "what is refused"
    kind = source_types.of(dialects.called(name).types, sample.name)
    assert {k for k in LOGICAL if kind.acceptance(k) != "refused"} == set(found)
    for wanted, arrives in found.items():
        assert type_runs.same(wanted, arrives, sample.arrives[wanted]), (wanted, arrives)
        assert kind.acceptance(wanted) == ("rows" if None in arrives else "exact"), wanted


def test_every_type_is_tried() -> None:
    for name, samples in SAMPLES.items():
        tried = {sample.name for sample in samples}
        known = set(source_types.known(dialects.called(name).types))
        assert known <= tried <= known | UNKNOWN, name


def request(*columns: Column, **more: Any) -> ReadRequest:
    return ReadRequest("agency/dataset", columns, SqlSource(table="t_rows"), **more)


KEYED = (Column("k", "k", type="string", key=True), Column("v", "v", type="timestamp"))
TIMES = {
    "oracle": {"data_type": "TIMESTAMP(6) WITH TIME ZONE"},
    "dm": {"data_type": "TIMESTAMP"},
    "mssql": {"kind": "datetime"},
}
BOUNDS = {
    "oracle": '"V" >= TIMESTAMP \'2026-11-01 00:00:00.127000 +00:00\' OR "V" IS NULL',
    "dm": '"V" >= TIMESTAMP \'2026-11-01 08:00:00.127000\' OR "V" IS NULL',
    "mssql": (
        "[v] >= CAST(CAST('2026-11-01 08:00:00.127000' AS datetime2(3)) AS datetime) OR [v] IS NULL"
    ),
}


@pytest.mark.fault("F16", "a bound is the same moment in the cursor's own type")
@pytest.mark.parametrize("name", ALONE)
def test_a_bound_is_a_literal_of_the_cursors_type(name: str) -> None:
    told = {**TIMES[name], "column_name": "V"} if name != "mssql" else TIMES[name]
    asked = request(*KEYED, cursor="v", since="2026-11-01T08:00:00.127+08:00")
    with standin.served(name, **answers(name, told, [("1", None)])) as server:
        (chunk,) = list(SQL.read(standin.connection(name), asked))
    assert chunk.batch.to_pylist() == [{"k": "1", "v": None}]
    (reading,) = [
        s for s in server.statements if "t_rows" in s.lower() and "count" not in s.lower()
    ]
    assert BOUNDS[name] in reading


@pytest.mark.parametrize("name", ALONE)
def test_a_table_that_no_catalogue_shows_is_not_read(name: str) -> None:
    """A synonym is read by its name, but nobody says of what types its columns are."""
    empty = {standin.CATALOGUES[name][0]: (["x"], [])}
    with (
        standin.served(name, **empty),
        pytest.raises(ConfigError, match="no catalogue that the login sees has it"),
    ):
        list(SQL.read(standin.connection(name), request(*KEYED)))


@pytest.mark.parametrize("name", ALONE)
def test_a_missing_column_is_named(name: str) -> None:
    asked = request(*KEYED, Column("nowhere", "备注", type="string"))
    with (
        standin.served(name, **answers(name, TIMES[name], [])),
        pytest.raises(SchemaMismatch, match=r"column 备注 \(nowhere\) is missing"),
    ):
        list(SQL.read(standin.connection(name), asked))


def test_names_are_read_whatever_their_case_where_only_one_fits() -> None:
    told = {"data_type": "VARCHAR2", "char_length": 9}
    columns = {"Kq": told, "KQ": told, "V": told}
    table = standin.catalogue("oracle", columns)
    served = {"all_tab_columns": table, "FROM .*T_ROWS": (["Kq", "V"], [("1", "2")])}
    with standin.served("oracle", **served) as server:
        list(SQL.read(standin.connection("oracle"), request(Column("a", "Kq"), Column("b", "v"))))
        with pytest.raises(SchemaMismatch, match="column kq"):
            list(SQL.read(standin.connection("oracle"), request(Column("a", "kq"))))
    (reading,) = [s for s in server.statements if "T_ROWS" in s]
    assert 'SELECT "Kq", "V" FROM "BUREAU"."T_ROWS"' in reading


def test_a_database_without_row_versions_is_not_read() -> None:
    served = {"snapshot_isolation_state": (["x"], [[0]]), **answers("mssql", TIMES["mssql"], [])}
    with (
        standin.served("mssql", **served),
        pytest.raises(ConfigError, match=r"^agency/dataset from t_rows: .*ISOLATION ON \(connect"),
    ):
        list(SQL.read(standin.connection("mssql"), request(*KEYED)))


def test_a_database_without_a_hash_says_how_it_is_divided() -> None:
    part = ReadPart(ByHash(by="hash", parts=4), 1)
    served = answers("dm", {"data_type": "VARCHAR"}, [])
    with (
        standin.served("dm", **served),
        pytest.raises(ConfigError, match="DM8 has no hash; divide the table by range"),
    ):
        list(SQL.read(standin.connection("dm"), request(*KEYED, key=("k",), part=part)))


@pytest.mark.parametrize("name", ALONE)
def test_a_table_is_divided_by_ranges_of_its_number(name: str) -> None:
    part = ReadPart(ByRange(by="range", field="v", bounds=(10, 20)), 1)
    told = {"data_type": {"oracle": "NUMBER", "dm": "BIGINT"}.get(name), "kind": "bigint"}
    asked = request(KEYED[0], Column("v", "v", type="integer"), key=("v",), part=part)
    with standin.served(name, **answers(name, told, [])) as server:
        list(SQL.read(standin.connection(name), asked))
    quoted = dialects.called(name).quoted("v")
    reading = server.statements[-1]
    assert reading.endswith(f"WHERE ({quoted} >= 10 AND {quoted} < 20)")


def delivered(name: str, **more: Any) -> Any:
    served = dialect_texts.inbox(name) | more
    with standin.served(name, **served) as server:
        sent = SQL.send(
            standin.connection(name), SqlSink(table="card_status"), dialect_texts.parcel()
        )
    return sent, server


@pytest.mark.parametrize("name", ALONE)
def test_a_delivery_is_one_transaction_that_is_read_back(name: str) -> None:
    sent, server = delivered(name)
    assert (sent.rows, sent.deleted, sent.already) == (2, 1, 0)
    inserts = [n for n, s in enumerate(server.statements, 1) if s.startswith("INSERT")]
    assert len(inserts) == 2
    assert all(not min(inserts) <= commit < max(inserts) for commit in server.commits)
    values = [v for _, p in server.asked for v in _values(p)]
    assert any("2026-11-01" in str(v) and "08:02:03.456789" in str(v) for v in values)


def _values(parameters: Any) -> list[Any]:
    rows = parameters if isinstance(parameters, list) else [parameters]
    return [v for row in rows for v in (row.values() if isinstance(row, dict) else row or ())]


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize(
    ("place", "value"),
    [
        (2, "张"),
        (3, Decimal("12.5001")),
        (5, datetime(2026, 11, 1, 8, 2, 3, 456000)),
        (5, datetime(2026, 11, 1, 0, 2, 3, 456789)),
    ],
    ids=["text cut", "number changed", "microseconds cut", "another zone"],
)
def test_what_is_read_back_otherwise_fails_the_delivery(name: str, place: int, value: Any) -> None:
    names, rows = dialect_texts.inbox(name)[r"SELECT .*amount.*FROM .*card_status"]
    changed = [tuple(value if n == place else v for n, v in enumerate(row)) for row in rows]
    with pytest.raises(ProtocolError, match="changed what it was given"):
        delivered(name, **{r"SELECT .*amount.*FROM .*card_status": (names, changed)})


@pytest.mark.parametrize("name", ALONE)
def test_a_row_that_is_not_there_fails_the_delivery(name: str) -> None:
    names, rows = dialect_texts.inbox(name)[r"SELECT .*amount.*FROM .*card_status"]
    with pytest.raises(ProtocolError, match="1 of 2 rows read back are not there"):
        delivered(name, **{r"SELECT .*amount.*FROM .*card_status": (names, rows[:1])})


def test_an_empty_text_is_null_to_oracle_and_no_key() -> None:
    empty = [{**row, "name": ""} for row in dialect_texts.SENT]
    names, rows = dialect_texts.inbox("oracle")[r"SELECT .*amount.*FROM .*card_status"]
    nulls = [tuple(None if n == 2 else v for n, v in enumerate(row)) for row in rows]
    held = {r"SELECT .*amount.*FROM .*card_status": (names, nulls)}
    with standin.served("oracle", **(dialect_texts.inbox("oracle") | held)):
        where, sink = standin.connection("oracle"), SqlSink(table="card_status")
        assert SQL.send(where, sink, dialect_texts.parcel("f00-2", empty)).rows == 2
        keyless = [{**row, "id": ""} for row in dialect_texts.SENT]
        with pytest.raises(ConfigError, match=r"column \w+ of the key is empty"):
            SQL.send(where, sink, dialect_texts.parcel("f00-3", keyless))


def test_an_inbox_of_oracle_says_that_it_cannot_tell_blanks_from_null() -> None:
    served = dialect_texts.inbox("oracle") | answers("oracle", {"data_type": "VARCHAR2"}, [])
    with standin.served("oracle", **served):
        asked = ReadRequest("f00", (Column("k", "k"),), SqlSink(table="card_status"))
        held = SQL.held(standin.connection("oracle"), asked, Arrivals(("k",), lambda _: ()))  # type: ignore[attr-defined]
    assert held.blank_is_null


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (["AT", "DATE", 7, 0, None, None, "Y", None, "NO", None], "column AT is date, needs"),
        (
            ["AMOUNT", "NUMBER", 22, 0, 16, 1, "Y", None, "NO", None],
            r"column AMOUNT is number\(16,1\), needs NUMERIC",
        ),
        (
            ["ID", "CHAR", 760, 190, None, None, "Y", None, "NO", "C"],
            r"column ID is char\(190\), needs VARCHAR2",
        ),
    ],
    ids=["no fractions", "rounds", "padded"],
)
def test_an_inbox_of_oracle_that_would_change_values_is_refused(column: Any, says: str) -> None:
    names, rows = dialect_texts.inbox("oracle")["all_tab_cols"]
    changed = [column if row[0] == column[0] else row for row in rows]
    with pytest.raises(ConfigError, match=says):
        delivered("oracle", all_tab_cols=(names, changed))


@pytest.mark.parametrize(
    ("column", "more", "says"),
    [
        ("at", {"kind": "datetime"}, "column at is datetime, needs DATETIME2"),
        (
            "at",
            {"kind": "datetimeoffset", "scale": 7},
            r"column at is datetimeoffset\(7\), needs DATETIME2",
        ),
        ("amount", {"kind": "money"}, "column amount is money, needs NUMERIC"),
        (
            "name",
            {"kind": "varchar", "max_length": -1, "collation_name": "Chinese_PRC_CI_AS"},
            r"column name is varchar\(max\), needs",
        ),
        (
            "id",
            {"kind": "nvarchar", "max_length": 380, "collation_name": "Chinese_PRC_CI_AS"},
            "the collation of key id .Chinese_PRC_CI_AS. takes different keys for one",
        ),
    ],
    ids=["a 300th of a second", "a clock time for UTC's", "money", "code page", "case"],
)
def test_an_inbox_of_sql_server_that_would_change_values_is_refused(
    column: str, more: dict[str, Any], says: str
) -> None:
    names, rows = dialect_texts.inbox("mssql")["sys.columns"]
    told = [dict(zip(names, row, strict=True)) for row in rows]
    changed = [[(r | more if r["name"] == column else r).get(n) for n in names] for r in told]
    with pytest.raises(ConfigError, match=says):
        delivered("mssql", **{"sys.columns": (names, changed)})


def test_a_blank_at_the_end_of_a_key_is_no_key_of_sql_server() -> None:
    blank = [{**row, "id": row["id"] + " "} for row in dialect_texts.SENT]
    with (
        standin.served("mssql", **dialect_texts.inbox("mssql")),
        pytest.raises(ConfigError, match="a key with a blank at its end"),
    ):
        SQL.send(
            standin.connection("mssql"),
            SqlSink(table="card_status"),
            dialect_texts.parcel("f00-4", blank),
        )


def test_a_blank_at_the_end_of_a_key_is_no_key_of_dm_as_it_is_installed() -> None:
    """Otherwise the row of `A ` would go when that of `A` comes."""
    blank = [{**row, "id": row["id"] + " "} for row in dialect_texts.SENT]
    with (
        standin.served("dm", **dialect_texts.inbox("dm")),
        pytest.raises(ConfigError, match="a key with a blank at its end"),
    ):
        SQL.send(
            standin.connection("dm"), SqlSink(table="card_status"), dialect_texts.parcel(rows=blank)
        )


@pytest.mark.parametrize(
    ("told", "exact"), [([0, 1], True), ([0, 0], False)], ids=["blanks count not", "blanks count"]
)
def test_dm_deletes_the_keys_that_are_told_and_no_others(told: list[int], exact: bool) -> None:
    _, server = delivered("dm", **{"'a' AS VARCHAR": (["cases", "blanks"], [told])})
    deletes = [s for s in server.asked if s[0].startswith("DELETE FROM card_status")]
    assert len(deletes) == 2
    for statement, parameters in deletes:
        assert ("(card_status.id || '.')" in statement) is exact
        assert any(str(v).endswith(".") for v in _values(parameters)) is exact


def test_a_server_of_dm_that_takes_cases_for_one_is_no_inbox_of_free_keys() -> None:
    with pytest.raises(ConfigError, match=r"key ID \(CASE_SENSITIVE = 0\) takes different keys"):
        delivered("dm", **{"'a' AS VARCHAR": (["cases", "blanks"], [[1, 0]])})


def test_an_inbox_of_dm_holds_times_without_a_zone() -> None:
    names, rows = dialect_texts.inbox("dm")["all_tab_cols"]
    zoned = ["AT", "TIMESTAMP(6) WITH TIME ZONE", 11, 0, None, 6, "Y", None, "NO", None]
    changed = [zoned if row[0] == "AT" else row for row in rows]
    with pytest.raises(ConfigError, match=r"column AT is timestamp.* with time zone, needs TIMES"):
        delivered("dm", all_tab_cols=(names, changed))


def test_an_instant_stands_in_a_new_inbox_of_dm_with_its_time() -> None:
    """A DATE of DM8 has no hours."""
    made = (dialect_texts.FOLDER / "dm.sql").read_text(encoding="utf-8")
    assert ("\tat TIMESTAMP," in made, "\treceived_at TIMESTAMP," in made) == (True, True)


def test_a_name_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    with (
        standin.served("mssql", **dialect_texts.inbox("mssql")) as server,
        pytest.raises(ConfigError, match="names of this database have at most 128 characters"),
    ):
        SQL.send(standin.connection("mssql"), SqlSink(table="x" * 129), dialect_texts.parcel())
    assert not any(s.startswith(("INSERT", "CREATE")) for s in server.statements)


@pytest.mark.parametrize("name", ALONE)
def test_an_instant_is_one_whatever_the_zone_in_which_it_was_asked_for(name: str) -> None:
    told = {"oracle": TIMES["oracle"], "mssql": {"kind": "datetimeoffset", "scale": 7}}.get(name)
    if told is None:  # DM8's times with a zone are refused
        return
    rows = [("1", "2026-10-31 16:00:00.000000"), ("2", "2026-10-31 16:00:00.5000000")]
    with standin.served(name, **answers(name, told, rows)):
        found: list[Chunk] = list(SQL.read(standin.connection(name), request(*KEYED)))
    times = [v for c in found for v in c.batch["v"].to_pylist()]
    midnight = datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert times == [midnight, midnight + timedelta(milliseconds=500)]
