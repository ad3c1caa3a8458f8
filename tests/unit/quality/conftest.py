"""Small contracts and chunks: one field at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from onecard.ports.row_gate import Checked
from onecard.ports.source import Chunk
from quality.rows.gate import compile_gate
from schemas.models.contract import Contract

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
"""23:30 in Zhengzhou."""

SEMANTIC = {
    "string": "text",
    "date": "date",
    "timestamp": "instant",
    "integer": "sequence",
    "number": "money",
}


def make_contract(*fields: dict[str, Any], rules: Sequence[dict[str, Any]] = ()) -> Contract:
    """A contract of the given fields behind a key field `k`."""
    made = [{"name": "k", "type": "string", "required": True, "key_position": 1}, *fields]
    for field in made:
        field.setdefault("type", "string")
        field.setdefault("semantic", SEMANTIC[field["type"]])
        field.update(title=field["name"], native=field["name"], level="L1", pii="NONE")
    named = [
        {"name": f"rule_{i}", "title": "t", "dimension": "consistency", **rule}
        for i, rule in enumerate(rules)
    ]
    return Contract.model_validate(
        {
            "id": "hrss/made",
            "version": "1.0.0",
            "title": "t",
            "description": "d",
            "status": "active",
            "freshness": "PT24H",
            "fields": made,
            "rules": named,
            "source": {"connector": "sql", "connection": "made"},
        }
    )


def make_chunk(columns: dict[str, Any], first_row: int = 1, **options: Any) -> Chunk:
    """A chunk of the columns, with a key of its own."""
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        for name, values in columns.items()
    }
    length = len(next(iter(arrays.values())))
    arrays = {"k": pa.array([f"k{i}" for i in range(length)]), **arrays}
    return Chunk(pa.record_batch(arrays), "made", first_row, **options)


def reasons_of(checked: Checked, length: int) -> list[list[str]]:
    """Per row, `field:rule` of each reason."""
    found: list[list[str]] = [[] for _ in range(length)]
    for row in checked.rejected:
        found[row.number - 1] = [f"{reason.field}:{reason.rule}" for reason in row.reasons]
    return found


@pytest.fixture(params=["on", "off"])
def either_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate with the compiled library, and without it."""
    monkeypatch.setenv("ONECARD_NATIVE", request.param)


@pytest.fixture
def contract_of() -> Callable[..., Contract]:
    return make_contract


@pytest.fixture
def chunk_of() -> Callable[..., Chunk]:
    return make_chunk


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def judge() -> Callable[..., list[list[str]]]:
    """The rules that each value of one field `f` breaks."""

    def run(field: dict[str, Any], values: Any, profile: str = "production") -> list[list[str]]:
        gate = compile_gate(make_contract({"name": "f", **field}), profile=profile)
        checked = gate.check(make_chunk({"f": values}), NOW)
        assert len(checked.good) + len(checked.rejected) == len(values)
        return [
            [reason.removeprefix("f:") for reason in row]
            for row in reasons_of(checked, len(values))
        ]

    return run


@pytest.fixture
def break_rules() -> Callable[..., list[list[str]]]:
    """`field:rule` of each row, for fields, contract rules and columns."""

    def run(
        fields: Sequence[dict[str, Any]], rule: dict[str, Any], columns: dict[str, Any]
    ) -> list[list[str]]:
        severity = {"severity": rule.pop("severity")} if "severity" in rule else {}
        contract = make_contract(*fields, rules=[{"check": rule, **severity}])
        chunk = make_chunk(columns)
        checked = compile_gate(contract).check(chunk, NOW)
        return reasons_of(checked, chunk.batch.num_rows)

    return run
