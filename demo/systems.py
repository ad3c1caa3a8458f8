"""Writes a day's rows into each agency's own system."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from sqlalchemy import Column, DateTime, MetaData, String, Table, create_engine, delete, insert

from demo.calendar import Day
from demo.http_api import moment
from demo.outbox import CsvOutbox, Outbox, ParquetOutbox
from demo.planting import Planter, Truth
from demo.tables import append_postgres, create_postgres, delete_postgres, index_postgres
from schemas.models.contract import Contract

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
        outbox = self._outbox(contract, day, planter.truth)
        if outbox is not None:
            for frame in frames:
                outbox.append(planter.spoil(frame))
            outbox.close()
            return planter.truth
        writers: dict[str, Callable[[Contract, list[pl.DataFrame], Day], None]] = {
            "hrss_db": self._postgres,
            "housing_fund_db": self._housing,
            "hrss_api": self._http,
            "health_api": self._http,
            "medical_insurance_api": self._http,
        }
        if day.number == 0:
            self._create(contract)
        for frame in frames:
            writers[contract.source.connection](contract, planter.spoil(frame), day)
        if day.number == 0 and contract.source.connection == "hrss_db":
            native = contract.field("source_updated_at").native
            index_postgres(self.postgres, "hrss", str(contract.source.options["table"]), native)
        return planter.truth

    def add(self, contract: Contract, rows: pl.DataFrame) -> None:
        """Sound rows that come in the middle of a day into a system that is read by HTTP.

        Args:
            contract: of the dataset.
            rows: as text, under the contract's names.
        """
        self._http(contract, [rows])

    def _outbox(self, contract: Contract, day: Day, truth: Truth) -> Outbox | None:
        """The day's file, where the agency gives files."""
        if contract.source.connection == "transport_files":
            return ParquetOutbox(self.home / "transport", contract, day, truth)
        if contract.source.connection == "education_sftp":
            return CsvOutbox(self.home / "sftp", contract, day, truth)
        return None

    def delete_ecards(self, contract: Contract, numbers: list[str]) -> None:
        """Hard deletes at the source."""
        table = str(contract.source.options["table"])
        delete_postgres(
            self.postgres, "hrss", table, contract.field("ecard_sign_no").native, numbers
        )

    def delete_deaths(self, contract: Contract, numbers: list[str]) -> None:
        """Hard deletes at the source: deaths that were noted by mistake."""
        native = contract.field("person_id18").native
        file = self.home / "http" / f"{contract.id.split('/')[1]}.sqlite"
        with closing(sqlite3.connect(file)) as database, database:
            database.executemany(
                "DELETE FROM rows WHERE json_extract(body, '$.' || ?) = ?",
                [(native, number) for number in numbers],
            )

    def _create(self, contract: Contract) -> None:
        if contract.source.connection == "hrss_db":
            create_postgres(self.postgres, "hrss", str(contract.source.options["table"]), contract)
        elif contract.source.connection == "housing_fund_db":
            engine = create_engine(self.housing)
            self._housing_table(contract).drop(engine, checkfirst=True)
            self._housing_table(contract).create(engine)
            engine.dispose()

    def _postgres(self, contract: Contract, frames: list[pl.DataFrame], day: Day) -> None:
        table = str(contract.source.options["table"])
        if day.number:
            key = contract.key[0]
            keys = [k for frame in frames for k in frame[key].to_list()]
            delete_postgres(self.postgres, "hrss", table, contract.field(key).native, keys)
        append_postgres(self.postgres, "hrss", table, contract, frames)

    def _housing(self, contract: Contract, frames: list[pl.DataFrame], day: Day) -> None:
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
        """Loosely typed, as old systems are, but for update times where the database has times.

        Key and update time have indexes, as everywhere.
        """
        columns = [
            Column(
                f.native,
                DateTime()
                if f.name == "source_updated_at" and "sqlite" not in self.housing
                else String(TEXT_LENGTH),
                index=f.name in ("source_updated_at", contract.key[0]),
            )
            for f in contract.fields
        ]
        return Table(str(contract.source.options["table"]), MetaData(), *columns)

    def _http(
        self, contract: Contract, frames: list[pl.DataFrame], _day: Day | None = None
    ) -> None:
        native = {f.name: f.native for f in contract.fields}
        cursor = native[str(contract.source.cursor)]
        folder = self.home / "http"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{contract.id.split('/')[1]}.sqlite"
        with closing(sqlite3.connect(file)) as database, database:
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
