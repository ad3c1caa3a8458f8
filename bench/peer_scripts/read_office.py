"""A library's own reading of workbooks, DBF or XML; every value is asked for, none is kept.

Arguments: library, folder, folder with a few rows. Prints seconds, CPU seconds, peak memory and
rows as JSON; `--known` prints which libraries there are.
"""

import importlib.util
import json
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def openpyxl(file: Path) -> int:
    from openpyxl import load_workbook

    book = load_workbook(file, read_only=True, data_only=True)
    return sum(1 for _ in book.active.iter_rows(values_only=True)) - 1


def calamine(file: Path) -> int:
    from python_calamine import CalamineWorkbook

    sheet = CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0)
    return sum(1 for _ in sheet.iter_rows()) - 1


def dbfread(file: Path) -> int:
    from dbfread import DBF

    return sum(1 for _ in DBF(str(file), encoding="gb18030"))


def lxml(file: Path) -> int:
    from lxml.etree import iterparse

    return tree(iterparse(str(file), tag="row"))


def etree(file: Path) -> int:
    from xml.etree.ElementTree import iterparse

    return tree(pair for pair in iterparse(str(file)) if pair[1].tag == "row")


def tree(rows: Iterable[tuple[str, Any]]) -> int:
    count = 0
    for _, row in rows:
        found = {child.tag: child.text for child in row}
        row.clear()
        if hasattr(row, "getprevious"):
            while row.getprevious() is not None:
                del row.getparent()[0]
        count += bool(found)
    return count


LIBRARIES = {
    "openpyxl": ("xlsx", "openpyxl", openpyxl),
    "python-calamine": ("xlsx", "python_calamine", calamine),
    "dbfread": ("dbf", "dbfread", dbfread),
    "lxml": ("xml", "lxml", lxml),
    "xml.etree": ("xml", "xml.etree", etree),
}


def read(name: str, folder: str) -> int:
    return sum(LIBRARIES[name][2](file) for file in sorted(Path(folder).iterdir()))


def main() -> None:
    if sys.argv[1] == "--known":
        there = {n: k for n, (k, m, _) in LIBRARIES.items() if importlib.util.find_spec(m)}
        print(json.dumps(there))
        return
    name, folder, first = sys.argv[1:4]
    read(name, first)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    rows = read(name, folder)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "client": spent, "megabytes": peak, "rows": rows}))


main()
