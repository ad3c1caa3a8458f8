"""What came to the consumers of a city under the live lane, in the order in which it came.

Read out of their own systems: files, the batches of an HTTP inbox, the rows of a table. Events are
told by their time of effect, which is so many milliseconds after a moment as their number says.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

BEIJING = ZoneInfo("Asia/Shanghai")


class Arrivals:
    """Reads each consumer's inbox; files and lines that were read are not read again.

    Args:
        home: of the city.
        since: the moment from which events are counted.
    """

    def __init__(self, home: Path, since: datetime) -> None:
        self._home, self._since = home, since
        self._files: dict[tuple[str, int], list[int]] = {}
        self._lines: dict[Path, tuple[int, list[int]]] = {}

    def known(self, agreement: str) -> set[int]:
        """Numbers of the events that have come."""
        return set(self.all(agreement))

    def first(self, agreement: str) -> list[int]:
        """The same, each once, by when it came first."""
        return list(dict.fromkeys(self.all(agreement)))

    def all(self, agreement: str) -> list[int]:
        """The same as often as they came; of a table, as they stand in it."""
        flow = agreement[:3]
        if flow == "f01":
            return self._of_files(self._home / "transport" / "inbox" / agreement)
        if flow == "f06":
            return self._of_table("inbox_" + agreement.replace("-", "_"))
        inbox = {"f02": "medical_insurance_api", "f07": "operator_api"}[flow]
        return self._of_lines(self._home / "inbox" / inbox / f"{agreement}.batches.jsonl")

    def _of_files(self, folder: Path) -> list[int]:
        """Of whole files, those that have their manifest."""
        there = sorted(folder.glob("*.parquet"), key=lambda f: (f.stat().st_mtime_ns, f.name))
        found: list[int] = []
        for file in there:
            if not file.with_name(f"{file.name}.manifest.json").exists():
                continue
            name = (file.name, file.stat().st_mtime_ns)
            if name not in self._files:
                times = pl.read_parquet(file, columns=["effective_at"])["effective_at"]
                self._files[name] = list(self._numbers(times.to_list()))
            found += self._files[name]
        return found

    def _of_lines(self, file: Path) -> list[int]:
        """Of whole lines, each the body of a batch."""
        read, found = self._lines.get(file, (0, []))
        if file.exists():
            with file.open("rb") as lines:
                lines.seek(read)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    read += len(line)
                    rows = json.loads(line)["rows"]
                    found += self._numbers(datetime.fromisoformat(r["effective_at"]) for r in rows)
        self._lines[file] = (read, found)
        return found

    def _of_table(self, name: str) -> list[int]:
        """Of a table, whose rows stand in the order in which they were put."""
        with closing(sqlite3.connect(self._home / "housing_fund.sqlite", timeout=60)) as table:
            rows = table.execute(f'SELECT effective_at FROM "{name}" ORDER BY rowid').fetchall()
        return list(self._numbers(datetime.fromisoformat(text) for (text,) in rows))

    def _numbers(self, times: Iterable[datetime]) -> Iterator[int]:
        """Of those that were reported; a time without a zone is Beijing's."""
        for at in times:
            aware = at if at.tzinfo else at.replace(tzinfo=BEIJING)
            number = round((aware - self._since).total_seconds() * 1000)
            if number >= 0:
                yield number
