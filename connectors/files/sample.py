"""Files of a folder with their rows, and a sample of one, read as what it turns out to be."""

from __future__ import annotations

import csv
import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from connectors.files import contents, file_kinds
from connectors.files.file_rows import FileRows, rows_of
from connectors.files.folder import Folder, ListedFile, TooLarge
from connectors.files.folders import opened
from connectors.files.options import FilesSource
from connectors.files.text_file import Text
from onecard.base.connections import Connection
from onecard.base.shown import file_name
from onecard.errors import ConfigError, OnecardError, ProtocolError, UsageError
from onecard.model.discovered import ListedTable, SampledSource

MOST_BYTES = 256 * 1024**2
"""Of a file that is fetched, and that it may unpack to; a larger one is not looked at."""
COUNTED_BYTES = 32 * 1024**2
"""Of a file whose rows are counted in a list."""
COUNTED_IN_ALL = 512 * 1024**2
"""Of all files that are fetched for one list; the rows of those behind them are not counted."""
_UNREADABLE = (pa.ArrowException, OSError, ValueError, RecursionError, csv.Error)


def listed(connection: Connection, place: str) -> tuple[ListedTable, ...]:
    """The files of a folder with their rows, where they can be counted.

    Args:
        connection: of the file store.
        place: folder below the connection's own; empty: that itself.

    Raises:
        OnecardError: it cannot be reached, or there is no such folder.
    """
    directory, left = place.strip("/") or ".", COUNTED_IN_ALL
    found: list[ListedTable] = []
    with opened(connection) as folder:
        for entry in folder.entries(directory):
            shown = file_name(f"{directory}/{entry.name}" if directory != "." else entry.name)
            rows = None
            if entry.size <= min(COUNTED_BYTES, left) and not entry.name.endswith(file_kinds.NOTES):
                rows, left = _count(folder, f"{directory}/{entry.name}", entry), left - entry.size
            found.append(ListedTable(shown, "file", rows))
    return tuple(found)


def sampled(connection: Connection, target: str, options: Mapping[str, Any]) -> SampledSource:
    """The newest file by name of those that the target means.

    Args:
        connection: of the file store.
        target: a file, a pattern or a folder, below the connection's own.
        options: of `FilesSource`, as far as they are known; `format` may lack what the file tells.

    Raises:
        UsageError: there is no such file, or the options are none of files.
        ProtocolError: it cannot be read as what it is, or is too large.
        OnecardError: the store cannot be reached.
    """
    with opened(connection) as folder:
        directory, name, names = _chosen(folder, target)
        try:
            with folder.local(f"{directory}/{name}", MOST_BYTES) as copy:
                file = Text(copy, file_name(name), limit=MOST_BYTES)
                layout, rows = _read(file, name, dict(options.get("format") or {}))
        except TooLarge:
            msg = (
                f"{file_name(name)}: larger than {MOST_BYTES} bytes: give a part of it as a sample"
            )
            raise ProtocolError(msg) from None
    found = {"directory": directory, "pattern": _pattern(name), **options, "format": layout}
    found |= {} if "manifest" in options else _manifest(name, names)
    _check(found)
    return SampledSource(
        origin=file_name(f"{directory}/{name}" if directory != "." else name),
        name=_plain(name.partition(".")[0]) or _plain(directory.rpartition("/")[2]),
        connector="files",
        options=found,
        columns=rows.columns,
        rows=rows.rows,
        whole=rows.whole,
        in_order=True,
        remarks=rows.remarks,
    )


def _chosen(folder: Folder, target: str) -> tuple[str, str, list[str]]:
    """Folder, newest file and all names there."""
    clean = target.strip("/")
    directory, _, last = clean.rpartition("/")
    try:
        names = [e.name for e in folder.entries(directory or ".")]
    except ConfigError:
        names = []
    wanted = [n for n in names if n == last] or [n for n in names if fnmatch.fnmatchcase(n, last)]
    if not wanted:  # a folder
        try:
            names = [e.name for e in folder.entries(clean or ".")]
        except ConfigError:
            names = []
        directory, wanted = clean, names
    data = [n for n in wanted if not n.endswith(file_kinds.NOTES)]
    if not data:
        msg = f"no file {file_name(target)!r} is there: `onecard discover` lists them"
        raise UsageError(msg)
    return directory or ".", max(data), names


def _read(file: Text, name: str, known: dict[str, Any]) -> tuple[dict[str, Any], FileRows]:
    try:
        layout = file_kinds.layout(file, name, known)
        return layout.options, rows_of(file, layout)
    except ValidationError as error:
        parts = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        msg = f"options of a file: {parts} cannot be"
        raise UsageError(msg) from None
    except _UNREADABLE as error:
        msg = f"{file.origin} cannot be read ({type(error).__name__})"
        raise ProtocolError(msg) from None


def _check(options: Mapping[str, Any]) -> None:
    try:
        FilesSource.model_validate(dict(options))
    except ValidationError as error:
        parts = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        msg = f"options of a folder that is read: {parts} cannot be"
        raise UsageError(msg) from None


def _plain(stem: str) -> str:
    """A file's name without its date and whatever else may be a number of somebody."""
    return re.sub(r"[\d_.-]+$", "", re.sub(r"[_.-]*\d{6,}[Xx]?", "", stem))


def _pattern(name: str) -> str:
    """What other days' files are called too: runs of digits may differ."""
    plain = re.sub(r"[\[\]*?]", "?", name)
    return re.sub(r"[*?]*\*[*?]*", "*", re.sub(r"\d+", "*", plain))


def _manifest(name: str, names: list[str]) -> dict[str, Any]:
    """How the folder says that a file is complete, where one beside it does."""
    if f"{name}.manifest.json" in names:
        return {"manifest": {"suffix": ".manifest.json"}}
    for mark in file_kinds.MARKS:
        if name + mark in names:
            return {"manifest": {"suffix": mark, "content": "none"}}
        if Path(name).stem + mark in names:
            return {"manifest": {"suffix": mark, "content": "none", "instead": True}}
    return {}


def _count(folder: Folder, path: str, entry: ListedFile) -> int | None:
    """Rows of a small file; None where they cannot be told."""
    try:
        with folder.local(path, COUNTED_BYTES) as copy:
            file = Text(copy, file_name(entry.name), limit=MOST_BYTES)
            layout = file_kinds.layout(file, entry.name, {})
            return contents.count(file, layout.format, "the list of files")
    except (OnecardError, TooLarge, ValidationError, *_UNREADABLE):
        return None  # of no kind that is known: it has no rows that could be counted
