"""Parquet as it leaves: what cannot be packed is not, and every value is the same."""

from __future__ import annotations

import secrets
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.files import formats
from connectors.files.options import FilesSink
from onecard.ports.sink import Parcel
from tests.connectors import systems

ROWS = 3_000


def written(path: Path, table: pa.Table, size: int = 1_000) -> pq.ParquetFile:
    sink = FilesSink.model_validate({"directory": "inbox", "format": {"kind": "parquet"}})
    parcel = Parcel(
        delivery_id="d1",
        agreement="a01",
        schema=table.schema,
        key=("token",),
        batches=iter(table.to_batches(max_chunksize=size)),
        manifest={},
        leave=systems.free,
        sign=systems.marked,
    )
    assert formats.write(path, sink.format, parcel) == len(table)
    return pq.ParquetFile(path)


def codecs(file: pq.ParquetFile) -> dict[str, set[str]]:
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    columns = [group.column(n) for group in groups for n in range(file.metadata.num_columns)]
    return {
        name: {c.compression for c in columns if c.path_in_schema == name}
        for name in file.schema_arrow.names
    }


def test_tokens_are_not_compressed_and_the_rest_is(tmp_path: Path) -> None:
    table = pa.table(
        {
            "token": pa.array([secrets.token_hex(26) for _ in range(ROWS)], pa.large_string()),
            "dense": [secrets.token_urlsafe(26) for _ in range(ROWS)],
            "person": [f"4101012000010{n:05d}" for n in range(ROWS)],
            "status": ["1", "2", None] * (ROWS // 3),
            "amount": pa.array(range(ROWS), pa.decimal128(12, 2)),
            "none": pa.nulls(ROWS),
        }
    )
    file = written(tmp_path / "a.parquet", table)
    found = codecs(file)
    assert found["dense"] == {"UNCOMPRESSED"}
    assert {n for n, used in found.items() if used == {"SNAPPY"}} >= {"person", "status", "amount"}
    assert file.read().equals(table.cast(file.schema_arrow))


def test_a_first_batch_of_nothing_but_missing_values(tmp_path: Path) -> None:
    table = pa.table({"token": pa.array([None, "a"], pa.string()), "n": [1, 2]})
    assert written(tmp_path / "a.parquet", table, 1).read().equals(table)


def test_no_rows(tmp_path: Path) -> None:
    table = pa.table({"token": pa.array([], pa.string())})
    assert written(tmp_path / "a.parquet", table).read().equals(table)
