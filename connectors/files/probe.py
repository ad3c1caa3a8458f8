"""Whether a folder is there and may be listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.files.folders import opened
from onecard.base.connections import Connection


def probe(connection: Connection, source: Mapping[str, Any] | None) -> str:
    """List the folder of a dataset, or the connection's own; returns what was tried, in words.

    Raises:
        OnecardError: it cannot be reached, refuses the login, or the folder is not there.
    """
    with opened(connection) as folder:
        folder.entries(str(source["directory"]) if source else ".")
    return "reached, login and folder are good"
