"""Whether an inbox table keeps everything as it is sent: its columns, its key, its collations.

A table that would round, cut, pad or merge is refused by name before anything leaves. What is
needed is what the hub itself would make (`inbox_tables`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, String, Table

from connectors.sql.dialects.base import Dialect
from connectors.sql.dialects.column_types import KEY_LENGTH
from connectors.sql.inbox_look import InboxColumn, InboxTable
from connectors.sql.inbox_tables import REMARKS
from onecard.errors import ConfigError, ProtocolError
from onecard.model.treated import TextShape

SHOWN = 8
"""Flaws that one message names."""
INTEGER_DIGITS = 18
"""Of the registry's integers (`quality.rows.parsing`)."""
INSTANT_CHARACTERS = 26
"""2026-11-24 02:00:00.000000"""
FRACTION = 6
"""Digits of a second: microseconds."""
WHOLE_CHARACTER = 4
"""Bytes of a character in UTF-8, at most."""
UNKNOWN = TextShape()


@dataclass(frozen=True, slots=True)
class Inbox:
    """An inbox that is looked at.

    Attributes:
        dialect: of its database.
        database: a session of it.
        wanted: the table as the hub would make it.
        found: the table as it is.
        blank_is_null: the database keeps '' as NULL.
    """

    dialect: Dialect
    database: Connection
    wanted: Table
    found: InboxTable
    blank_is_null: bool = False


def check(inbox: Inbox, schema: pa.Schema, texts: Mapping[str, TextShape]) -> None:
    """Refuse a table that does not keep what is sent.

    Args:
        inbox: the table.
        schema: of what is sent.
        texts: what is known of its text columns.

    Raises:
        ConfigError: names the table's flaws: columns, their types and what is needed.
    """
    fit = _Fit(inbox, texts)
    flaws = [*inbox.found.flaws, *fit.columns(schema), *fit.key(), *fit.others()]
    if flaws:
        more = f"; and {len(flaws) - SHOWN} more" if len(flaws) > SHOWN else ""
        msg = (
            f"the inbox {inbox.wanted.fullname} would not keep what is sent: "
            f"{'; '.join(flaws[:SHOWN])}{more}; nothing was sent"
        )
        raise ConfigError(msg)


class _Fit:
    """One table beside what is sent into it."""

    def __init__(self, inbox: Inbox, texts: Mapping[str, TextShape]) -> None:
        self._dialect, self._database = inbox.dialect, inbox.database
        self._wanted, self._found = inbox.wanted, inbox.found
        self._texts = texts
        self._key = tuple(c.name for c in inbox.wanted.primary_key)

    def columns(self, schema: pa.Schema) -> Iterator[str]:
        """Columns that are not there, or whose types lose something."""
        for field in schema:
            column = self._column(field.name)
            if column is None:
                yield f"column {field.name} is not there; needs {self._needs(field.name)}"
            elif column.made:
                yield f"column {column.name} is filled in by the database itself"
            elif not self._holds(field, column):
                yield f"column {column.name} is {column.declared}, needs {self._needs(field.name)}"
        for name in REMARKS:
            column = self._column(name)
            if column and self._remark(name, column):
                continue
            is_ = f"is {column.declared}" if column else "is not there"
            yield f"column {name} {is_}, needs {self._needs(name)}"

    def key(self) -> Iterator[str]:
        """No unique index on exactly the key, or one that takes different keys for equal."""
        names = [self._dialect.named(name) for name in self._key]
        if frozenset(names) not in self._found.unique:
            yield f"it has no unique index on exactly {', '.join(self._key)}"
        for name in self._key:
            column = self._column(name)
            if column and column.blurs and not self._texts.get(name, UNKNOWN).distinct:
                yield (
                    f"the collation of key {column.name} ({column.blurs}) takes different keys for"
                    f" one; needs {self._dialect.collation(self._database)}"
                )

    def others(self) -> Iterator[str]:
        """Columns that the agreement does not fill and that must be filled."""
        ours = {self._dialect.named(column.name) for column in self._wanted.columns}
        for name, column in self._found.columns.items():
            if name not in ours and not column.optional:
                yield f"column {column.name} must be filled, and the agreement does not have it"

    def _column(self, name: str) -> InboxColumn | None:
        return self._found.columns.get(self._dialect.named(name))

    def _needs(self, name: str) -> str:
        kind = self._wanted.columns[name].type
        most = self._texts.get(name, UNKNOWN).most
        if most and isinstance(kind, String):
            kind = String(most)
        text = str(kind.compile(self._database.dialect))
        column = self._column(name)
        return f"{text} in utf8mb4" if column and column.narrow else text

    def _remark(self, name: str, column: InboxColumn) -> bool:
        """Whether a column holds the hub's own remark on a row."""
        if name == "received_at":
            return column.family in ("clock", "instant", "text") and not column.made
        return _text(self._texts.get(name, UNKNOWN), column, keyed=False)

    def _holds(self, field: pa.Field, column: InboxColumn) -> bool:
        for test, holds in _KINDS:
            if test(field.type):
                as_text = self._dialect.as_text and _text_of(field.type, column)
                return holds(field.type, column) or as_text
        shape = self._texts.get(field.name, UNKNOWN)
        return _text(shape, column, keyed=field.name in self._key)


def _integer(_kind: pa.DataType, column: InboxColumn) -> bool:
    if column.family not in ("integer", "decimal"):
        return False
    return column.digits is None or column.digits >= INTEGER_DIGITS


def _decimal(kind: pa.DataType, column: InboxColumn) -> bool:
    whole = column.digits is None or column.digits >= kind.precision - kind.scale
    if column.family == "integer":
        return whole and bool(kind.scale <= 0)
    return (
        column.family == "decimal"
        and whole
        and (column.scale is None or column.scale >= kind.scale)
    )


def _instant(_kind: pa.DataType, column: InboxColumn) -> bool:
    return (
        column.family in ("clock", "instant") and not column.stamp and column.fraction >= FRACTION
    )


def _date(_kind: pa.DataType, column: InboxColumn) -> bool:
    return column.family in ("date", "clock")


def _float(_kind: pa.DataType, column: InboxColumn) -> bool:
    return column.family == "float"


def _boolean(_kind: pa.DataType, column: InboxColumn) -> bool:
    return column.family in ("boolean", "integer") and column.digits != 0


_KINDS: tuple[
    tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, InboxColumn], bool]], ...
] = (
    (pa.types.is_integer, _integer),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_timestamp, _instant),
    (pa.types.is_date, _date),
    (pa.types.is_floating, _float),
    (pa.types.is_boolean, _boolean),
)


def _text_of(kind: pa.DataType, column: InboxColumn) -> bool:
    """Whether a text column holds all values of another type in writing."""
    if pa.types.is_decimal(kind):
        most = kind.precision + 2  # sign and point
    elif pa.types.is_integer(kind) or pa.types.is_date(kind):
        most = INTEGER_DIGITS + 1
    elif pa.types.is_timestamp(kind):
        most = INSTANT_CHARACTERS
    else:
        return False
    return _text(TextShape(most, None, ascii=True, distinct=True), column, keyed=False)


def _text(shape: TextShape, column: InboxColumn, *, keyed: bool) -> bool:
    if column.narrow and not shape.ascii:
        return False
    if column.family == "fixed":
        return shape.distinct and shape.always == column.length
    if column.family != "text":
        return False
    if shape.most is None:  # judged batch by batch (`too_long`)
        return True
    each = 1 if shape.ascii else WHOLE_CHARACTER
    if column.octets is not None and column.octets < shape.most * each:
        return False
    room = column.length is None or column.length >= shape.most
    return room or (keyed and column.length is not None and column.length >= KEY_LENGTH)


class Limits:
    """What is known of no text before it comes: looked at batch by batch.

    Args:
        inbox: the table.
        schema: of what is sent.
        texts: what is known of its text columns.
    """

    def __init__(self, inbox: Inbox, schema: pa.Schema, texts: Mapping[str, TextShape]) -> None:
        self._where = f"the inbox {inbox.wanted.fullname}"
        key = tuple(c.name for c in inbox.wanted.primary_key)
        found = {n: inbox.found.columns[inbox.dialect.named(n)] for n in schema.names}
        self._key, self._columns = key, found
        self._inbox = inbox
        self._padded = tuple(n for n in key if found[n].pads and not texts.get(n, UNKNOWN).distinct)

    @property
    def padded(self) -> bool:
        """Whether the key's comparisons ignore blanks at the end of some text."""
        return bool(self._padded)

    def check(self, batch: pa.RecordBatch) -> None:
        """Refuse rows that the table would cut, or take for another row.

        Args:
            batch: of some of the columns, the key among them.

        Raises:
            ConfigError: a text is too long for its column, or a key's blank at the end gets lost.
            ProtocolError: a row has no key.
        """
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            column = self._columns[name]
            if name in self._key and values.null_count:
                rows = f"{values.null_count} row(s)"
                msg = f"{self._where}: column {name} of the key has no value in {rows}"
                raise ProtocolError(msg)
            if not pa.types.is_string(values.type) and not pa.types.is_large_string(values.type):
                continue
            self._measure(column, values)
            if (
                name in self._key
                and self._inbox.blank_is_null
                and pc.any(pc.equal(values, "")).as_py()
            ):
                msg = (
                    f"{self._where}: column {name} of the key is empty in some row, which this"
                    " database keeps as NULL; nothing was kept"
                )
                raise ConfigError(msg)
            if name in self._padded and pc.any(pc.ends_with(values, " ")).as_py():
                exact = self._inbox.dialect.collation(self._inbox.database)
                msg = (
                    f"{self._where}: the collation of key {column.name} takes a key with a blank at"
                    f" its end for the one without; convert the table to {exact}; nothing was kept"
                )
                raise ConfigError(msg)

    def _measure(self, column: InboxColumn, values: pa.Array) -> None:
        for limit, measure, unit in (
            (column.length, pc.utf8_length, "characters"),
            (column.octets, pc.binary_length, "bytes"),
        ):
            most = None if limit is None else pc.max(measure(values)).as_py()
            if limit is not None and most is not None and most > limit:
                fact = f"column {column.name} is {column.declared}"
                msg = f"{self._where}: {fact}, and a text has {most} {unit}; nothing was kept"
                raise ConfigError(msg)
