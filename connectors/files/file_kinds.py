"""What a file is, told from its first bytes: kind, encoding, delimiter, lines above its header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

from pydantic import TypeAdapter

from connectors.common.record_columns import place_of_rows
from connectors.common.strict_json import parse_json
from connectors.files import contents, excel_read, looks, parquet_read, parquet_types, xml_paths
from connectors.files.layouts import Excel, codec
from connectors.files.options import CsvSource, Format, Zip
from connectors.files.sheets import COPY
from connectors.files.text_file import Text
from onecard.errors import ProtocolError, UsageError

MARKS = (".ok", ".done", ".fin", ".flag", ".end")
"""Endings of empty files that say that another one is complete."""
NOTES = (".manifest.json", COPY, *MARKS)
"""Endings of files whose rows nobody collects: notes, and copies that a check has written."""
EARLY = 40
"""Lines among which a header is looked for."""
MOST_JSON = 64 * 1024**2
"""Bytes of a JSON document, which is held in memory."""
_TOTAL = re.compile(r"共\s*[0-9,]+\s*([条行笔户人])")
_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""Beginnings of archives and workbooks."""
_GBK_MARKS = (0x4D, 0x7A)
"""Code page 936 in the mark of a DBF (byte 29)."""
_FORMATS: TypeAdapter[Any] = TypeAdapter(Format)


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How a file is read.

    Attributes:
        options: `source.options.format` of a contract.
        format: the same as a model.
        remarks: what of it a person should look at.
    """

    options: dict[str, Any]
    format: Any
    remarks: tuple[str, ...] = ()


def layout(file: Text, name: str, known: dict[str, Any]) -> FileLayout:
    """How a file is read, as far as it tells by itself.

    Args:
        file: a local copy.
        name: of the file, for its ending.
        known: parts of the format that somebody has said.

    Raises:
        ProtocolError: of a kind that is not read; says what it looks like.
        UsageError: of a kind that does not tell how it is read (fixed widths).
        ValidationError: `known` is no format.
    """
    kind = str(known.get("kind") or _kind(file, name))
    remarks: list[str] = []
    teller = _TELLERS.get(kind)
    told = teller(file, known, remarks) if teller is not None else {}
    found = {"kind": kind, **told, **known}
    return FileLayout(found, _FORMATS.validate_python(found), tuple(remarks))


def _kind(file: Text, name: str) -> str:
    head, suffix = looks.head(file.path), PurePath(name).suffix.lower()
    foreign = looks.foreign(head)
    if head.startswith(_PACKED):
        return "zip" if "ZIP" in foreign else "excel"
    if head.startswith(b"PAR1") or suffix == ".dbf":
        return "dbf" if suffix == ".dbf" else "parquet"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if (foreign == looks.MARKUP and text.startswith(b"<?xml")) or suffix == ".xml":
        return "xml"
    if foreign:
        msg = f"{file.origin}: it looks like {foreign}"
        raise ProtocolError(msg)
    return "jsonl" if suffix in (".jsonl", ".ndjson") else _text_kind(text)


def _text_kind(text: bytes) -> str:
    """An object a line, one document, or cells."""
    if not text.startswith(b"{"):
        return "json" if text.startswith(b"[") else "csv"
    first = text.split(b"\n", 1)[0]
    try:
        whole = isinstance(parse_json(first.decode("utf-8")), dict)
    except (ValueError, RecursionError):
        whole = False
    return "jsonl" if whole and b"\n" in text.strip() else "json"


def _csv(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    head = looks.head(file.path)
    encoding = str(known.get("encoding") or looks.encoding(head))
    if not encoding or not head.strip():
        says = "neither UTF-8 nor GB 18030" if head.strip() else "the file is empty: no header row"
        msg = f"{file.origin}: {says}"
        raise ProtocolError(msg)
    text = head.decode(codec("gb18030" if encoding == "gb18030" else "utf-8"), "replace")
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    lines = (lines[:-1] if len(head) == looks.HEAD and len(lines) > 1 else lines)[:EARLY]
    marks = [str(known["delimiter"])] if "delimiter" in known else list(looks.DELIMITERS)
    delimiter, width = _separated(lines, marks)
    if width < 2:
        msg = (
            f"{file.origin}: nothing separates its cells; lines of fixed widths do not tell where"
            " a column ends: say `format: {kind: fixed, columns: [{name: …, width: …}]}`"
        )
        raise UsageError(msg)
    above = next(n for n, line in enumerate(lines) if _cells(line, delimiter) == width)
    found: dict[str, Any] = {"encoding": encoding}
    found |= {} if delimiter == "," else {"delimiter": delimiter}
    return found | _titled(lines[:above], above, remarks)


def _separated(lines: Sequence[str], marks: Iterable[str]) -> tuple[str, int]:
    """What separates cells, and how many most lines have; one cell where nothing does."""
    best = ("", 1, 0)
    for mark in marks:
        widths = Counter(n for line in lines if (n := _cells(line, mark)) > 1)
        if widths:
            width, times = max(widths.items(), key=lambda item: (item[1], item[0]))
            if (times, width) > (best[2], best[1]):
                best = (mark, width, times)
    return best[0], best[1]


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _titled(titles: Sequence[str], above: int, remarks: list[str]) -> dict[str, Any]:
    """Lines above a header, and the number of rows that one of them tells."""
    if not above:
        return {}
    remarks.append(f"{above} line(s) above the header are taken for titles")
    unit = next((m[1] for line in titles if (m := _TOTAL.search(line))), None)
    return {"above": above} | ({"total": {"pattern": rf"共\s*([0-9,]+)\s*{unit}"}} if unit else {})


def _excel(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    if "above" in known:
        return {}
    options = Excel.model_validate({"kind": "excel", **known})
    with excel_read.opened(file, options, (), file.origin) as sheet:
        rows = [(sheet.first - 1, list(sheet.header.values()))]
        rows += [
            (r.number, [c if isinstance(c, str) else "" for c in r.cells.values()])
            for r in islice(sheet.rows, EARLY)
        ]
    width = max(len(cells) for _, cells in rows)
    above = next(n for n, cells in rows if len(cells) == width) - 1
    titles = [" ".join(cells) for n, cells in rows if n <= above]
    return _titled(titles, above, remarks)


def _dbf(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:  # noqa: ARG001
    mark = looks.head(file.path)[29:30]
    if mark and mark[0] not in _GBK_MARKS:
        remarks.append("the table's mark of a code page is not GBK's: look at its texts")
    return {"encoding": "gb18030"}


def _xml(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    head = looks.head(file.path)
    said = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]+)", head)
    gbk = bool(said) and said[1].lower().startswith(b"gb") if said else False
    encoding = str(known.get("encoding") or ("gb18030" if gbk else "utf-8"))
    if "record" in known:
        return {"encoding": encoding}
    record, namespaces = xml_paths.record_path(file, encoding)
    if namespaces:
        remarks.append("source.options.format.namespaces: the prefixes are made up, their URIs not")
    return {"record": record, "encoding": encoding} | (
        {"namespaces": namespaces} if namespaces else {}
    )


def _json(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:  # noqa: ARG001
    if "records" in known:
        return {}
    if file.path.stat().st_size > MOST_JSON:
        msg = f"{file.origin}: a JSON document of more than {MOST_JSON} bytes: say `records`"
        raise UsageError(msg)
    document = parse_json(file.path.read_text(encoding="utf-8-sig"))
    place = "$" if isinstance(document, list) else place_of_rows(document)
    if not place:
        msg = f"{file.origin}: the document holds no list of records"
        raise ProtocolError(msg)
    return {"records": place}


def _parquet(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    opened = parquet_read.opened(file.path, file.origin)
    there = parquet_types.declared(opened, None).values()
    if "timezone" in known or all(c.type.family != "naive" for c in there):
        return {}
    remarks.append(
        "source.options.format.timezone: its times have no zone; Spark and Hive write UTC"
    )
    return {"timezone": "Asia/Shanghai"}


def _zip(file: Text, known: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    members = str(known.get("members") or "*")
    options = Zip(kind="zip", members=members, of=CsvSource(kind="csv"))
    with closing(contents.members(file, options)) as found, next(found) as inner:
        name = inner.origin.rpartition("/")[2]
        of = layout(inner, name, dict(known.get("of") or {}))
    remarks += of.remarks
    suffix = PurePath(name).suffix
    return {"members": f"*{suffix}" if suffix else "*", "of": of.options}


_TELLERS: dict[str, Callable[[Text, dict[str, Any], list[str]], dict[str, Any]]] = {
    "csv": _csv,
    "excel": _excel,
    "dbf": _dbf,
    "xml": _xml,
    "json": _json,
    "parquet": _parquet,
    "zip": _zip,
}
"""Kinds that tell more of themselves than what they are."""
