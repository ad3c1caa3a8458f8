"""How to read an agency's system and deliver into it.

In: a connection and options of a contract or an agreement. Out: Arrow batches; confirmations.
Each kind of system stands in a room of its own and is imported when first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from onecard.errors import ConfigError, unknown

if TYPE_CHECKING:
    from onecard.ports.connector import Connector

KINDS = {
    "files": "connectors.files.connector:FilesConnector",
    "rest": "connectors.rest.connector:RestConnector",
    "sql": "connectors.sql.connector:SqlConnector",
}
"""Every kind of system, and the class that speaks to it."""

READ_BACK = frozenset({"files", "sql"})
"""Kinds whose inboxes can be read back: these implement `onecard.ports.inbox.Readable`."""


@cache
def connector(kind: str) -> Connector:
    """The connector of that kind.

    Raises:
        ConfigError: there is no such kind.
    """
    return cast("Connector", offered("connector", kind, KINDS)())


def offered(what: str, kind: str, known: Mapping[str, str]) -> Any:  # noqa: ANN401 - any object
    """What a registry holds for a kind.

    Args:
        what: that the registry holds, for the message.
        kind: of the system.
        known: kind → `module:name`; the module is imported now.

    Raises:
        ConfigError: there is no such kind; the message lists those that there are.
    """
    if kind not in known:
        raise ConfigError(unknown(what, kind, known))
    module, _, name = known[kind].partition(":")
    return getattr(import_module(module), name)
