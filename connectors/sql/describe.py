"""The columns that a database declares for a table, and shapes of those that are new."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine, column, create_engine, select, table

from connectors.common.record_columns import SAMPLE
from connectors.common.source_types import drift_family
from connectors.sql import generic_types, postgres_types
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from connectors.sql.read_postgres import table_name
from connectors.sql.url import dialect, engine_url
from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.model.drift import Described, SourceColumn, shape
from onecard.model.source_types import DeclaredColumn
from schemas.models.contract import Contract

_LENGTHS = re.compile(r"[a-z ]+\((\d+)(?:,\s*(\d+))?\)")


def describe(contract: Contract, connection: Connection) -> Described:
    """The table as the database's catalogue has it.

    Values are read (of new columns only, at most `SAMPLE`) when a column of the contract is
    missing, so that a rename can be told from a loss; only their shapes are kept.
    """
    options = SqlSource.model_validate(dict(contract.source.options))
    natives = {f.native for f in contract.fields}
    where = f"{contract.id} from {options.table}"
    engine = create_engine(engine_url(connection))
    try:
        with translated(where, connection):
            with engine.connect() as database:
                declared = _declared(database, connection, options)
            if not declared:
                msg = f"{where}: the table is not there"
                raise ConfigError(msg)
            names = {c.name for c in declared}
            asked = names - natives if natives - names else set()
            columns = tuple(
                _column(c, _shapes(engine, options, c.name) if c.name in asked else ())
                for c in declared
            )
    finally:
        engine.dispose()
    return Described(options.table, columns, named=True)


def _declared(
    database: Database, connection: Connection, options: SqlSource
) -> list[DeclaredColumn]:
    kind = dialect(connection)
    if kind == "postgresql":
        found = database.exec_driver_sql(postgres_types.statement(table_name(options)))
        return list(postgres_types.declared(found.all()).values())
    system = "sqlite" if kind == "sqlite" else "mariadb"
    return list(generic_types.columns(database, system, options.table, options.schema_).values())


def _column(declared: DeclaredColumn, shapes: Collection[str]) -> SourceColumn:
    family = drift_family(declared.type)
    length = _LENGTHS.match(declared.declared)
    first, second = (int(n) if n else None for n in (length.groups() if length else (None, None)))
    return SourceColumn(
        declared.name,
        family,
        declared.declared,
        accepts=declared.type,
        width=first if family == "text" else None,
        precision=first if family == "number" else None,
        scale=(second or 0) if family == "number" and first is not None else None,
        nullable=declared.nullable,
        shapes=frozenset(shapes),
    )


def _shapes(engine: Engine, options: SqlSource, name: str) -> set[str]:
    wanted: Any = column(name)
    source = table(options.table, schema=options.schema_)
    statement = select(wanted).select_from(source).where(wanted.is_not(None)).limit(SAMPLE)
    with engine.connect() as database:
        return {shape(str(row[0])) for row in database.execute(statement)}
