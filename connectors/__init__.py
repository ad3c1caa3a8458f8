"""How to read an agency's system and deliver into it: Arrow batches in and out."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from onecard.errors import ConfigError, unknown

if TYPE_CHECKING:
    from onecard.ports.connector import Connector

KINDS = {
    "files": "connectors.files.connector:FilesConnector",
    "rest": "connectors.rest.connector:RestConnector",
    "sql": "connectors.sql.connector:SqlConnector",
}
"""Every kind of system, and the class that speaks to it; imported when first asked for."""

READ_BACK = frozenset({"files", "sql"})
"""Kinds whose inboxes can be read back: these implement `onecard.ports.inbox.Readable`."""


@cache
def connector(kind: str) -> Connector:
    """The connector of that kind.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(unknown("connector", kind, KINDS))
    module, _, name = KINDS[kind].partition(":")
    return cast("Connector", getattr(import_module(module), name)())
