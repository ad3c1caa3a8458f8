"""Chunks for the two paths of the gate: rows of every contract, in text and in every type."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from demo.planting import text_frame
from demo.world import World
from onecard.ports.source import Chunk
from schemas.models import catalogue, semantic
from schemas.models.contract import Contract, Field
from tests.property.hostile_cells import HOSTILE, near, right_text

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
CONTRACTS = catalogue.load().contracts
_BASE = 1500
"""Different rows of which a chunk is made."""
_EXTREMES = (0, 1, -1, 2**31 - 1, -(2**31), 2**62, -(2**62), 2**63 - 1, -(2**63), 10**18, 10**15)
_FORMATS = {
    "date": (None, None, "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%Y年%m月%d日", "%y-%m-%d"),
    "timestamp": (None, None, "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S"),
}
_TEXTS = (pa.string(), pa.string(), pa.large_string(), pa.string_view())
_ZONES = (None, "UTC", "Asia/Shanghai", "+08:00")


class Rows:
    """Chunks of one contract: rows that are right, of which some cells are spoilt.

    Args:
        contract: the dataset's.
        chance: decides everything.
    """

    def __init__(self, contract: Contract, chance: random.Random) -> None:
        self._fields = contract.fields
        self._chance = chance
        self._numpy = np.random.default_rng(chance.randrange(2**32))
        self._base = _base(contract, chance)

    def chunk(self, rows: int) -> Chunk:
        """A chunk of so many rows, one column spoilt most; some are typed, slices, damaged."""
        chance = self._chance
        typed = chance.random() < 0.4
        places = self._numpy.integers(0, _BASE, rows)
        rate = chance.choice((0.0, 0.001, 0.003, 0.01))
        text = [f for f in self._fields if f.semantic == "text"]
        worst = chance.choice(text if text and chance.random() < 0.3 else self._fields)
        columns = {}
        for field in self._fields:
            own = typed and chance.random() < 0.8
            columns[field.name] = self._column(
                field, places, 0.3 if field is worst else rate, typed=own
            )
        batch = pa.record_batch(columns)
        if rows and chance.random() < 0.5:
            batch = batch.slice(chance.randrange(rows // 2 + 1))
        harmed = chance.sample(range(len(batch)), min(len(batch), chance.choice((0, 0, 3))))
        unread = self._unread(batch) if chance.random() < 0.1 else {}
        damaged = dict.fromkeys(harmed, "record.cells")
        return Chunk(batch, "made", chance.randrange(1, 10**6), damaged, unread=unread)

    def _column(
        self, field: Field, places: np.ndarray[Any, Any], rate: float, *, typed: bool
    ) -> pa.Array:
        values, foreign = self._values(field, typed=typed)
        spoilt = self._numpy.random(len(places)) < rate
        chosen = self._numpy.integers(_BASE, _BASE + max(foreign, 1), len(places))
        indices = pa.array(np.where(spoilt, chosen, places), mask=spoilt & (chosen % 9 == 0))
        column = values.take(indices) if foreign else values.take(pa.array(places))
        if pa.types.is_large_binary(column.type):
            column = _texts(column, self._chance.choice(_TEXTS))
        if pa.types.is_string(column.type) and self._chance.random() < 0.03:
            column = column.dictionary_encode() if _is_valid(column) else column
        return column

    def _values(self, field: Field, *, typed: bool) -> tuple[pa.Array, int]:
        """Base values, then the others; and how many these are."""
        texts = self._base[field.name]
        if not typed or field.type == "string":
            others = [near(t, self._chance) for t in self._chance.choices(texts, k=300) if t]
            others += [*HOSTILE, *(t or b"" for t in self._chance.choices(texts, k=100))]
            return pa.array([*texts, *others], pa.large_binary()), len(others)
        made = _typed_base(field, texts)
        kind = self._chance.choice(_kinds(field)) if self._chance.random() < 0.15 else made.type
        try:
            others = _extremes(kind)
            return pa.concat_arrays([made.cast(kind, safe=False), others]), len(others)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return made, 0

    def _unread(self, batch: pa.RecordBatch) -> dict[str, dict[int, str]]:
        field = self._chance.choice(self._fields)
        column = batch.column(field.name)
        return {
            field.name: {
                i: "0000-00-00" for i in range(min(len(column), 50)) if not column[i].is_valid
            }
        }


def _is_valid(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _texts(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Bytes as text of a layout, whatever they are."""
    if pa.types.is_string_view(kind):
        views = column.cast(pa.binary_view())
        return pa.Array.from_buffers(kind, len(views), views.buffers(), views.null_count)
    plain = column if pa.types.is_large_string(kind) else column.cast(pa.binary())
    return pa.Array.from_buffers(kind, len(plain), plain.buffers(), plain.null_count, plain.offset)


def _base(contract: Contract, chance: random.Random) -> dict[str, list[bytes | None]]:
    """Rows as text: the demo's own where it has the dataset, else of right values."""
    if contract.id in CONTRACTS:
        rows = _demo_rows(contract.id)
        picked = chance.choices(range(len(rows)), k=_BASE)
        frame = rows[picked]
        return {n: [None if v is None else v.encode() for v in frame[n]] for n in contract.names}
    return {
        f.name: [
            None if not f.required and chance.random() < 0.05 else right_text(f, chance).encode()
            for _ in range(_BASE)
        ]
        for f in contract.fields
    }


@cache
def _demo_rows(dataset: str) -> pl.DataFrame:
    frame = pl.concat(World(3, 3000).rows(dataset, 0)).head(20_000)
    typed = frame.select(CONTRACTS[dataset].names)
    return text_frame(typed)


def _typed_base(field: Field, texts: list[bytes | None]) -> pa.Array:
    rng = random.Random(len(texts))
    if field.type == "date":
        return pa.array([rng.randrange(-30_000, 21_000) for _ in texts], pa.int32()).cast(
            pa.date32()
        )
    if field.type == "timestamp":
        whole = [rng.randrange(-(10**9), 2 * 10**9) * 10**6 for _ in texts]
        return pa.array(whole, pa.int64()).cast(pa.timestamp("us", "UTC"))
    numbers = [rng.randrange(100_000) for _ in texts]
    return pa.array(numbers, pa.int64())


def _kinds(field: Field) -> tuple[pa.DataType, ...]:
    days = (pa.date32(), pa.date32(), pa.date64())
    moments = tuple(pa.timestamp(u, z) for u in ("s", "ms", "us", "ns") for z in _ZONES)
    whole = (pa.int64(), pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.bool_())
    if field.type == "date":
        return (*days * 4, *moments)
    if field.type == "timestamp":
        return (*(pa.timestamp("us", "UTC"),) * 9, *moments, *days)
    exact = tuple(
        pa.decimal128(p, s) for p, s in ((38, 0), (20, 2), (24, 4), (field.precision or 38, 0))
    )
    return (*whole, *exact, pa.decimal256(50, 3), pa.null(), pa.binary())


def _extremes(kind: pa.DataType) -> pa.Array:
    if pa.types.is_floating(kind):
        return pa.array([float("nan"), float("inf"), float("-inf"), -0.0, 1.5, 1e300], kind)
    whole = pa.array(_EXTREMES, pa.int64())
    if pa.types.is_date32(kind):
        narrow = pa.array([x for x in _EXTREMES if -(2**31) <= x < 2**31], pa.int32())
        return narrow.cast(kind)
    if pa.types.is_timestamp(kind):
        return whole.cast(pa.timestamp(kind.unit)).cast(kind, safe=False)
    if pa.types.is_date64(kind):
        return whole.view(pa.date64())
    if pa.types.is_null(kind):
        return pa.nulls(3)
    return pa.array([0, 1, 99], pa.int64()).cast(kind, safe=False)


def made_contract(chance: random.Random) -> Contract:
    """A contract of random fields: semantic types, forms of text, formats, lengths and rules."""
    kinds = semantic.load().types
    fields: list[dict[str, Any]] = [_field("k", "string", "identifier", required=True)]
    fields[0]["key_position"] = 1
    fields += [_field("id", "string", "id_number"), _field("born", "date", "date")]
    fields += [_field("sex", "string", "code", codes=["sex"])]
    fields += [_field("words", "string", "text", max_length=chance.choice((None, 8, 30)))]
    for i in range(chance.randrange(4, 10)):
        kind = chance.choice(
            ("string", "string", "string", "date", "timestamp", "integer", "number")
        )
        meaning = {"date": "date", "timestamp": "instant", "integer": "sequence", "number": "money"}
        made = _field(f"f{i}", kind, meaning.get(kind) or chance.choice(sorted(kinds)))
        made |= _details(kind, chance)
        fields.append(made)
    return Contract.model_validate(
        {
            "id": "hrss/made",
            "version": "1.0.0",
            "title": "t",
            "description": "d",
            "status": "active",
            "freshness": "PT24H",
            "fields": fields,
            "rules": list(_rules(fields, chance)),
            "source": {"connector": "sql", "connection": "made", "text": _form(chance)},
        }
    )


def _field(name: str, kind: str, meaning: str, **more: Any) -> dict[str, Any]:
    common = {"name": name, "title": name, "native": name, "level": "L1", "pii": "NONE"}
    return {**common, "type": kind, "semantic": meaning, **more}


def _details(kind: str, chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"required": chance.random() < 0.3}
    if kind == "string":
        made["max_length"] = chance.choice((None, None, 3, 18, 50))
        if chance.random() < 0.25:
            made |= {"codes": [chance.choice(("division_zz", "sex", "bank"))], "semantic": "code"}
    elif kind in _FORMATS:
        made["format"] = chance.choice(_FORMATS[kind])
    elif kind == "number":
        scale = chance.choice((0, 2, 6, 38))
        made |= {"precision": chance.choice((38, max(10, scale))), "scale": scale}
    return made


def _form(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {}
    return {
        "trim": chance.random() < 0.5,
        "null": chance.choice(((), ("NULL",), ("NULL", "-", "0"))),
        "decimal": chance.choice((".", ",")),
        "thousands": chance.choice((None, "'", " ")),
    }


def _rules(fields: list[dict[str, Any]], chance: random.Random) -> Iterator[dict[str, Any]]:
    checks: list[dict[str, Any]] = [
        {"check": "sex_of", "id_number": "id", "field": "sex"},
        {"check": "birth_date_of", "id_number": "id", "field": "born"},
        {"check": "compare", "left": "born", "op": "<=", "value": "now"},
    ]
    for field in fields[5:]:
        name = field["name"]
        if field["type"] in ("integer", "number"):
            checks.append({"check": "range", "field": name, "min": 0, "max": 10**9})
        elif field["type"] == "string":
            checks.append({"check": "pattern", "field": name, "pattern": "[0-9A-Za-z]*"})
        checks.append(
            {
                "check": "implies",
                "when": [{"field": "sex", "in": ["1"]}],
                "then": {"field": name, "null": False},
            }
        )
    for i, check in enumerate(checks):
        if chance.random() < 0.3:
            severity = chance.choice(("error", "error", "warning"))
            yield {
                "name": f"rule_{i}",
                "title": "t",
                "dimension": "consistency",
                "severity": severity,
                "check": check,
            }
