"""F41: who receives a value decides what is done to it (docs/faults.md, Exports)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.files.connector import FilesConnector
from onecard.ports.sink import Parcel
from onecard.ports.source import Column, ReadRequest
from quality.reports import workbook
from tests.connectors.systems import conn, free, marked

HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://x.invalid";"a")',
    "=cmd|' /C calc'!A0",
    "\n=1",
    "<script>alert(1)</script>",
]


def deliver(folder: Path, layout: dict[str, Any]) -> Path:
    """A delivery of the hostile values to a folder."""
    schema = pa.schema([("k", pa.string()), ("x", pa.string())])
    rows = [{"k": str(n), "x": text} for n, text in enumerate(HOSTILE)]
    batches = pa.Table.from_pylist(rows, schema).to_batches()
    options = FilesConnector.sink_options.model_validate({"directory": "in", "format": layout})
    parcel = Parcel("d-1", "f00", schema, ("k",), iter(batches), {}, free, marked)
    FilesConnector().send(conn(conn_type="fs", extra={"path": str(folder)}), options, parcel)
    return folder / "in" / "f00"


@pytest.mark.fault("F41", "deliveries between machines carry each value exactly as it is")
@pytest.mark.parametrize("layout", [{"kind": "csv"}, {"kind": "csv", "encoding": "gb18030"}])
def test_a_csv_delivery_alters_no_value(tmp_path: Path, layout: dict[str, Any]) -> None:
    deliver(tmp_path, layout)
    options = FilesConnector.source_options.model_validate(
        {"directory": "in/f00", "pattern": "*.csv", "format": layout, "manifest": {}}
    )
    columns = (Column("k", "k", required=True), Column("x", "x", required=True))
    home = conn(conn_type="fs", extra={"path": str(tmp_path)})
    reading = FilesConnector().read(home, ReadRequest("a/b", columns, options))
    found = [row for part in reading for row in part.batch.to_pylist()]
    assert [row["x"] for row in found] == HOSTILE
    assert reading.refused == ()


@pytest.mark.fault("F41", "Parquet deliveries carry each value exactly as it is")
def test_a_parquet_delivery_alters_no_value(tmp_path: Path) -> None:
    folder = deliver(tmp_path, {"kind": "parquet"})
    assert pq.read_table(folder / "d-1.parquet")["x"].to_pylist() == HOSTILE


@pytest.mark.fault("F41", "workbooks for people hold text cells only, none begins a formula")
def test_a_workbook_for_people_is_harmless(tmp_path: Path) -> None:
    file = tmp_path / "problems.xlsx"
    workbook.write(file, "=title", ("=1+1", "x"), [(text, 1) for text in HOSTILE])
    sheet = openpyxl.load_workbook(file).worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    assert len(cells) == len(HOSTILE) + 2
    for cell in cells:
        assert cell.data_type == "s"
        assert not str(cell.value).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
