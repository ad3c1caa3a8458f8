"""A checked file as a workbook for its office: bad cells marked, each reason in Chinese.

It holds the file's own values and goes back to whoever the file came from, nowhere else. A workbook
(XLSX) is kept as it is, with the marks put in; of any other file a workbook of texts is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from connectors.common.wire_text import as_text
from connectors.files import excel_read, looks, xlsx_notes, xlsx_write
from connectors.files.folder import private_file
from connectors.files.layouts import Excel
from connectors.files.sheets import COPY, MOST_ROWS, column_letters
from connectors.files.skipped import Skipped
from connectors.files.text_file import Text
from connectors.files.xlsx_notes import CannotAnnotate, CellPlace, Copied, Notes
from onecard.base import files
from onecard.errors import UsageError
from onecard.operations.check_reading import FileToRead
from onecard.operations.file_check import BrokenRule, FileCheck
from onecard.ports.source import Chunk
from quality.reports.words import sayer
from quality.rows.rule_titles import title
from schemas.models.contract import Contract
from schemas.models.expected import expected

say = sayer("zh")
HEADER = ("row", "cell", "field", "column", "rule", "rule_id", "expected", "record")
"""Columns of the list, as `check_…` among the words."""


@dataclass(frozen=True, slots=True)
class WrittenCopy:
    """A copy that lies beside its file.

    Attributes:
        remarks: what of the file is not as it was, and what is not marked.
    """

    path: Path
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Where the rows of a file stand in its copy.

    Attributes:
        sheet: its name.
        rows: the sheet's number of each rejected row, by the row's place in the file.
        columns: number of each column, from 0, by the contract's name.
    """

    sheet: str
    rows: Mapping[int, int]
    columns: Mapping[str, int]


def beside(file: Path) -> Path:
    """Where the copy of a file lies: in its own folder, under its own name.

    Args:
        file: that was checked.
    """
    return file.with_name(file.name + COPY)


def write_beside(contract: Contract, file: FileToRead, found: FileCheck) -> WrittenCopy:
    """Write the copy beside the file; only the file's owner may read it.

    Args:
        contract: of the dataset.
        file: and how it is read.
        found: what the check found.

    Raises:
        UsageError, SchemaMismatch, ProtocolError: as `write`.
        StorageError, ConfigError: the folder cannot be written, or is full.
    """
    target = beside(file.path)
    with files.replacing(target, own=True) as draft:
        draft.chmod(0o600)
        with draft.open("wb") as stream:
            remarks = write(contract, file, found, stream)
    return WrittenCopy(target, remarks)


def write(
    contract: Contract, file: FileToRead, found: FileCheck, target: BinaryIO
) -> tuple[str, ...]:
    """Write the copy; gives what of the file is not as it was, and what is not marked.

    Args:
        contract: of the dataset.
        file: and how it is read; the same that was checked.
        found: what the check found.
        target: gets the workbook's bytes; where this raises, they are of no use.

    Raises:
        UsageError: the file has more rows than a sheet.
        SchemaMismatch, ProtocolError: the file is another by now.
    """
    remarks = _written(contract, file, found, target)
    file.check_unchanged()
    return remarks


def _written(
    contract: Contract, file: FileToRead, found: FileCheck, target: BinaryIO
) -> tuple[str, ...]:
    wanted = {b.place for b in found.broken}
    layout, why = file.options.format, ""
    if isinstance(layout, Excel) and looks.head(file.path).startswith(b"PK"):
        table = _in_workbook(file, layout, wanted)
        try:
            return _annotated(contract, found, (file.text(Skipped()), table), target).remarks
        except CannotAnnotate as error:
            why = f"the workbook cannot be kept ({error}): its rows stand in a new one"
    if found.read >= MOST_ROWS:
        msg = f"{file.origin}: more rows than a sheet has: split the file to have a copy of it"
        raise UsageError(msg)
    with private_file() as path:
        made = _NewWorkbook(file)
        table = made.write(path, wanted)
        done = _annotated(contract, found, (Text(path, file.origin), table), target)
    cut = f"{made.cut} value(s) longer than a cell: their beginnings are kept" if made.cut else ""
    return (*filter(None, (why, cut)), *done.remarks)


def _in_workbook(file: FileToRead, layout: Excel, wanted: set[int]) -> Table:
    """Where the rows of a workbook stand in it."""
    columns = {c.native: c.name for c in file.request.columns}
    where = f"{file.request.dataset} from {file.origin}"
    with excel_read.opened(file.text(Skipped()), layout, list(columns), where) as sheet:
        rows = {n: r.number for n, r in enumerate(sheet.rows, start=1) if n in wanted}
        places = {columns[n]: place for n, place in sheet.names.items() if n in columns}
    return Table(sheet.name, rows, places)


class _NewWorkbook:
    """A workbook of a file's rows as texts, as they were read.

    Attributes:
        cut: texts of which a cell does not hold all.
    """

    def __init__(self, file: FileToRead) -> None:
        self._file = file
        self.cut = 0

    def write(self, path: Path, wanted: set[int]) -> Table:
        """Write it; says where its rows stand.

        Args:
            path: gets the workbook.
            wanted: places of the rejected rows in the file.
        """
        chunks, columns = self._file.chunks(Skipped()), self._file.request.columns
        first = next(chunks, None)
        names = first.batch.schema.names if first else [c.name for c in columns]
        native = {c.name: c.native for c in columns}
        rows = self._rows(chain([first] if first else [], chunks), names)
        sheet = say("check_data")
        with path.open("wb") as stream:
            xlsx_write.workbook(stream, sheet, [native[n] for n in names], rows)
        return Table(sheet, {n: n + 1 for n in wanted}, {n: i for i, n in enumerate(names)})

    def _rows(
        self, chunks: Iterable[Chunk], names: Sequence[str]
    ) -> Iterator[tuple[str | None, ...]]:
        for chunk in chunks:
            yield from zip(*[self._texts(chunk, name) for name in names], strict=True)

    def _texts(self, chunk: Chunk, name: str) -> list[str | None]:
        """A column, with the values that could not be read."""
        if name not in chunk.batch.schema.names:
            return [None] * chunk.batch.num_rows
        found: list[str | None] = as_text(chunk.batch.column(name)).to_pylist()
        for place, text in chunk.unread.get(name, {}).items():
            found[place] = text
        self.cut += sum(xlsx_write.is_cut(text) for text in found if text)
        return found


def _annotated(
    contract: Contract, found: FileCheck, made: tuple[Text, Table], target: BinaryIO
) -> Copied:
    """Put marks, comments and the list into a workbook."""
    text, table = made
    words = _Words(contract)
    cells: dict[CellPlace, list[str]] = {}
    lines = [[say("check_sorting")] + [""] * (len(HEADER) - 1)]
    if found.more:
        lines.append([say("check_more", count=found.more)] + [""] * (len(HEADER) - 1))
    for broken in found.broken:
        row, column = table.rows.get(broken.place), table.columns.get(broken.field)
        if row is None:
            continue
        said = words.comment(broken)
        for place in table.columns.values() if not broken.field else [column]:
            if place is not None:
                cells.setdefault((row, place), []).append(said)
        cell = "" if column is None else f"{column_letters(column)}{row}"
        lines.append([str(row), cell, *words.line(broken)])
    notes = Notes(
        {place: "\n".join(said) for place, said in cells.items()},
        [say(f"check_{name}") for name in HEADER],
        lines,
    )
    return xlsx_notes.copy(text, table.sheet, notes, target)


class _Words:
    """What is said of a reason."""

    def __init__(self, contract: Contract) -> None:
        self._fields = {f.name: f for f in contract.fields}
        own = {r.name: r.title for r in contract.rules}
        self._title = cache(lambda rule: own.get(rule) or title(rule))
        self._form = cache(lambda field, rule: expected(contract, field, rule, "zh"))

    def comment(self, broken: BrokenRule) -> str:
        """The text of a cell's comment."""
        form = self._form(broken.field, broken.rule)
        said: str = self._title(broken.rule)
        return say("check_comment", rule=said, form=form) if form else said

    def line(self, broken: BrokenRule) -> list[str]:
        """The line's cells behind row and cell."""
        field = self._fields.get(broken.field)
        return [
            field.title if field else say("check_whole"),
            field.native if field else "",
            self._title(broken.rule),
            broken.rule,
            self._form(broken.field, broken.rule),
            say("check_of_file", file=broken.origin, number=broken.number),
        ]
