"""Files of a day with their manifests, written block by block: no day is held in memory."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from demo.calendar import Day
from demo.planting import Truth
from schemas.models.contract import Contract

ROW_GROUP = 131_072
DAMAGED_EVERY, DAMAGED_AT = 1500, 700


class Outbox(ABC):
    """One dataset's file of one day; it appears under its name only when complete.

    Args:
        base: the agency's root folder.
        contract: names the folder below it.
        day: of the file's name.
        truth: damaged records are added to it.
    """

    suffix: ClassVar[str]

    def __init__(self, base: Path, contract: Contract, day: Day, truth: Truth) -> None:
        self._folder = base / str(contract.source.options["directory"])
        self._folder.mkdir(parents=True, exist_ok=True)
        self._name = f"{contract.id.split('/')[1]}_{day.date:%Y%m%d}.{self.suffix}"
        self._native = {f.name: f.native for f in contract.fields}
        self._truth = truth
        self._rows = 0
        self._damaged = 0
        self._part = self._folder / f".{self._name}.part"

    def append(self, frames: Sequence[pl.DataFrame]) -> None:
        """Write some rows (contract names); only the first frame is sound and may be damaged."""
        for number, frame in enumerate(frames):
            self._write(frame.rename(self._native), sound=number == 0)
            self._rows += len(frame)

    def close(self) -> None:
        """Complete the file; its manifest (rows, SHA-256) comes last."""
        self._finish()
        target = self._folder / self._name
        self._part.rename(target)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        note = json.dumps({"rows": self._rows, "sha256": digest})
        (self._folder / f"{self._name}.manifest.json").write_text(note)

    @abstractmethod
    def _write(self, frame: pl.DataFrame, *, sound: bool) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...


class ParquetOutbox(Outbox):
    """Parquet, in row groups."""

    suffix = "parquet"
    _writer: parquet.ParquetWriter | None = None

    def _write(self, frame: pl.DataFrame, *, sound: bool) -> None:  # noqa: ARG002 - Parquet is whole
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._part, table.schema)
        self._writer.write_table(table.cast(self._writer.schema), row_group_size=ROW_GROUP)

    def _finish(self) -> None:
        if self._writer is None:
            empty = pa.schema([(name, pa.string()) for name in self._native.values()])
            self._writer = parquet.ParquetWriter(self._part, empty)
        self._writer.close()


class CsvOutbox(Outbox):
    """CSV in GB18030 with CRLF; now and then a record is damaged."""

    suffix = "csv"

    def __init__(self, base: Path, contract: Contract, day: Day, truth: Truth) -> None:
        super().__init__(base, contract, day, truth)
        self._file = self._part.open("wb")
        self._file.write(_line(self._native.values()))

    def _write(self, frame: pl.DataFrame, *, sound: bool) -> None:
        for offset, row in enumerate(frame.iter_rows(), start=1):
            line = _line(row)
            if sound and offset % DAMAGED_EVERY == DAMAGED_AT:
                line = self._spoilt(line, self._rows + offset)
            self._file.write(line)

    def _finish(self) -> None:
        self._file.close()

    def _spoilt(self, line: bytes, number: int) -> bytes:
        """The record lacks a cell, has bytes of no encoding, or a quote that never closes."""
        rule, spoilt = {
            0: ("record.cells", line.rpartition(b",")[0] + b"\r\n"),
            1: ("record.encoding", b"\xff\xff" + line),
            2: ("record.cells", b'"' + line),
        }[self._damaged % 3]
        self._damaged += 1
        self._truth.defects.append(
            {"key": {}, "origin": self._name, "row": number, "reasons": [["", rule]]}
        )
        return spoilt


def _line(cells: Iterable[str | None]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(["" if c is None else c for c in cells])
    return buffer.getvalue().encode("gb18030")
