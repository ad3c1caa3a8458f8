"""One partition of a table, as a condition that the database itself evaluates.

Every row fulfils the condition of exactly one partition, NULLs included, and the same one as long
as its key does not change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.sql import dialects
from connectors.sql.dialects.base import Dialect
from connectors.sql.errors import translated
from connectors.sql.url import address
from onecard.base.connections import Connection
from onecard.errors import ConfigError, InternalError
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import ReadPart, ReadRequest
from schemas.models.partition import ByHash, ByRange

WHOLE = frozenset({"integer", "long", "INTEGER"})
"""Families of types whose values are ordered as whole numbers, and SQLite's affinity: what else
stands in such a column is in no range but the last one."""
RANGED = WHOLE | {"decimal"}
"""Families that a range divides: decimals lie between whole numbers as well, and some databases
(Oracle, DM8) have hardly another number."""
HASHED = WHOLE | {"text", "shown", "decimal", "numeric", "bits", "loose"}
"""Families whose values have one text, whatever the session's zone and style of dates."""

Declared = Callable[[str], DeclaredColumn | None]


def origin(table: str, request: ReadRequest) -> str:
    """Where rows come from, as rejected ones are told: the table, and its partition if any.

    Args:
        table: its name.
        request: names the partition.
    """
    return table if request.part is None else f"{table}, {request.part}"


def snapshot_literal(part: ReadPart) -> str:
    """The name of a held state as an SQL literal; PostgreSQL's are hexadecimal and hyphens.

    Raises:
        ConfigError: it is none of those.
    """
    if not re.fullmatch(r"[0-9A-Fa-f-]{1,64}", part.snapshot):
        msg = "the name of a held state is not PostgreSQL's"
        raise ConfigError(msg)
    return f"'{part.snapshot}'"


def condition(request: ReadRequest, declared: Declared, dialect: Dialect) -> str:
    """The condition as SQL, made of quoted names and numbers only.

    Args:
        request: names the key, the columns and the partition.
        declared: a column as the table declares it.
        dialect: of the database.

    Raises:
        ConfigError: the table cannot be divided so.
    """
    part = _part(request)
    names = [dialect.quoted(n) for n in _columns(request, part, declared)]
    partition = part.partition
    if isinstance(partition, ByRange):
        return _range(names[0], *partition.ends(part.number))
    number = dialect.remainder(names, partition.count)
    if number is None:
        msg = f"{request.dataset}: {dialect.title} has no hash; divide the table by range"
        raise ConfigError(msg)
    return f"{number} = {part.number}"


def _columns(request: ReadRequest, part: ReadPart, declared: Declared) -> tuple[str, ...]:
    """Names of the columns by which a table is divided, as it spells them.

    Raises:
        ConfigError: a column's type does not divide the rows in one way only.
    """
    partition = part.partition
    names: tuple[str, ...]
    families: frozenset[str]
    if isinstance(partition, ByRange):
        names, families = (partition.field,), RANGED
    elif isinstance(partition, ByHash):
        names, families = request.key, HASHED
    else:
        msg = f"{request.dataset}: a table is not read by {partition.by}; valid: hash, range"
        raise ConfigError(msg)
    found = []
    for native in request.natives(names):
        there = declared(native)
        if there is not None and not {there.type.family, there.type.name} & families:
            msg = (
                f"{request.dataset}: column {native} is {there.declared}, by which the source is"
                f" not divided by {partition.by}"
            )
            raise ConfigError(msg)
        found.append(there.name if there is not None else native)
    return tuple(found)


def _part(request: ReadRequest) -> ReadPart:
    if request.part is None:
        msg = f"{request.dataset}: no partition was asked for"
        raise InternalError(msg)
    return request.part


def _range(name: str, first: int | None, behind: int | None) -> str:
    ends = [f"{name} >= {first}"] if first is not None else [f"{name} IS NULL OR {name} < {behind}"]
    if first is not None and behind is not None:
        ends.append(f"{name} < {behind}")
    return " AND ".join(ends)


@contextmanager
def shared(connection: Connection) -> Iterator[str]:
    """Hold one state of a PostgreSQL database; an empty name for any other.

    Args:
        connection: of the agency's system.
    """
    if not dialects.of(connection).copies:
        yield ""
        return
    import psycopg  # noqa: PLC0415 - only where partitions of PostgreSQL are read

    where = f"a state of {connection.id!r} that all partitions are read from"
    with translated(where, connection), psycopg.connect(address(connection)) as held:
        held.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        held.read_only = True
        held.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        (name,) = held.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        yield str(name)
