"""Types of an inbox's columns that keep every value exactly as it was sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Numeric,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from onecard.base.times import OFFSET

KEY_LENGTH = 190
"""Characters of a text column in a key: MariaDB indexes at most 767 bytes of utf8mb4."""

_TYPES: tuple[tuple[Callable[[pa.DataType], bool], type[TypeEngine[Any]]], ...] = (
    (pa.types.is_integer, BigInteger),
    (pa.types.is_floating, Double),
    (pa.types.is_boolean, Boolean),
    (pa.types.is_date, Date),
)


def usual(kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
    """The type in SQLAlchemy's own words.

    Args:
        kind: as it is sent.
        keyed: the column is a part of the key.
    """
    if pa.types.is_decimal(kind):
        return Numeric(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return DateTime(timezone=True)
    for test, found in _TYPES:
        if test(kind):
            return found()
    return String(KEY_LENGTH) if keyed else Text()


def local(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch in the same columns, whose instants are Beijing's clock times.

    Args:
        batch: as it leaves.
    """
    columns = [
        pc.local_timestamp(c.cast(pa.timestamp("us", OFFSET)))
        if pa.types.is_timestamp(c.type) and c.type.tz
        else c
        for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


class YesNo(TypeDecorator[Any]):
    """Yes and no as 1 and 0, for databases whose BOOLEAN is as new as some of their versions."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: SqlDialect) -> int | None:  # noqa: ANN401, ARG002
        """A number, for a driver may take a `bool` for a type that the server lacks."""
        return None if value is None else int(value)


class Written(TypeDecorator[Any]):
    """A clock time that is sent in writing, for drivers that would cut its microseconds."""

    impl = DateTime
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any], glue: str = " ") -> None:
        """A column of that type.

        Args:
            kind: the database's own.
            glue: between day and time, as the database reads it whatever its settings are.
        """
        super().__init__()
        self._kind, self._glue = kind, glue

    def load_dialect_impl(self, dialect: SqlDialect) -> TypeEngine[Any]:
        """The column is of the database's own type, the value that is sent is text."""
        return dialect.type_descriptor(self._kind)

    def process_bind_param(self, value: Any, dialect: SqlDialect) -> str | None:  # noqa: ANN401, ARG002
        """The time in ISO 8601, with six digits of a second."""
        if isinstance(value, datetime):
            return value.isoformat(self._glue, "microseconds")
        return value if value is None else str(value)

    def process_result_value(self, value: Any, dialect: SqlDialect) -> Any:  # noqa: ANN401, ARG002
        """As the driver gives it."""
        return value
