"""`python -m bench.offices_once WAY FOLDER FIRST`: the hub's own reading of files of offices.

WAY is `reader` or `gate` and a kind, as `gate xlsx`. FIRST holds a few rows, which are read before
anything is measured. Prints seconds, CPU seconds, peak memory in MB and rows as JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import connectors
from bench.office_files import DBF_NAME
from bench.text_once import measured, passed
from demo.hot import DATASET
from onecard.base.connections import Connection
from onecard.collect import drift_policy
from onecard.ports.source import Chunk, ReadRequest
from schemas.models import catalogue

FORMATS: dict[str, dict[str, Any]] = {
    "xlsx": {"kind": "excel"},
    "dbf": {"kind": "dbf"},
    "xml": {"kind": "xml", "record": "/rows/row"},
}


def reading(kind: str, folder: Path) -> Iterator[Chunk]:
    """The hub's own reading of a folder."""
    contract, files = catalogue.load().contract(DATASET), connectors.connector("files")
    columns = drift_policy.columns(contract)
    if kind == "dbf":
        columns = tuple(replace(c, native=DBF_NAME.format(n)) for n, c in enumerate(columns))
    options = {"directory": kind, "pattern": "*", "format": FORMATS[kind]}
    system = Connection(id="files", conn_type="fs", extra={"path": str(folder.parent)})
    request = ReadRequest(
        contract.id, columns, files.source_options.model_validate(options), key=contract.key
    )
    yield from files.read(system, request)


def reader(kind: str, folder: Path) -> int:
    """Rows that the hub reads."""
    return sum(chunk.batch.num_rows for chunk in reading(kind, folder))


def gate(kind: str, folder: Path) -> int:
    """Rows that the hub reads and that pass the gate."""
    return passed(reading(kind, folder))


def main() -> None:
    """Entry point."""
    name, _, kind = sys.argv[1].partition(" ")
    run = {"reader": reader, "gate": gate}[name]
    measured(partial(run, kind), Path(sys.argv[3]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
