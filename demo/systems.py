"""Writes a day's rows into each agency's own system."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet
from sqlalchemy import Column, DateTime, MetaData, String, Table, create_engine, delete, insert

from demo.calendar import Day
from demo.http_api import moment
from demo.planting import Planter, Truth
from demo.tables import append_postgres, create_postgres, delete_postgres, index_postgres
from schemas.contract import Contract

Frames = Iterable[pl.DataFrame]
TEXT_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Systems:
    """Where the agencies' systems are."""

    home: Path
    postgres: str
    housing: str

    def write(self, contract: Contract, planter: Planter, frames: Frames, day: Day) -> Truth:
        """Spoil and write one dataset's rows of a day; returns the truth about them."""
        writers: dict[str, Callable[[Contract, list[pl.DataFrame], Day, Truth], None]] = {
            "hrss_db": self._postgres,
            "housing_fund_db": self._housing,
            "hrss_api": self._http,
            "health_api": self._http,
            "medical_insurance_api": self._http,
            "education_sftp": self._csv,
            "transport_files": self._parquet,
        }
        write = writers[contract.source.connection]
        if (
            contract.source.connection == "transport_files"
            or contract.source.connection == "education_sftp"
        ):
            spoilt = [part for frame in frames for part in planter.spoil(frame)]
            write(contract, spoilt, day, planter.truth)
        else:
            for number, frame in enumerate(frames):
                first = day.number == 0 and number == 0
                if first:
                    self._create(contract)
                write(contract, planter.spoil(frame), day, planter.truth)
            if day.number == 0 and contract.source.connection == "hrss_db":
                native = contract.field("source_updated_at").native
                index_postgres(self.postgres, "hrss", str(contract.source.options["table"]), native)
        return planter.truth

    def delete_ecards(self, contract: Contract, numbers: list[str]) -> None:
        """Hard deletes at the source."""
        place = ("hrss", str(contract.source.options["table"]))
        delete_postgres(self.postgres, place, contract.field("ecard_sign_no").native, numbers)

    def _create(self, contract: Contract) -> None:
        if contract.source.connection == "hrss_db":
            create_postgres(self.postgres, "hrss", str(contract.source.options["table"]), contract)
        elif contract.source.connection == "housing_fund_db":
            engine = create_engine(self.housing)
            self._housing_table(contract).drop(engine, checkfirst=True)
            self._housing_table(contract).create(engine)
            engine.dispose()

    def _postgres(self, contract: Contract, frames: list[pl.DataFrame], day: Day, _: Truth) -> None:
        place = ("hrss", str(contract.source.options["table"]))
        if day.number:
            key = contract.key[0]
            keys = [k for frame in frames for k in frame[key].to_list()]
            delete_postgres(self.postgres, place, contract.field(key).native, keys)
        append_postgres(self.postgres, place, contract, frames)

    def _housing(self, contract: Contract, frames: list[pl.DataFrame], day: Day, _: Truth) -> None:
        table = self._housing_table(contract)
        native = {f.name: f.native for f in contract.fields}
        engine = create_engine(self.housing)
        with engine.begin() as connection:
            for frame in frames:
                rows = frame.rename(native).to_dicts()
                if day.number and rows:
                    key = contract.field(contract.key[0]).native
                    keys = [row[key] for row in rows]
                    for start in range(0, len(keys), 500):
                        connection.execute(
                            delete(table).where(table.c[key].in_(keys[start : start + 500]))
                        )
                if rows and engine.dialect.name != "sqlite":
                    for row in rows:
                        row["source_updated_at"] = row["source_updated_at"][:19].replace("T", " ")
                if rows:
                    connection.execute(insert(table), rows)
        engine.dispose()

    def _housing_table(self, contract: Contract) -> Table:
        """Loosely typed, as old systems are; update times are real times where the database has them."""
        columns = [
            Column(
                f.native,
                DateTime()
                if f.name == "source_updated_at" and "sqlite" not in self.housing
                else String(TEXT_LENGTH),
            )
            for f in contract.fields
        ]
        return Table(str(contract.source.options["table"]), MetaData(), *columns)

    def _http(self, contract: Contract, frames: list[pl.DataFrame], _day: Day, _: Truth) -> None:
        native = {f.name: f.native for f in contract.fields}
        cursor = native[str(contract.source.cursor)]
        folder = self.home / "http"
        folder.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(folder / f"{contract.id.split('/')[1]}.sqlite") as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS rows"
                " (position INTEGER PRIMARY KEY AUTOINCREMENT, moment INTEGER, body TEXT)"
            )
            database.execute("CREATE INDEX IF NOT EXISTS by_moment ON rows (moment)")
            for frame in frames:
                database.executemany(
                    "INSERT INTO rows (moment, body) VALUES (?, ?)",
                    [
                        (moment(row[cursor]), json.dumps(row, ensure_ascii=False))
                        for row in frame.rename(native).iter_rows(named=True)
                    ],
                )

    def _csv(self, contract: Contract, frames: list[pl.DataFrame], day: Day, truth: Truth) -> None:
        name = f"{contract.id.split('/')[1]}_{day.date:%Y%m%d}.csv"
        header = [f.native for f in contract.fields]
        lines = [_csv_line(header)]
        number = 0
        for frame in frames:
            for row in frame.iter_rows():
                number += 1
                lines.append(_damaged(_csv_line(row), number, name, truth))
        self._put(self.home / "sftp", contract, name, (b"".join(lines), number))

    def _parquet(self, contract: Contract, frames: list[pl.DataFrame], day: Day, _: Truth) -> None:
        name = f"{contract.id.split('/')[1]}_{day.date:%Y%m%d}.parquet"
        native = {f.name: f.native for f in contract.fields}
        whole = pl.concat(frames).rename(native)
        buffer = io.BytesIO()
        table = whole.to_arrow(compat_level=pl.CompatLevel.oldest())
        pa.parquet.write_table(table, buffer, row_group_size=131_072)
        self._put(self.home / "transport", contract, name, (buffer.getvalue(), len(whole)))

    def _put(self, base: Path, contract: Contract, name: str, content: tuple[bytes, int]) -> None:
        """A file and its manifest, the manifest last."""
        data, rows = content
        folder = base / str(contract.source.options["directory"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        note = {"rows": rows, "sha256": hashlib.sha256(data).hexdigest()}
        (folder / f"{name}.manifest.json").write_text(json.dumps(note))


def _csv_line(cells: Iterable[str | None]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(["" if c is None else c for c in cells])
    return buffer.getvalue().encode("gb18030")


def _damaged(line: bytes, number: int, name: str, truth: Truth) -> bytes:
    """Every 1,500th record lacks a cell, has an open quote or bytes of no encoding."""
    if number % 1500 != 700:
        return line
    rule, spoilt = {
        0: ("record.cells", line.rpartition(b",")[0] + b"\r\n"),
        1: ("record.encoding", b"\xff\xff" + line),
        2: ("record.cells", b'"' + line),
    }[number // 1500 % 3]
    truth.defects.append({"key": {}, "origin": name, "row": number, "reasons": [["", rule]]})
    return spoilt
