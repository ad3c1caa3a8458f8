"""What a reconciliation or an operation asks of the hub; `onecard.app.wiring.Hub` offers it.

It stands here because this is the lowest room that knows both collects and deliveries.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from onecard.collect.context import CollectContext
from onecard.collect.run import Collect
from onecard.deliver.run import Deliver
from onecard.ports.connector import Connector
from onecard.ports.desk import Desk


class TransferDesk(Desk, Protocol):
    """A desk that also starts transfers and knows the connectors."""

    @property
    def read_back(self) -> Collection[str]:
        """Kinds of connectors whose inboxes can be read back (`onecard.ports.inbox.Readable`)."""

    def connector(self, kind: str) -> Connector:
        """The connector of that kind.

        Raises:
            ConfigError: there is no such kind.
        """
        ...

    def collect(self, dataset: str, source: Connector | None = None) -> Collect:
        """The collect of one dataset, from its agency's system or from another `source`.

        Raises:
            ConfigError: unknown dataset, broken contract, unknown connector.
        """
        ...

    def tools(self, dataset: str, source: Connector | None = None) -> CollectContext:
        """What a collect of the dataset, or its reconciliation, needs; raises like `collect`."""
        ...

    def deliver(self, agreement_id: str) -> Deliver:
        """The delivery of one agreement.

        Raises:
            ConfigError: unknown agreement, broken YAML, unknown connector.
        """
        ...
