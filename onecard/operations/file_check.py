"""`onecard check`: a dataset's gate on a local file, without a database."""

from __future__ import annotations

import csv
import fnmatch
import json as json_lines
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import connectors
from connectors.files import gb18030
from onecard.base.connections import Connection
from onecard.base.settings import Settings
from onecard.collect import drift_policy
from onecard.errors import ProtocolError, UsageError, unknown
from onecard.ports.row_gate import Reason
from onecard.ports.source import Reading, ReadRequest, Remarking
from quality.rows.gate import compile_gate
from schemas.models.contract import Contract
from schemas.models.expected import expected

FORMATS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
    ".dbf": "dbf",
    ".xml": "xml",
}
"""What a suffix tells where the contract says nothing of files, or of files of another kind."""

Layout = dict[str, Any]
"""A format as the options of files have it: kind, and what belongs to the kind."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Outcome: rows read, accepted, rejected, and each reason by row number (from 1).

    Attributes:
        layout: as what the file was read: the contract's format, and what was asked for instead.
        warnings: accepted rows by field and rule that only warns.
        remarks: of the reading: lines that were no rows.
    """

    read: int
    accepted: int
    rejected: int
    rows: tuple[dict[str, Any], ...]
    layout: Layout
    warnings: tuple[dict[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The outcome without any value of a row."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "rows": list(self.rows),
            "format": self.layout,
            "warnings": list(self.warnings),
            "remarks": list(self.remarks),
        }


def check_file(
    settings: Settings, contract: Contract, file: Path, instead: Mapping[str, str]
) -> FileCheck:
    """Read the file as its format's connector does and run the gate on every row.

    The format is the contract's where it names one of the file's kind; columns are named as in the
    contract or by their native names.

    Args:
        settings: profile and clock of the hub.
        contract: of the dataset.
        file: of any kind that is read, by its suffix or by the contract; a kind that needs more
            than its name (XML, fixed widths, ZIP) by the contract alone.
        instead: parts of the format (encoding, delimiter, records) that are asked for instead.

    Raises:
        UsageError: no such file, or a format that is not supported or does not have such a part.
        SchemaMismatch: a column is missing, or one is there that the contract does not name.
        ProtocolError: it cannot be read as what it is, or has not the rows that it says.
    """
    layout = _layout(contract, file, instead)
    if not file.is_file():
        msg = f"{file}: no such file"
        raise UsageError(msg)
    gate = compile_gate(contract, profile=settings.profile)
    read = accepted = rejected = 0
    reasons: list[dict[str, Any]] = []
    warned: Counter[Reason] = Counter()
    now = settings.now()
    reading = _reading(contract, file, layout)
    for chunk in reading:
        checked = gate.check(chunk, now)
        read += chunk.batch.num_rows
        accepted += len(checked.good)
        rejected += len(checked.rejected)
        warned.update(checked.warnings)
        reasons.extend(
            {"row": row.number, "field": reason.field, "rule": reason.rule}
            | _form(contract, reason)
            for row in checked.rejected
            for reason in row.reasons
        )
    if reading.refused:
        rules = ", ".join(sorted({refusal.rule for refusal in reading.refused}))
        msg = f"{file}: refused as a whole: {rules}"
        raise ProtocolError(msg)
    warnings = [
        {"field": reason.field, "rule": reason.rule, "rows": number}
        for reason, number in sorted(warned.items())
    ]
    remarks = reading.remarks if isinstance(reading, Remarking) else ()
    rows = tuple(reasons)
    return FileCheck(read, accepted, rejected, rows, layout, tuple(warnings), remarks)


def _form(contract: Contract, reason: Reason) -> dict[str, str]:
    form = expected(contract, reason.field, reason.rule)
    return {"expected": form} if form else {}


def _layout(contract: Contract, file: Path, instead: Mapping[str, str]) -> Layout:
    """The format of a file; the contract's where its own files are of that kind."""
    given = contract.source.options if contract.source.connector in ("files", "push") else {}
    own = dict(given.get("format") or {})
    taken = fnmatch.fnmatchcase(file.name, str(given.get("pattern", "")))
    packed = dict(own.get("of") or {})
    suffix = file.suffix.lower()
    if packed and suffix != ".zip":
        archive = taken and suffix not in FORMATS and file.is_file() and zipfile.is_zipfile(file)
        own = own if archive else packed
    kind = own.get("kind") if taken else FORMATS.get(file.suffix.lower(), own.get("kind"))
    if kind is None:
        raise UsageError(f"{file}: " + unknown("file format", file.suffix, FORMATS))
    layout = own if own.get("kind") == kind else {"kind": kind}
    if kind == "json" and "records" not in layout:
        layout["records"] = "$"
    return {**layout, **instead}


def _reading(contract: Contract, file: Path, layout: Layout) -> Reading:
    """The file as the connector of files reads it: chunks of the contract's columns."""
    files = connectors.connector("files")
    try:
        options = files.source_options.model_validate(
            {"directory": ".", "pattern": _literally(file.name), "format": layout}
        )
    except ValidationError as error:
        parts = sorted({str(e["loc"][-1]) for e in error.errors()})
        msg = f"{file}: format {layout['kind']} cannot be read with this {', '.join(parts)}"
        raise UsageError(msg) from None
    here = _column_names(file, layout)
    columns = tuple(
        replace(column, native=column.name) if column.name in here else column
        for column in drift_policy.columns(contract)
    )
    home = Connection.model_validate(
        {"id": "local", "conn_type": "fs", "extra": {"path": str(file.resolve().parent)}}
    )
    return files.read(home, ReadRequest(contract.id, columns, options))


def _literally(name: str) -> str:
    """A pattern that matches a name alone."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _column_names(file: Path, layout: Layout) -> set[str]:
    """Names in the file's own header; a header that cannot be read is left to the connector."""
    kind = layout["kind"]
    if kind == "parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415 - only for Parquet
        from pyarrow import ArrowInvalid  # noqa: PLC0415

        try:
            return set(pq.read_schema(file).names)
        except ArrowInvalid:
            return set()
    if kind not in ("csv", "jsonl"):
        return set()
    codec = gb18030.NAME if layout.get("encoding") == "gb18030" else "utf-8-sig"
    with file.open(encoding=codec, errors="replace", newline="") as stream:
        lines = islice(stream, layout.get("above", 0), None)
        first = next((line for line in lines if line.strip()), "").removeprefix("\ufeff")
    if kind == "csv":
        return set(next(csv.reader([first], delimiter=layout.get("delimiter", ",")), []))
    try:
        record = json_lines.loads(first)
    except ValueError:
        return set()
    return set(record) if isinstance(record, dict) else set()
