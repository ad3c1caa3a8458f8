"""Writes docs/types.md from what the runs of all samples find: `python -m tests.connectors.types_page`.

It needs PostgreSQL and MariaDB, as the tests do.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.engine import make_url

from connectors.common.source_types import LOGICAL
from connectors.files.parquet_types import kind_of
from onecard.base.connections import Connection
from onecard.model.source_types import SourceType
from tests.connectors import type_runs
from tests.connectors.systems import conn
from tests.connectors.type_runs import Outcome
from tests.connectors.type_samples import MARIADB, POSTGRESQL, SQLITE
from tests.connectors.type_samples_files import CSV, JSON, PARQUET, SOAP, Value, Written
from tests.connectors.type_samples_office import DBF, EXCEL, FIXED, XML

TARGET = Path(__file__).parents[2] / "docs" / "types.md"
HEAD = """# Which type of a source gives which type of a contract

Made by `python -m tests.connectors.types_page` from real servers and files; do not edit here. Each
value below was written by hand, read by the connector, judged by the gate, and what arrived was
compared with what a person had written down. The rules stand in `connectors/source_types.yaml`.

- **exact**: every value arrives as it was written. Lengths, precision, code lists and rules of the
  contract are another matter.
- **row by row**: each value is looked at; one that is none of the contract's type costs its row, by
  rule `type` or `scale`, and no other row.
- **refused**: the column is refused by name before the first row is read, in the night and by
  `onecard drift` the evening before. So is every type that stands in no table.

Times without a zone are Beijing time, or UTC where the contract's `timezone` says so; in the summers
of 1986 to 1991 Beijing was an hour ahead; before 1950 +08:00 is taken. A date for a
timestamp is its midnight at UTC+8; a timestamp for a date is the date where its time is midnight in
Beijing. What arrives is shown at +08:00, a number as `decimal(38,4)`; “—” is a row that is rejected.
"""
TITLES = {
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB and MySQL",
    "sqlite": "SQLite",
    "parquet": "Parquet",
    "csv": "CSV",
    "json": "JSON and JSON Lines",
    "soap": "Web services (SOAP)",
    "excel": "Excel (XLSX)",
    "dbf": "DBF",
    "xml": "XML",
    "fixed": "Fixed widths",
}
NOTES = {
    "postgresql": "A domain counts as the type that it stands on. `citext` counts as text.",
    "mariadb": "Samples were written with `sql_mode` `ALLOW_INVALID_DATES`, in a session at +08:00; "
    "MySQL's `json` is refused, MariaDB's is a `longtext`.",
    "sqlite": "By affinity; any value may stand in any column, so each is looked at. A REAL for a "
    "number is taken where a double keeps all its digits (15).",
    "parquet": "Times without a zone are refused unless the contract's `format` names their "
    "`timezone`.",
    "csv": "All values are text; `logicalTypeOptions.format` says how dates and times are written "
    "where it is not ISO 8601.",
    "json": "A member's type is its value's. A number of an integer, a decimal or a key has one form, "
    "however it is written; as text it stays as it is.",
    "soap": "Values come as texts, whatever types schema and `xsi:type` name. An empty element, an "
    "`xsi:nil` and one that a row lacks are NULL; dates and times in another form by "
    "`logicalTypeOptions.format`.",
    "excel": "A type is that of a cell, not of a column. Dates are told by a cell's format; "
    "percentages and formulas cost their row unless the contract says how they are taken "
    "(`percent`, `formulas`). A date has the form that the contract's `format` says of text; here it "
    "has none.",
    "dbf": "By the letter of the field; a field of blanks is NULL. I, Y and T that may be NULL are "
    "refused, as their bytes do not tell it. Dates as for Excel.",
    "xml": "All values are text. An element without text, and one that a row lacks, is NULL; an "
    "attribute counts as an element.",
    "fixed": "All values are text, without the blanks around them; blanks alone are NULL.",
}
Line = tuple[str, tuple[str, ...], Outcome]
"""A type, its values in words, and what came of them."""


def postgres_connection(address: str) -> Connection:
    """The server of the tests as a connection of an agency."""
    url = make_url(address)
    return conn(
        conn_type="postgres",
        host=url.host,
        port=url.port,
        login=url.username,
        password=url.password,
        schema=url.database,
        extra=dict(url.query),
    )


def mariadb_connection() -> Connection:
    """The MariaDB of the tests."""
    url = make_url(os.environ.get("ONECARD_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"))
    return conn(
        conn_type="mysql",
        host=url.host,
        port=url.port,
        login=url.username,
        password=url.password or "",
        schema=url.database,
    )


def type_of_parquet(sample: Written) -> SourceType:
    """What the table of types calls a sample's column."""
    return kind_of(sample.column.type, sample.zone)


def page(folder: Path, postgres: str) -> str:
    """The document.

    Args:
        folder: for files.
        postgres: address of a server.
    """
    parts = [HEAD]
    for system, lines in runs(folder, postgres):
        parts += [f"\n## {TITLES[system]}\n\n{NOTES[system]}\n", *_verdicts(lines), *_values(lines)]
    return "".join(parts)


def runs(folder: Path, postgres: str) -> Iterator[tuple[str, list[Line]]]:
    """Every kind of source, and what came of its samples."""
    lite = folder / "types.sqlite"
    sqlite3.connect(lite).close()
    lite.touch()
    databases = (
        ("postgresql", postgres_connection(postgres), POSTGRESQL),
        ("mariadb", mariadb_connection(), MARIADB),
        ("sqlite", conn(conn_type="sqlite", host=str(lite)), SQLITE),
    )
    for system, connection, samples in databases:
        yield (
            system,
            [(s.name, s.written, type_runs.of_table(connection, s)) for s in samples],
        )
    yield "parquet", [(s.name, s.says, type_runs.of_parquet(folder, s)) for s in PARQUET]
    for kind, values in (("csv", CSV), ("json", JSON)):
        yield kind, _by_name(values, type_runs.of_lines(folder, kind, values))
    for kind, samples_ in (("excel", EXCEL), ("dbf", DBF)):
        yield kind, [(s.name, s.says, type_runs.of_office(folder, kind, s)) for s in samples_]
    for kind, values in (("xml", XML), ("fixed", FIXED)):
        yield kind, _by_name(values, type_runs.of_marked(folder, kind, values))
    yield "soap", _by_name(SOAP, type_runs.of_service(SOAP))


def _by_name(values: Sequence[Value], found: Outcome) -> list[Line]:
    """A line for each type of values, in their order."""
    return [
        (
            name,
            tuple(v.written for v in values if v.name == name),
            {
                k: tuple(a for a, v in zip(f, values, strict=True) if v.name == name)
                for k, f in found.items()
            },
        )
        for name in dict.fromkeys(v.name for v in values)
    ]


def _verdicts(lines: Sequence[Line]) -> list[str]:
    rows = [[f"`{name}`", *(_verdict(found, kind) for kind in LOGICAL)] for name, _, found in lines]
    return ["\n", *_table(["type", *LOGICAL], rows)]


def _verdict(found: Outcome, kind: str) -> str:
    arrives = found.get(kind)  # type: ignore[call-overload]
    if arrives is None:
        return "refused"
    return "row by row" if None in arrives else "exact"


def _values(lines: Sequence[Line]) -> list[str]:
    rows = [
        [f"`{name}`", _code(written), *(_cell(found, kind, place) for kind in LOGICAL)]
        for name, values, found in lines
        if found
        for place, written in enumerate(values)
    ]
    return [
        "\nWhat was written, and what arrived:\n\n",
        *_table(["type", "written", *LOGICAL], rows),
    ]


def _cell(found: Outcome, kind: str, place: int) -> str:
    arrives = found.get(kind)  # type: ignore[call-overload]
    if arrives is None:
        return "refused"
    value = arrives[place]
    return "—" if value is None else _code(value)


def _code(value: str) -> str:
    return "(empty)" if not value else f"`{value}`".replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def main() -> None:
    """Write the page."""
    address = os.environ.get("ONECARD_TEST_POSTGRES", "postgresql://root@127.0.0.1:5432/postgres")
    with tempfile.TemporaryDirectory() as folder:
        TARGET.write_text(page(Path(folder), address), encoding="utf-8")


if __name__ == "__main__":
    main()
