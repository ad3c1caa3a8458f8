"""Columns of rows that the hub has given back for correction, in a file that is checked again.

A workbook of the portal heads a column with its title and its name (`姓名 XM`), and says beside
each row where it stood and what is wrong with it. Whoever has corrected the rows hands the same
file to the check: what is the hub's own is passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from onecard.deliver.returned_rows import NUMBER, ORIGIN, REASONS, RECORD
from onecard.ports.source import Chunk, Column
from schemas.models.contract import Contract

OWN = (RECORD, NUMBER, ORIGIN, REASONS)
"""Names of the hub's own columns, before those of the agency."""


def head(title: str, name: str) -> str:
    """How a column is headed in a workbook: what it means, and what it is called.

    Args:
        title: for people; empty: there is none.
        name: in the agency's system, or one of `OWN`.
    """
    return f"{title} {name}" if title else name


def named(
    contract: Contract, columns: Iterable[Column], there: Collection[str]
) -> tuple[Column, ...]:
    """The columns of a contract by the names that a file has for them, then the hub's own.

    Args:
        contract: gives the titles.
        columns: of the contract, by the agency's names.
        there: names in the file's header; a column is also known by the contract's name for it.
    """
    titles = {field.name: field.title for field in contract.fields}

    def as_there(column: Column) -> Column:
        forms = (column.name, head(titles.get(column.name, ""), column.native))
        return next((replace(column, native=n) for n in forms if n in there), column)

    own = [
        Column(name, form, required=False, required_to_read=False)
        for form in sorted(there)
        for name in OWN
        if form.split(" ")[-1] == name
    ]
    return (*map(as_there, columns), *own)


def without(chunk: Chunk) -> Chunk:
    """The same rows without the hub's own columns.

    Args:
        chunk: columns as of `named`.
    """
    names = chunk.batch.schema.names
    kept = [name for name in names if name not in OWN]
    if len(kept) == len(names):
        return chunk
    unread = {name: texts for name, texts in chunk.unread.items() if name not in OWN}
    because = {name: rules for name, rules in chunk.because.items() if name not in OWN}
    return replace(chunk, batch=chunk.batch.select(kept), unread=unread, because=because)
