"""The education bureau's CSV over SFTP, rewritten by tests with a true manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

from tests.faults.sources import World

PUPILS = "education/edu_enrolment"


class Pupils:
    """The education bureau's newest file, rewritten without planted defects."""

    def __init__(self, city: World) -> None:
        self.city = city
        folder = city.stage.city.home / "sftp" / "outbox" / "edu_enrolment"
        (self.file,) = folder.glob("*.csv")
        self.note = Path(f"{self.file}.manifest.json")
        city.collect(PUPILS)
        with city.hub_database() as hub:
            keys = hub.execute("SELECT student_no FROM registry.education__edu_enrolment")
            good = {row[0] for row in keys}
        text = self.file.read_bytes().decode("gb18030")
        rows = [r for r in csv.DictReader(io.StringIO(text)) if r["student_no"] in good]
        once = [r["student_no"] for r in rows]
        self.rows = [r for r in rows if once.count(r["student_no"]) == 1]

    def write(self, edit: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """All rows through `edit`."""
        self.put([edit(dict(row)) for row in self.rows])

    def put(self, rows: list[dict[str, str]], encoding: str = "gb18030") -> None:
        """These rows, with a true manifest."""
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        self.replace(out.getvalue().encode(encoding), len(rows))

    def replace(self, data: bytes, rows: int) -> None:
        """These bytes, with a true manifest."""
        self.file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        self.note.write_text(json.dumps({"rows": rows, "sha256": digest}))
