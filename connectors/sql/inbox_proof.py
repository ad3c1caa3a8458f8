"""Whether a table holds what was sent into it, asked in the transaction that sent it.

Types and settings have been looked at before (`inbox_fit`, `inbox_session`); what is left are
triggers, seen or unseen, and what nobody has thought of. Every statement's count is compared; of
every delivery some rows are read back, and all of them where the table has triggers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, DecimalException
from itertools import islice
from typing import Any

import pyarrow as pa
from sqlalchemy import column, func, select

from connectors.sql.inbox_fit import Inbox
from onecard.base.times import ZONE
from onecard.errors import ProtocolError

SAMPLE = 200
"""Rows of one delivery that are read back."""
AT_ONCE = 500
"""Keys of one statement."""
Record = dict[str, Any]
KeyValues = tuple[Any, ...]


class Proof:
    """What one delivery sends, kept to be compared with what is there.

    Args:
        inbox: the table, in the session and the transaction that send; where it has triggers, all
            rows are read back.
        schema: of what is sent.
        key: its columns.
    """

    def __init__(self, inbox: Inbox, schema: pa.Schema, key: tuple[str, ...]) -> None:
        self._dialect, self._database = inbox.dialect, inbox.database
        self._inbox, self._key = inbox.wanted, key
        self._kinds = {f.name: f.type for f in schema}
        self._triggers = inbox.found.triggers
        self._blank_is_null = inbox.blank_is_null
        self._kept: dict[KeyValues, Record] = {}

    def stored(self, records: dict[KeyValues, Record], rows: int) -> None:
        """Rows were sent; the database says how many it stored.

        Args:
            records: by key, as they were sent.
            rows: the database's count; negative where it gives none.

        Raises:
            ProtocolError: it stored fewer or more, or others.
        """
        if not self._dialect.counts:
            rows = -1
        if rows >= 0 and rows != len(records):
            msg = f"{self._where}: {len(records)} rows were sent, {rows} were stored{self._by}"
            raise ProtocolError(msg)
        if self._triggers or rows < 0:
            self._compare(records)
            return
        for again in self._kept.keys() & records.keys():
            self._kept[again] = records[again]
        room = SAMPLE - len(self._kept)
        if room > 0:
            self._kept.update(islice(records.items(), room))
        elif records:  # a row of this statement in place of one of those before
            del self._kept[random.choice(list(self._kept))]  # noqa: S311 - a sample
            new = random.choice(list(records))  # noqa: S311
            self._kept[new] = records[new]

    def dropped(self, gone: list[KeyValues]) -> None:
        """Keys were told to go.

        Raises:
            ProtocolError: some are there still.
        """
        there = self._database.execute(
            select(func.count()).select_from(self._inbox).where(self._matches(gone))
        ).scalar_one()
        if there:
            msg = f"{self._where}: {there} of {len(gone)} deleted rows are there still{self._by}"
            raise ProtocolError(msg)

    def whole(self) -> None:
        """Read the sample back.

        Raises:
            ProtocolError: a row is not there, or not as it was sent.
        """
        self._compare(self._kept)

    @property
    def _where(self) -> str:
        return f"the inbox {self._inbox.fullname}"

    @property
    def _by(self) -> str:
        listed = ", ".join(self._triggers)
        return f" (its triggers: {listed}); nothing was kept" if listed else "; nothing was kept"

    def _compare(self, records: dict[KeyValues, Record]) -> None:
        if self._triggers:
            self._dialect.settle(self._database)
        sent = {self._plain_key(r): self._plain(r) for r in records.values()}
        found = {self._plain_key(r): self._plain(r) for r in self._read(list(records))}
        lost = sum(key not in found for key in sent)
        if lost:
            msg = f"{self._where}: {lost} of {len(sent)} rows read back are not there{self._by}"
            raise ProtocolError(msg)
        differ = {
            name
            for key, record in sent.items()
            for name in self._kinds
            if found[key][name] != record[name]
        }
        if differ:
            msg = f"{self._where} changed what it was given: {', '.join(sorted(differ))}{self._by}"
            raise ProtocolError(msg)

    def _read(self, keys: list[KeyValues]) -> Iterator[Record]:
        columns: list[Any] = [column(name) for name in self._kinds]  # as the driver gives them
        size = min(AT_ONCE, self._dialect.at_most // len(self._key))
        for start in range(0, len(keys), size):
            wanted = self._matches(keys[start : start + size])
            statement = select(*columns).select_from(self._inbox).where(wanted)
            for row in self._database.execute(statement).mappings():
                yield dict(row)

    def _matches(self, keys: list[KeyValues]) -> Any:  # noqa: ANN401 - an expression
        return self._dialect.matches([self._inbox.c[name] for name in self._key], keys)

    def _plain(self, record: Record) -> Record:
        found = {name: plain(record[name], kind) for name, kind in self._kinds.items()}
        if self._blank_is_null:
            found = {name: None if value == "" else value for name, value in found.items()}
        return found

    def _plain_key(self, record: Record) -> KeyValues:
        return tuple(plain(record[name], self._kinds[name]) for name in self._key)


class _Other:
    """No value of the column's type; it equals nothing."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return False


def plain(value: object, kind: pa.DataType) -> object:
    """A value as it is compared, however a driver gives it.

    Args:
        value: as it was sent, or as a driver read it.
        kind: the type with which it was sent.
    """
    if callable(read := getattr(value, "read", None)):  # a large text that is fetched by itself
        value = read()
    if value is None:
        return None
    try:
        return _plain(value, kind)
    except (ValueError, TypeError, DecimalException):
        return _Other()


def _plain(value: Any, kind: pa.DataType) -> object:  # noqa: ANN401 - a driver's
    if pa.types.is_timestamp(kind):
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return found.astimezone(ZONE).replace(tzinfo=None) if found.tzinfo else found
    if pa.types.is_date(kind):
        day = datetime.fromisoformat(value) if isinstance(value, str) else value
        return day if isinstance(day, datetime) else datetime.combine(day, datetime.min.time())
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        return Decimal(str(value))
    if pa.types.is_boolean(kind):
        return {0: False, 1: True}.get(value, _Other())
    if pa.types.is_floating(kind):
        return float(value)
    return value if isinstance(value, str) else _Other()
