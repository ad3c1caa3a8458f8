"""Whether the spool is there and can be written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from connectors.push.spool import Spool
from onecard.base.connections import Connection
from onecard.errors import ConfigError


def probe(connection: Connection, source: Mapping[str, Any] | None) -> str:  # noqa: ARG001 - as of every kind
    """Look at the folder of all spools; returns what was tried, in words.

    Args:
        connection: of the spool.
        source: options of a dataset that comes there.

    Raises:
        ConfigError: it is no folder, or may not be written.
    """
    base = Spool(connection, "").folder
    if not os.access(base, os.R_OK | os.W_OK | os.X_OK):
        msg = f"connection {connection.id!r}: this user may not write into the spool"
        raise ConfigError(msg)
    return "the spool is there and can be written"
