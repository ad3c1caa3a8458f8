"""`onecard check`: a dataset's gate on a local file, without a database."""

from __future__ import annotations

import csv
import json as json_lines
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import connectors
from onecard.base.connections import Connection
from onecard.base.settings import Settings
from onecard.collect import drift_policy
from onecard.errors import UsageError, unknown
from onecard.ports.source import Reading, ReadRequest
from quality.rows.gate import compile_gate
from schemas.models.contract import Contract

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Outcome: rows read, accepted, rejected, and each reason by row number (from 1)."""

    read: int
    accepted: int
    rejected: int
    rows: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """The outcome without any value of a row."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "rows": list(self.rows),
        }


def check_file(settings: Settings, contract: Contract, file: Path, encoding: str) -> FileCheck:
    """Read the file as its format's connector does and run the gate on every row.

    Columns are named as in the contract or by their native names.

    Args:
        settings: profile and clock of the hub.
        contract: of the dataset.
        file: CSV, JSON lines or Parquet, by its suffix.
        encoding: of a CSV file.

    Raises:
        ConfigError: no such file, or a format that is not supported.
        SchemaMismatch: a column is missing, or one is there that the contract does not name.
    """
    kind = FORMATS.get(file.suffix.lower())
    if kind is None:
        raise UsageError(f"{file}: " + unknown("file format", file.suffix, FORMATS))
    if not file.is_file():
        msg = f"{file}: no such file"
        raise UsageError(msg)
    gate = compile_gate(contract, profile=settings.profile)
    read = accepted = rejected = 0
    reasons: list[dict[str, Any]] = []
    now = settings.now()
    for chunk in _reading(contract, file, kind, encoding):
        checked = gate.check(chunk, now)
        read += chunk.batch.num_rows
        accepted += len(checked.good)
        rejected += len(checked.rejected)
        reasons.extend(
            {"row": row.number, "field": reason.field, "rule": reason.rule}
            for row in checked.rejected
            for reason in row.reasons
        )
    return FileCheck(read, accepted, rejected, tuple(reasons))


def _reading(contract: Contract, file: Path, kind: str, encoding: str) -> Reading:
    """The file as the connector of files reads it: chunks of the contract's columns."""
    files = connectors.connector("files")
    layout = {"kind": kind, "encoding": encoding} if kind == "csv" else {"kind": kind}
    options = files.source_options.model_validate(
        {"directory": ".", "pattern": file.name.replace("[", "[[]"), "format": layout}
    )
    here = _column_names(file, kind, encoding)
    columns = tuple(
        replace(column, native=column.name) if column.name in here else column
        for column in drift_policy.columns(contract)
    )
    home = Connection.model_validate(
        {"id": "local", "conn_type": "fs", "extra": {"path": str(file.resolve().parent)}}
    )
    return files.read(home, ReadRequest(contract.id, columns, options))


def _column_names(file: Path, kind: str, encoding: str) -> set[str]:
    """Names in the file's own header; a header that cannot be read is left to the connector."""
    if kind == "parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415 - only for Parquet
        from pyarrow import ArrowInvalid  # noqa: PLC0415

        try:
            return set(pq.read_schema(file).names)
        except ArrowInvalid:
            return set()
    with file.open(
        encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors="replace", newline=""
    ) as stream:
        first = stream.readline()
    if kind == "csv":
        return set(next(csv.reader([first]), []))
    try:
        record = json_lines.loads(first)
    except ValueError:
        return set()
    return set(record) if isinstance(record, dict) else set()
