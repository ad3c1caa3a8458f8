"""A file as `onecard check` reads it: as the contract says, without the folder around it."""

from __future__ import annotations

import csv
import fnmatch
import json as json_lines
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.files import contents, excel_read, gb18030
from connectors.files.layouts import Excel
from connectors.files.options import FilesSource
from connectors.files.skipped import Skipped
from connectors.files.text_file import Text
from onecard.base.shown import file_name
from onecard.collect import drift_policy
from onecard.errors import ConfigError, OnecardError, ProtocolError, UsageError, unknown
from onecard.operations import own_columns
from onecard.ports.source import Chunk, ReadRequest
from schemas.models.contract import Contract

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

LONGEST_HEADER = 1 << 20
"""Characters of a line in which names are looked for; a longer one names nothing."""

Layout = dict[str, Any]
"""A format as the options of files have it: kind, and what belongs to the kind."""


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that is checked.

    Attributes:
        path: where it lies on this machine.
        name: as its office calls it; it tells the kind, and is never taken for a path.
        most: bytes that it may have, and unpack to; None: as the contract says.
    """

    path: Path
    name: str
    most: int | None = None


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file and how it is read.

    Attributes:
        path: where it lies on this machine.
        origin: its name, as it may be shown.
        layout: as what it is read: the contract's format, and what was asked for instead.
        seen: size and time of its last change, when it was first looked at.
    """

    path: Path
    origin: str
    layout: Layout
    options: FilesSource
    request: ReadRequest
    seen: tuple[int, int]

    def check_unchanged(self) -> None:
        """Whether it is still the file that was first looked at.

        Raises:
            ProtocolError: somebody has written it since.
        """
        if _seen(self.path) != self.seen:
            msg = f"{self.origin}: the file changed while it was checked: check it again"
            raise ProtocolError(msg)

    def text(self, skipped: Skipped) -> Text:
        """The file as readers take it.

        Args:
            skipped: counts lines that are no rows.
        """
        return Text(self.path, self.origin, skipped, self.options.max_bytes)

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """The file's rows by contract names; each pass reads it anew.

        Args:
            skipped: counts lines that are no rows.

        Raises:
            SchemaMismatch: a column is missing, or one is there that the contract does not name.
            ProtocolError: too large, not what the contract says it is, or of another number of
                rows than it says itself.
        """
        text = self.text(skipped)
        rule = "file.size" if self.path.stat().st_size > text.limit else ""
        if not rule and contents.broken_total(text, self.options.format):
            rule = "file.total"
        if rule:
            msg = f"{self.origin}: refused as a whole: {rule}"
            raise ProtocolError(msg)
        for chunk in contents.chunks(text, self.options.format, self.request):
            yield own_columns.without(chunk)


def to_read(contract: Contract, given: GivenFile, instead: Mapping[str, str]) -> FileToRead:
    """How a file is read: as the contract says where it names files of its kind.

    Args:
        contract: of the dataset.
        given: a file of any kind that is read, by its suffix or by the contract; a kind that needs
            more than its name (XML, fixed widths, ZIP) by the contract alone.
        instead: parts of the format (encoding, delimiter, records) that are asked for instead.

    Raises:
        UsageError: no such file, or a format that is not supported or does not have such a part.
        ConfigError: the file cannot be opened.
    """
    source = contract.source.options if contract.source.connector in ("files", "push") else {}
    layout = _layout(source, given, instead)
    if not given.path.is_file():
        msg = f"{given.path}: no such file"
        raise UsageError(msg)
    most = given.most or source.get("max_bytes")
    bounded = {} if most is None else {"max_bytes": most}
    try:
        options = FilesSource.model_validate(
            {"directory": ".", "pattern": "*", "format": layout, **bounded}
        )
    except ValidationError as error:
        parts = sorted({str(e["loc"][-1]) for e in error.errors()})
        shown = file_name(given.name)
        msg = f"{shown}: format {layout['kind']} cannot be read with this {', '.join(parts)}"
        raise UsageError(msg) from None
    origin = file_name(given.name)
    try:
        here = _column_names(given.path, layout)
        here |= _headings(Text(given.path, origin, limit=options.max_bytes), options)
    except OSError as error:
        msg = f"{contract.id}: file {origin} cannot be read ({type(error).__name__})"
        raise ConfigError(msg) from None
    columns = own_columns.named(contract, drift_policy.columns(contract), here)
    request = ReadRequest(contract.id, columns, options)
    return FileToRead(given.path, origin, layout, options, request, _seen(given.path))


def _seen(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _layout(source: Mapping[str, Any], given: GivenFile, instead: Mapping[str, str]) -> Layout:
    """The format of a file; the contract's where its own files are of that kind."""
    own = dict(source.get("format") or {})
    taken = fnmatch.fnmatchcase(given.name, str(source.get("pattern", "")))
    packed = dict(own.get("of") or {})
    suffix = Path(given.name).suffix.lower()
    if packed and suffix != ".zip":
        plain = suffix in FORMATS or not given.path.is_file()
        archive = taken and not plain and zipfile.is_zipfile(given.path)
        own = own if archive else packed
    kind = own.get("kind") if taken else FORMATS.get(suffix, own.get("kind"))
    if kind is None:
        shown = file_name(given.name)
        raise UsageError(f"{shown}: " + unknown("file format", file_name(suffix), FORMATS))
    layout = own if own.get("kind") == kind else {"kind": kind}
    if kind == "json" and "records" not in layout:
        layout["records"] = "$"
    return {**layout, **instead}


def _column_names(file: Path, layout: Layout) -> set[str]:
    """Names in the file's own header; a header that cannot be read is left to the reader."""
    kind = layout["kind"]
    with file.open("rb"):
        pass  # whoever may not read it hears so here
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
        pieces = iter(lambda: stream.readline(LONGEST_HEADER), "")
        lines = islice(pieces, layout.get("above", 0), None)
        first = next((line for line in lines if line.strip()), "").removeprefix("\ufeff")
    try:
        if kind == "csv":
            return set(next(csv.reader([first], delimiter=layout.get("delimiter", ",")), []))
        record = json_lines.loads(first)
    except (csv.Error, ValueError, RecursionError):
        return set()
    return set(record) if isinstance(record, dict) else set()


def _headings(file: Text, options: FilesSource) -> set[str]:
    """Names in a workbook's header; what is no workbook, or too large, is left to the reader."""
    if not isinstance(options.format, Excel) or file.path.stat().st_size > file.limit:
        return set()
    try:
        with excel_read.opened(file, options.format, (), file.origin) as sheet:
            return set(sheet.names)
    except OnecardError:
        return set()
