"""Which texts a server takes for one whatever its collations are called: it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import literal_column

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy import Connection as Database

    from connectors.sql.dialects.base import Keys
    from connectors.sql.inbox_look import InboxTable

QUESTION = (
    "SELECT CASE WHEN CAST('a' AS VARCHAR(9)) = CAST('A' AS VARCHAR(9)) THEN 1 ELSE 0 END,"
    " CASE WHEN CAST('a' AS VARCHAR(9)) = CAST('a ' AS VARCHAR(9)) THEN 1 ELSE 0 END"
)


def asked(
    database: Database, found: InboxTable | None, blind: str, of: str = ""
) -> InboxTable | None:
    """An inbox table whose text columns say what their server takes for one.

    Args:
        database: a session of the inbox.
        found: the table as its catalogue has it.
        blind: what a server is called that takes `a` for `A`.
        of: end of the question, where a SELECT must have a table.
    """
    if found is None:
        return None
    cases, blanks = database.exec_driver_sql(QUESTION + of).one()
    columns = dict(found.columns)
    for name, column in found.columns.items():
        if column.family in ("text", "fixed"):
            blurs = column.blurs or (blind if int(cases) else "")
            columns[name] = replace(column, blurs=blurs, pads=column.pads or bool(int(blanks)))
    return replace(found, columns=columns)


def ended(
    columns: Sequence[ColumnElement[Any]], keys: Keys
) -> tuple[list[ColumnElement[Any]], list[tuple[str, ...]]]:
    """Columns and their texts with something behind each, so that no blank is the last of it.

    Args:
        columns: texts of a key.
        keys: texts in that order.
    """
    end: ColumnElement[Any] = literal_column("'.'")
    return [c.concat(end) for c in columns], [tuple(f"{text}." for text in key) for key in keys]
