"""Which rows of MariaDB, MySQL or SQLite lie behind a bound, whatever their cursor holds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, cast, func, or_

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_DAY = len("2026-11-01")


def mariadb_no_time(cursor: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a date or time of MariaDB is none: `0000-00-00`, `2024-00-10`, 31 June.

    Args:
        cursor: the column.
    """
    day, last = func.dayofmonth(cursor), func.dayofmonth(func.last_day(cursor))
    return and_(cursor.is_not(None), or_(day == 0, last.is_(None), day > last))


def sqlite_reached(cursor: ColumnElement[Any], bound: datetime) -> ColumnElement[bool]:
    """Whether a cursor that SQLite keeps as text is not before the bound, or is no time.

    A text with a zone is an instant, another one local time.

    Args:
        cursor: the column.
        bound: with the zone of local times.
    """
    seconds = cast(func.strftime("%s", cursor), BigInteger)
    zoned = or_(cursor.op("GLOB")("*[zZ]"), cursor.op("GLOB")("*[+-][0-9][0-9]:[0-9][0-9]"))
    local = bound.replace(tzinfo=UTC)
    later = case(
        (zoned, seconds >= math.floor(bound.timestamp())),
        else_=seconds >= math.floor(local.timestamp()),
    )
    by_day = and_(func.length(cursor) == _DAY, cursor == bound.date().isoformat())
    return or_(later, by_day, func.typeof(cursor) != "text", seconds.is_(None))
