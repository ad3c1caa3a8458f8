"""Exported suites under plain GX, on pandas and on PostgreSQL: the gate's failing rows, no others.

The suites run in a process that knows the exported folder and not the project. Each expectation
of a row is one reason of the gate, so rows are compared reason by reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from typer.testing import CliRunner

from demo.calendar import Day
from demo.planting import Planter, text_frame
from demo.run import TYPED
from demo.world import World
from onecard.cli.app import app
from onecard.ports.source import Chunk
from onecard.store import database
from quality.expectations.export import export
from quality.expectations.patterns import admits_controls, portable
from quality.expectations.suites import suite
from quality.rows.gate import compile_gate
from schemas.models import catalogue
from schemas.models.contract import Contract, Field
from schemas.models.semantic import load as semantic_types
from tests.sampling import sampled

CONTRACTS = catalogue.load().contracts
NOW = Day(0).night
PERSONS = 1_500
Failing = dict[tuple[str, str], list[int]]

RUNNER = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import pandas as pd
from onecard_expectations import outcomes
from onecard_expectations.running import Table, on_frame, on_table
assert not [m for m in sys.modules if m.split(".")[0] in ("onecard", "quality", "schemas")]
found, now, url = {}, sys.argv[2], sys.argv[3]
for file in sorted(Path(sys.argv[1], "suites").glob("*.json")):
    suite = json.loads(file.read_text(encoding="utf-8"))
    frame = pd.read_parquet(Path(sys.argv[1], file.stem + ".parquet"))
    frame.index = frame.index + 1
    by_table = on_table(suite, Table(url, file.stem, "public", "_row"), now)
    results = {"pandas": on_frame(suite, frame, now), "postgres": by_table}
    for engine, result in results.items():
        row = None if engine == "pandas" else "_row"
        found[f"{file.stem} {engine}"] = outcomes(result, row)
        found[f"{file.stem} {engine} said"] = str(result.to_json_dict()["results"])
json.dump(found, sys.stdout)
"""


@pytest.fixture
def address(private_database: str) -> str:
    return private_database


def planted(contract: Contract, seed: int) -> tuple[pl.DataFrame, int]:
    """A dataset of day 0 with its planted defects as text, and how many were planted."""
    as_text = contract.source.connection not in TYPED
    planter = Planter(contract, seed, 0, as_text=as_text)
    blocks = World(seed, PERSONS).rows(contract.id, 0)
    frames = [frame for block in blocks for frame in planter.spoil(block)]
    texts = [frame if as_text else text_frame(frame) for frame in frames]
    return pl.concat([t.select(contract.names) for t in texts]), len(planter.truth.defects)


def by_gate(contract: Contract, rows: pl.DataFrame) -> Failing:
    batch = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks().to_batches()[0]
    gate = compile_gate(contract, profile="demo")
    checked = gate.check(Chunk(batch=batch, origin="planted", first_row=1), NOW)
    found: Failing = defaultdict(list)
    for rejected in checked.rejected:
        for reason in rejected.reasons:
            found[reason.field, reason.rule].append(rejected.number)
    return {reason: sorted(numbers) for reason, numbers in found.items()}


def table_of(address: str, name: str, rows: pl.DataFrame) -> None:
    """A PostgreSQL table of text that numbers its rows, from 1."""
    columns = ", ".join(f'"{c}" text' for c in rows.columns)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE TABLE "{name}" (_row bigint, {columns})')
        with connection.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
            for number, row in enumerate(rows.iter_rows(), start=1):
                copy.write_row((number, *row))


def run(folder: Path, address: str) -> dict[str, Any]:
    """The exported folder's outcomes, in a process outside of the project."""
    url = database.sqlalchemy_url(address)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(folder), NOW.isoformat(), url],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of_rows(outcomes: list[dict[str, Any]]) -> Failing:
    """Failing rows by reason; an unknown division warns and rejects nobody."""
    return {
        (o["field"], o["rule"]): o["rows"]
        for o in outcomes
        if o["kind"] == "row" and o["rows"] and not o["rule"].endswith(".listed")
    }


FEW = (
    "hrss/card_master",
    "hrss/card_status_event",
    "hrss/subsidy_payment",
    "housing_fund/hf_account",
    "medical_insurance/med_settlement",
)
"""Datasets that have rules of every kind between them."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "datasets"),
    sampled([(7, FEW), *((seed, tuple(CONTRACTS)) for seed in (20261123, 4711))], [(7, FEW)]),
    ids=["a few", "20261123", "4711"],
)
def test_failing_rows_equal_the_gates(
    seed: int, datasets: tuple[str, ...], address: str, tmp_path: Path
) -> None:
    chosen = [CONTRACTS[name] for name in datasets]
    export(chosen, tmp_path, "demo")
    gate: dict[str, Failing] = {}
    secrets: dict[str, set[str]] = {}
    for contract in chosen:
        rows, defects = planted(contract, seed)
        gate[contract.table] = by_gate(contract, rows)
        sets = {rule.name for rule in contract.rules if rule.check.check == "unique"}
        assert defects - 3 * len(sets) == len({n for f in gate[contract.table].values() for n in f})
        table_of(address, contract.table, rows)
        rows.write_parquet(tmp_path / f"{contract.table}.parquet")
        named = [f.name for f in contract.fields if f.semantic in ("id_number", "bank_account")]
        secrets[contract.table] = {v for n in named for v in rows[n].drop_nulls() if len(v) > 14}
    found = run(tmp_path, address)
    for table, expected in gate.items():
        for engine in ("pandas", "postgres"):
            outcomes = found[f"{table} {engine}"]
            assert [o["name"] for o in outcomes if o["error"]] == [], f"{table} {engine}"
            assert of_rows(outcomes) == expected, f"{table} {engine}"
            said = found[f"{table} {engine} said"]
            assert [i for i, v in enumerate(secrets[table]) if v in said] == []
    assert sum(len(f) for f in gate.values()) > 20 * len(chosen)


HARD = {
    "date": ["2026-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-1-01", ""],
    "timestamp": [
        "2026-11-23T10:00:00Z",
        "2026-11-23 10:00:00.123456+23:59",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-00:01",
        "2026-11-23T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-23T10:00:00.1234567Z",
        "2026-11-23T10:00:00+08:00\n",
    ],
    "integer": ["-0", "1" * 18, "1" * 19, "+1", " 1", "１", "1.0", "1\n"],
    "number": ["-0.00", "007.10", "1.230", "1.234", "12345678901.00", "1e3", ".5", "5.", "NaN"],
    "id_number": ["41019919900101001x", "11010519491231002X", "810000199408230021", "4" * 18],
    "uscc": ["91350100M000100Y43", "91350100M000100Y44", "91350100m000100Y43", "O" * 18],
    "bank_account": ["6222600260001072444", "6222600260001072445", "0" * 16, "0" * 15, "1" * 20],
}
"""Values at the edges, by type or semantic type."""


def edge(kind: str) -> Contract:
    """A contract of a number and one field of a kind."""
    typed = kind in ("date", "timestamp", "integer", "number")
    decimal = {"precision": 12, "scale": 2} if kind == "number" else {}
    common = {"level": "L1", "pii": "NONE"}
    key = {"type": "string", "semantic": "code", "required": True, "key_position": 1}
    field = {"type": kind, "semantic": "text"} if typed else {"type": "string", "semantic": kind}
    fields = [
        Field(name="row", title="row", native="row", **common, **key),
        Field(name="value", title="value", native="value", **common, **field, **decimal),
    ]
    base = CONTRACTS["hrss/ecard_binding"]
    changes = {"fields": tuple(fields), "rules": (), "expectations": (), "sequence": None}
    source = base.source.model_copy(update={"cursor": None})
    return base.model_copy(update={"id": f"edge/{kind}", "source": source, **changes})


def test_values_at_the_edges(address: str, tmp_path: Path) -> None:
    contracts = [edge(kind) for kind in HARD]
    export(contracts, tmp_path, "demo")
    gate = {}
    for contract, values in zip(contracts, HARD.values(), strict=True):
        rows = pl.DataFrame({"row": [str(i) for i in range(len(values))], "value": values})
        gate[contract.table] = by_gate(contract, rows)
        table_of(address, contract.table, rows)
        rows.write_parquet(tmp_path / f"{contract.table}.parquet")
    found = run(tmp_path, address)
    for table, expected in gate.items():
        assert expected
        for engine in ("pandas", "postgres"):
            assert of_rows(found[f"{table} {engine}"]) == expected, f"{table} {engine}"


def test_a_few_datasets_have_rules_of_every_kind() -> None:
    kinds = {i: {rule.check.check for rule in c.rules} for i, c in CONTRACTS.items()}
    assert set.union(*(kinds[name] for name in FEW)) == set.union(*kinds.values())


def test_every_check_of_a_row_is_an_expectation() -> None:
    for contract in CONTRACTS.values():
        made = [e["meta"] for e in suite(contract)["expectations"]]
        reasons = {(m["field"], m["rule"]) for m in made}
        assert len(reasons) == len(made)
        assert {r.name for r in contract.rules} <= {m["rule"] for m in made}
        required = {(f.name, "required") for f in contract.fields if f.required}
        assert required <= reasons
        assert {"key_unique", "row_count"} <= {m["rule"] for m in made}


def test_the_command_lists_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    runner = CliRunner()
    listed = runner.invoke(app, ["expectations", "list", "hrss/card_master", "--json"])
    assert listed.exit_code == 0
    rules = {(m["field"], m["rule"]): m for m in json.loads(listed.stdout)}
    assert rules["sex", "sex_matches_id"]["severity"] == "critical"
    folder = tmp_path / "out"
    done = runner.invoke(app, ["expectations", "export", "hrss/card_master", "--out", str(folder)])
    assert done.exit_code == 0
    assert {f.name for f in folder.iterdir()} == {"README.md", "onecard_expectations", "suites"}
    text = (folder / "suites" / "hrss__card_master.json").read_text(encoding="utf-8")
    assert json.loads(text) == suite(CONTRACTS["hrss/card_master"])
    unknown = runner.invoke(app, ["expectations", "list", "hrss/cards"])
    assert unknown.exit_code == 2


def test_the_module_runs_on_a_file_by_itself(tmp_path: Path) -> None:
    contract = CONTRACTS["hrss/ecard_binding"]
    export([contract], tmp_path, "demo")
    rows, _ = planted(contract, 7)
    rows.write_csv(tmp_path / "rows.csv")
    module = [sys.executable, "-m", "onecard_expectations", f"suites/{contract.table}.json"]
    done = subprocess.run(
        [*module, "--csv", "rows.csv", "--now", NOW.isoformat()],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-2000:]
    assert of_rows(json.loads(done.stdout)) == by_gate(contract, rows)


@pytest.mark.parametrize("name", [n for n, t in semantic_types().types.items() if t.pattern])
def test_no_pattern_of_a_semantic_type_admits_controls(name: str) -> None:
    pattern = semantic_types().types[name].pattern
    assert pattern
    assert not admits_controls(portable(pattern))


@pytest.mark.parametrize("pattern", ["^.{2}$", r"^\s+$", "^[^0-9]$", "^[ -\\x{fffd}]+$", "^a\t$"])
def test_patterns_that_admit_controls(pattern: str) -> None:
    assert admits_controls(portable(pattern))
