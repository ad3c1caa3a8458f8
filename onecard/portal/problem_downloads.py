"""An agency's own rejected rows as a file for correction, as its block of hand-back says."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastapi import HTTPException
from fastapi.responses import Response, StreamingResponse

from onecard.deliver import hand_back
from onecard.deliver.returned_rows import Returning
from onecard.operations.own_columns import OWN, head
from onecard.portal.answers import hub, note
from onecard.portal.guard import Visit
from onecard.portal.pages import Words, language
from onecard.portal.problem_lines import ProblemLine
from onecard.portal.reports import MEDIA
from onecard.store import quality_problems, quarantine
from quality.reports import workbook

BATCH = 500
"""Rows that are read and treated at once."""
MOST_IN_A_WORKBOOK = 5_000
"""Rows of a workbook; more go as CSV, which is written as it is read."""
FORMATS = ("csv", "xlsx")

Cells = Sequence[str | int]


def download(visit: Visit, line: ProblemLine) -> Response:
    """The problem's open rows as CSV or XLSX; audited before the first of them leaves.

    Args:
        visit: whose form it is; its `format` chooses.
        line: the problem.

    Raises:
        HTTPException: 422 for another format, 413 for too many rows in a workbook.
        PolicyError: the agency has no block of hand-back, or deliveries to it are stopped.
    """
    chosen = visit.form.get("format", "")
    if chosen not in FORMATS:
        raise HTTPException(422, "format")
    block = hand_back.block_of(visit.catalogue, visit.agency)
    if chosen == "xlsx" and line.problem.open_rows > MOST_IN_A_WORKBOOK:
        raise HTTPException(413, "many")
    with hub(visit) as connection:
        hand_back.permit(connection, visit.agency)
    returning = Returning(
        visit.site.desk(),
        line.contract,
        block.treatment,
        lambda rule: visit.site.rule_title(rule, "zh"),
    )
    facts = {"problem": line.problem.id, "format": chosen, "treatment": block.treatment}
    facts |= {"rows": line.problem.open_rows, "field": line.problem.field}
    note(visit, "access.rows", line.problem.dataset, {**facts, "rule": line.problem.rule})
    name = f"rows-{line.problem.dataset.replace('/', '-')}-{line.problem.id}.{chosen}"
    given = _Rows(visit, line, returning)
    if chosen == "csv":
        return StreamingResponse(given.csv(), media_type="text/csv", headers=_attached(name))
    return Response(given.xlsx(), media_type=MEDIA[".xlsx"], headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


class _Rows:
    """Open rows of a problem, batch by batch."""

    def __init__(self, visit: Visit, line: ProblemLine, returning: Returning) -> None:
        self._visit, self._line, self._returning = visit, line, returning

    def csv(self) -> Iterator[bytes]:
        """UTF-8 with a byte order mark, by which spreadsheets know it; no cell is a formula."""
        yield "\ufeff".encode()
        names: list[str] = []
        for found, rows in self._batches():
            if not names:
                names = found
                yield _lines([names])
            yield _lines(rows)

    def xlsx(self) -> bytes:
        """One sheet; heads say what a column is called and what it means."""
        batches = list(self._batches())
        names = batches[0][0] if batches else list(OWN)
        rows = [row for _, batch in batches for row in batch]
        say = Words(language(self._visit.request))
        titles = {f.native: f.title for f in self._line.contract.fields}
        titles |= {name: say(name) for name in OWN}
        heads = [head(titles.get(n, ""), n) for n in names]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rows.xlsx"
            workbook.write(file, say("rows"), heads, rows)
            return file.read_bytes()

    def _batches(self) -> Iterator[tuple[list[str], list[Cells]]]:
        """Names of the columns, and rows; rows whose values are gone are left out."""
        before, desk = 0, self._visit.site.desk()
        while True:
            with hub(self._visit) as connection:
                found = quality_problems.rows(connection, self._line.problem.id, before, BATCH)
                ids = [row.id for row in found]
                rows = quarantine.revealed(connection, ids, desk.keys) if ids else []
            if rows:
                table = self._returning.table(rows)
                columns = [column.to_pylist() for column in table.columns]
                cells: list[Cells] = [
                    ["" if c is None else c for c in row] for row in zip(*columns, strict=True)
                ]
                yield table.column_names, cells
            if len(found) < BATCH:
                return
            before = ids[-1]


def _lines(rows: Sequence[Cells]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        writer.writerow([workbook.harmless(c) if isinstance(c, str) else c for c in row])
    return text.getvalue().encode()
