"""The columns that a database declares for a table, and shapes of those that are new."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    Date,
    DateTime,
    Engine,
    Integer,
    Numeric,
    String,
    column,
    create_engine,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import NoSuchTableError

from connectors.common.record_columns import SAMPLE
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.model.drift import Described, Family, SourceColumn, shape
from schemas.models.contract import Contract

_FAMILIES: tuple[tuple[Any, Family], ...] = (
    (String, "text"),
    (Integer, "integer"),
    (Numeric, "number"),
    (DateTime, "timestamp"),
    (Date, "date"),
)


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
            declared = _declared(engine, options, where)
            names = {c["name"] for c in declared}
            asked = names - natives if natives - names else set()
            columns = tuple(
                _column(c, _shapes(engine, options, c["name"]) if c["name"] in asked else ())
                for c in declared
            )
    finally:
        engine.dispose()
    return Described(options.table, columns, named=True)


def _declared(engine: Engine, options: SqlSource, where: str) -> list[Any]:
    try:
        return list(inspect(engine).get_columns(options.table, schema=options.schema_))
    except NoSuchTableError:
        msg = f"{where}: the table is not there"
        raise ConfigError(msg) from None


def _column(declared: Any, shapes: Collection[str]) -> SourceColumn:  # noqa: ANN401 - a TypedDict
    kind = declared["type"]
    family: Family = next((name for base, name in _FAMILIES if isinstance(kind, base)), "other")
    decimal = isinstance(kind, Numeric)
    return SourceColumn(
        str(declared["name"]),
        family,
        str(kind).lower(),
        width=getattr(kind, "length", None) if family == "text" else None,
        precision=kind.precision if decimal else None,
        scale=kind.scale if decimal else None,
        nullable=None if declared.get("nullable") is None else bool(declared["nullable"]),
        shapes=frozenset(shapes),
    )


def _shapes(engine: Engine, options: SqlSource, name: str) -> set[str]:
    wanted: Any = column(name)
    source = table(options.table, schema=options.schema_)
    statement = select(wanted).select_from(source).where(wanted.is_not(None)).limit(SAMPLE)
    with engine.connect() as database:
        return {shape(str(row[0])) for row in database.execute(statement)}
