"""Which PostgreSQL a descendant of it stands on, for SQLAlchemy."""

from __future__ import annotations

import re
from typing import Any


def version(connection: Any, otherwise: tuple[int, ...]) -> tuple[int, ...]:  # noqa: ANN401
    """The version that the server says, or the one that it stands on.

    Args:
        connection: SQLAlchemy's.
        otherwise: of the PostgreSQL that it was made from.
    """
    said = str(connection.exec_driver_sql("SELECT version()").scalar())
    found = re.match(r"PostgreSQL (\d+)(?:\.(\d+))?", said)
    return tuple(int(part) for part in found.groups("0")) if found else otherwise
