"""What an office does with its rejected rows: it corrects them in the workbook that it downloaded.

Origin and row number lead to the row in the office's own outbox, its key to what the office knows
of it on paper: the simulated city's rows before anything was spoilt.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import openpyxl

from demo.calendar import Day
from demo.planting import text_frame
from demo.run import DemoCity
from demo.world import World
from onecard.deliver.returned_rows import NUMBER, ORIGIN
from schemas.models.contract import Contract

Row = dict[str, str]
"""A row as its source has it, by the agency's names."""


@dataclass(frozen=True)
class Office:
    """The office of an agency that hands its rows in as CSV files.

    Attributes:
        days: of which it has rows so far.
    """

    city: DemoCity
    contract: Contract
    days: tuple[int, ...]

    @property
    def outbox(self) -> Path:
        """Where its files lie."""
        return self.city.home / "sftp" / str(self.contract.source.options["directory"])

    @cached_property
    def papers(self) -> dict[tuple[str, ...], Row]:
        """What is right, by the values of the key: the newest of each."""
        world = World(self.city.seed, self.city.persons)
        natives = {f.name: f.native for f in self.contract.fields}
        found: dict[tuple[str, ...], Row] = {}
        for day in self.days:
            for frame in world.rows(self.contract.id, day):
                for row in text_frame(frame.select(self.contract.names)).to_dicts():
                    key = tuple(row[name] for name in self.contract.key)
                    found[key] = {natives[n]: v or "" for n, v in row.items()}
        return found

    def in_outbox(self, origin: str, number: int) -> Row:
        """A row of a file that was handed in.

        Args:
            origin: name of the file.
            number: of the row, from 1.
        """
        text = (self.outbox / origin).read_bytes().decode("gb18030")
        return list(csv.DictReader(io.StringIO(text, newline="")))[number - 1]

    def correct(self, book: Path) -> list[Row]:
        """Put right what stands in a downloaded workbook, in place; returns its rows.

        Args:
            book: as the portal gave it.
        """
        opened = openpyxl.load_workbook(book)
        sheet = opened.worksheets[0]
        places = {str(c.value).split(" ")[-1]: n for n, c in enumerate(sheet[1], start=1)}
        keys = [self.contract.field(name).native for name in self.contract.key]
        rows = []
        for line in range(2, sheet.max_row + 1):
            origin, number = (sheet.cell(line, places[name]).value for name in (ORIGIN, NUMBER))
            handed_in = self.in_outbox(str(origin), int(str(number)))
            right = {**self.papers[tuple(handed_in[k] for k in keys)], **self._renewed()}
            for native, value in right.items():
                sheet.cell(line, places[native]).value = value or None
            rows.append(right)
        opened.save(book)
        return rows

    def _renewed(self) -> Row:
        """What says of a row that it is newer than the one before."""
        day = Day(self.days[-1])
        found = {"source_updated_at": f"{day.night:%Y-%m-%dT%H:%M:%S}+08:00"}
        if self.contract.sequence:
            found[self.contract.sequence] = str(2 + day.number)
        return {self.contract.field(n).native: v for n, v in found.items()}

    def hand_in(self, rows: Iterable[Row]) -> str:
        """Put corrected rows into the outbox, with their manifest; returns the file's name.

        Args:
            rows: as the agency's system has them.
        """
        name = f"{self.contract.id.split('/')[1]}_{Day(self.days[-1] + 1).date:%Y%m%d}_again.csv"
        written = io.StringIO(newline="")
        heads = [field.native for field in self.contract.fields]
        writer = csv.DictWriter(written, heads, lineterminator="\r\n")
        writer.writeheader()
        given = list(rows)
        writer.writerows(given)
        content = written.getvalue().encode("gb18030")
        (self.outbox / name).write_bytes(content)
        note = {"rows": len(given), "sha256": hashlib.sha256(content).hexdigest()}
        (self.outbox / f"{name}.manifest.json").write_text(json.dumps(note))
        return name
