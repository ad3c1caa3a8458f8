"""How to read an agency's system and deliver into it.

In: a connection and options of a contract or an agreement. Out: Arrow batches; confirmations.
Each kind of system stands in a room of its own and is imported when first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from onecard.errors import ConfigError, unknown

if TYPE_CHECKING:
    from pydantic import BaseModel

    from onecard.ports.connector import Connector

KINDS = {
    "files": "connectors.files.connector:FilesConnector",
    "push": "connectors.push.connector:PushConnector",
    "rest": "connectors.rest.connector:RestConnector",
    "soap": "connectors.soap.connector:SoapConnector",
    "sql": "connectors.sql.connector:SqlConnector",
}
"""Every kind of system, and the class that speaks to it."""

SOURCES = {
    "files": "connectors.files.options:FilesSource",
    "push": "connectors.push.options:PushSource",
    "rest": "connectors.rest.options:RestSource",
    "soap": "connectors.soap.options:SoapSource",
    "sql": "connectors.sql.options:SqlSource",
}
SINKS = {
    "files": "connectors.files.options:FilesSink",
    "push": "connectors.common.no_inbox:NoInbox",
    "rest": "connectors.rest.options:RestSink",
    "soap": "connectors.common.no_inbox:NoInbox",
    "sql": "connectors.sql.options:SqlSink",
}
"""Each kind's options, which `onecard lint` reads without the drivers; a test compares them."""

READ_ONLY = frozenset({"push", "soap"})
"""Kinds that are read and never delivered into: the options of their inboxes are `NoInbox`."""

READ_BACK = frozenset({"files", "sql"})
"""Kinds whose inboxes can be read back: these implement `onecard.ports.inbox.Readable`."""

SEALING = frozenset({"files", "rest"})
"""Kinds that deliver what is sealed for the consumer: these implement `…connector.Sealing`."""

IN_ORDER = frozenset({"files", "push"})
"""Kinds whose rows come in an order that means something; `onecard lint` asks, as above."""

MISFITS = {"soap": "connectors.soap.fitting:problems"}
"""Kinds whose sources name files beside the contracts, and what holds options against them."""


@dataclass(slots=True)
class Options:
    """The models of a kind's options; implements `schemas.lint.options.OptionModels`."""

    source_options: type[BaseModel]
    sink_options: type[BaseModel]
    in_order: bool = False
    kind: str = ""
    seals: bool = False

    def misfits(self, options: BaseModel, folder: Path) -> Iterator[tuple[str, str, str]]:
        """Dotted place, rule and message of each option that does not fit a file beside it.

        Args:
            options: of a source, validated.
            folder: of the contracts.

        Raises:
            ConfigError: what reads these files is not installed.
        """
        if self.kind in MISFITS:
            yield from offered("connector", self.kind, MISFITS)(options, folder)


def options(kind: str) -> Options:
    """The models of that kind's options; no driver is imported.

    Raises:
        ConfigError: there is no such kind.
    """
    what = "connector"
    models = offered(what, kind, SOURCES), offered(what, kind, SINKS)
    return Options(*models, in_order=kind in IN_ORDER, kind=kind, seals=kind in SEALING)


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
