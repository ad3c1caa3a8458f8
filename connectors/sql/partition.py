"""One partition of a table, as a condition that the database itself evaluates.

Every row fulfils the condition of exactly one partition, NULLs included, and the same one as long
as its key does not change.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from connectors.sql.errors import translated
from connectors.sql.url import address, dialect
from onecard.base.connections import Connection
from onecard.errors import ConfigError, InternalError
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import ReadPart, ReadRequest
from schemas.models.partition import ByHash, ByRange

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

WHOLE = frozenset({"integer", "long", "INTEGER"})
"""Families of types whose values are ordered as whole numbers, and SQLite's affinity: what else
stands in such a column is in no range but the last one."""
HASHED = WHOLE | {"text", "shown", "decimal", "numeric", "bits", "loose"}
"""Families whose values have one text, whatever the session's zone and style of dates."""
SEPARATOR = "\x1f"
SQLITE_HASH = "onecard_hash"
"""SQLite has no hash of its own: every connection of ours brings this one."""

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


def _columns(request: ReadRequest, part: ReadPart, declared: Declared) -> tuple[str, ...]:
    """Native names of the columns by which a table is divided.

    Args:
        request: names the key and the columns.
        part: one of the partitions.
        declared: a column as the table declares it.

    Raises:
        ConfigError: a column's type does not divide the rows in one way only.
    """
    partition = part.partition
    names: tuple[str, ...]
    families: frozenset[str]
    if isinstance(partition, ByRange):
        names, families = (partition.field,), WHOLE
    elif isinstance(partition, ByHash):
        names, families = request.key, HASHED
    else:
        msg = f"{request.dataset}: a table is not read by {partition.by}; valid: hash, range"
        raise ConfigError(msg)
    natives = request.natives(names)
    for native in natives:
        there = declared(native)
        if there is not None and not {there.type.family, there.type.name} & families:
            msg = (
                f"{request.dataset}: column {native} is {there.declared}, by which the source is"
                f" not divided by {partition.by}"
            )
            raise ConfigError(msg)
    return natives


def postgres_condition(
    request: ReadRequest, declared: Declared, quoted: Callable[[str], str]
) -> str:
    """The condition as PostgreSQL's SQL, made of quoted names and numbers only.

    Args:
        request: names the key, the columns and the partition.
        declared: a column as the table declares it.
        quoted: quotes a name.
    """
    part = _part(request)
    names = [quoted(native) for native in _columns(request, part, declared)]
    partition = part.partition
    if isinstance(partition, ByRange):
        return _range(names[0], *partition.ends(part.number))
    texts = ", ".join(f"{name}::text" for name in names)
    # The collation decides nothing here, but must be one: columns of a key may have several.
    key = f"concat_ws(E'\\x1f', {texts}) COLLATE \"C\""
    return f"(hashtext({key}) & 2147483647) % {partition.count} = {part.number}"


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


def generic_condition(request: ReadRequest, declared: Declared, system: str) -> ColumnElement[bool]:
    """The same for MariaDB, MySQL and SQLite.

    Args:
        request: names the key, the columns and the partition.
        declared: a column as the table declares it.
        system: `mariadb` or `sqlite`.
    """
    from sqlalchemy import and_, column, func, or_  # noqa: PLC0415 - heavy; loaded by the caller

    part = _part(request)
    partition = part.partition
    found: list[ColumnElement[Any]] = [column(n) for n in _columns(request, part, declared)]
    if isinstance(partition, ByRange):
        first, behind = partition.ends(part.number)
        if first is None:
            return or_(found[0] < behind, found[0].is_(None))
        return found[0] >= first if behind is None else and_(found[0] >= first, found[0] < behind)
    if system == "sqlite":
        number = getattr(func, SQLITE_HASH)(*found)
    else:
        number = func.crc32(func.concat_ws(SEPARATOR, *found))
    return func.coalesce(number, 0) % partition.count == part.number


def sqlite_hash(*values: object) -> int:
    """CRC-32 of a key's values as texts; the same in every process.

    Args:
        values: as SQLite gives them.
    """
    texts = (v if isinstance(v, bytes) else str(v).encode("utf-8", "surrogatepass") for v in values)
    return zlib.crc32(SEPARATOR.encode().join(texts))


@contextmanager
def shared(connection: Connection) -> Iterator[str]:
    """Hold one state of a PostgreSQL database; an empty name for any other.

    Args:
        connection: of the agency's system.
    """
    if dialect(connection) != "postgresql":
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
