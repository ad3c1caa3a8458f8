"""Writes the section of databases in docs/sources.md: `python -m tests.connectors.sources_page`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.sql import dialects
from connectors.sql.dialects.base import Dialect

TARGET = Path(__file__).parents[2] / "docs" / "sources.md"
BEGIN, END = "<!-- databases -->\n", "<!-- end of databases -->\n"
BLANK = {"kept": "is kept", "null": "is NULL", "asked": "as its mode says (asked)"}
NOBODY = "no server was at hand"


def page() -> str:
    """The page with its section of databases as the registry has it now."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return head + BEGIN + section() + END + rest.partition(END)[2]


def section() -> str:
    """Two tables: how each is reached and tried, and what each can do."""
    found = [dialects.called(name) for name in dialects.DIALECTS]
    reached = [[d.title, _types(d), _extra(d), d.tried or NOBODY] for d in found]
    able = [[d.title, d.state, _hash(d), _checks(d), BLANK[d.blank], _proof(d)] for d in found]
    return (
        _table(["database", "type of the connection", "extra (driver)", "tests run on"], reached)
        + "\n"
        + _table(
            [
                "database",
                "one state is read by",
                "partitions by hash",
                "reconciled by",
                "'' in an inbox",
                "a delivery is proven by",
            ],
            able,
        )
    )


def _types(dialect: Dialect) -> str:
    names = [t for t, name in dialects.CONNECTION_TYPES.items() if name == dialect.name]
    return ", ".join(f"`{name}`" for name in names)


def _extra(dialect: Dialect) -> str:
    return f"`{dialect.extra}` (`{dialect.module}`)" if dialect.extra else f"– (`{dialect.module}`)"


def _hash(dialect: Dialect) -> str:
    return "yes" if dialect.remainder(["k"], 2) else "no: by ranges"


def _checks(dialect: Dialect) -> str:
    return "checksums of the database" if dialect.copies else "streaming"


def _proof(dialect: Dialect) -> str:
    return "its count, and a sample read back" if dialect.counts else "all rows read back"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
