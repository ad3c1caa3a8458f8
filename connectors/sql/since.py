"""The bound of an incremental reading, in the type of the cursor column."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from onecard.base.times import OFFSET, ZONE
from onecard.errors import ConfigError
from onecard.ports.source import ReadRequest


def number(since: str) -> int | None:
    """The bound of an integer cursor, or None when it is an instant."""
    return int(since) if re.fullmatch(r"-?[0-9]{1,19}", since) else None


def moment(since: str, zone: str, dataset: str) -> datetime:
    """The bound as an instant in `zone`; a bound without a zone is wall time there.

    Args:
        since: ISO 8601 text.
        zone: name of the database's zone.
        dataset: for the message.

    Raises:
        ConfigError: the bound is neither an integer nor an ISO 8601 instant.
    """
    try:
        found = datetime.fromisoformat(since)
    except ValueError:
        msg = f"{dataset}: the bound {since!r} is neither an integer nor an ISO 8601 instant"
        raise ConfigError(msg) from None
    local = ZONE if zone == OFFSET else ZoneInfo(zone)
    return found.astimezone(local) if found.tzinfo else found.replace(tzinfo=local)


def native(request: ReadRequest) -> str | None:
    """Native name of the cursor column, or None when everything is read.

    Raises:
        ConfigError: the cursor is none of the contract's columns.
    """
    if request.cursor is None or request.since is None:
        return None
    for column in request.columns:
        if column.name == request.cursor:
            return column.native
    msg = f"{request.dataset}: the cursor {request.cursor!r} is none of the columns read"
    raise ConfigError(msg)


def counted(request: ReadRequest) -> bool:
    """Whether the rows of the table are counted: where only the newest are read, and once.

    Args:
        request: names the cursor, the bound and the partition.
    """
    return native(request) is not None and (request.part is None or request.part.number == 0)
