"""The columns that a database declares for a table, and shapes of those that are new."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, select, table
from sqlalchemy.sql import quoted_name

from connectors.common.record_columns import SAMPLE
from connectors.common.source_types import drift_family
from connectors.sql import dialects
from connectors.sql.dialects.base import Dialect
from connectors.sql.dialects.there import TableThere
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.model.drift import Described, SourceColumn, shape
from onecard.model.source_types import DeclaredColumn
from schemas.models.contract import Contract

_LENGTHS = re.compile(r"[a-z0-9 ]+\((\d+)(?:,\s*(\d+))?\)")


def describe(contract: Contract, connection: Connection) -> Described:
    """The table as the database's catalogue has it.

    Values are read (of new columns only, at most `SAMPLE`) when a column of the contract is
    missing, so that a rename can be told from a loss; only their shapes are kept.
    """
    options = SqlSource.model_validate(dict(contract.source.options))
    natives = {f.native for f in contract.fields}
    where = f"{contract.id} from {options.table}"
    dialect = dialects.of(connection)
    engine = dialect.engine(connection)
    try:
        with translated(where, connection):
            with engine.connect() as database:
                there = dialect.there(database, options.table, options.schema_)
            if not there.columns:
                msg = f"{where}: the table is not there"
                raise ConfigError(msg)
            met = {c.name: n for n in natives if (c := there.column(n)) is not None}
            new = {c.name for c in there.columns} - set(met)
            asked = new if len(met) < len(natives) else set()
            columns = tuple(
                source_column(
                    met.get(c.name, c.name),
                    c,
                    _shapes(engine, dialect, there, c) if c.name in asked else (),
                )
                for c in there.columns
            )
    finally:
        engine.dispose()
    return Described(options.table, columns, named=True)


def source_column(
    name: str, declared: DeclaredColumn, shapes: Collection[str] = ()
) -> SourceColumn:
    """A column as it is declared.

    Args:
        name: under which the contract knows it.
        declared: as the catalogue has it.
        shapes: of sampled values.
    """
    family = drift_family(declared.type)
    length = _LENGTHS.match(declared.declared)
    first, second = (int(n) if n else None for n in (length.groups() if length else (None, None)))
    return SourceColumn(
        name,
        family,
        declared.declared,
        accepts=declared.type,
        width=first if family == "text" else None,
        precision=first if family == "number" else None,
        scale=(second or 0) if family == "number" and first is not None else None,
        nullable=declared.nullable,
        shapes=frozenset(shapes),
    )


def _shapes(
    engine: Engine, dialect: Dialect, there: TableThere, column: DeclaredColumn
) -> set[str]:
    wanted: Any = dialect.plain(column.name)
    home = quoted_name(there.home, quote=True) if there.home else None
    source = table(quoted_name(there.name, quote=True), schema=home)
    statement = select(wanted).select_from(source).where(wanted.is_not(None)).limit(SAMPLE)
    with engine.connect() as database:
        return {shape(str(row[0])) for row in database.execute(statement)}
