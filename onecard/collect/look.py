"""A look at a source before a collect: whether anything has come, without a transfer."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.base.connections import Connection
from onecard.collect.context import CollectContext
from onecard.ports.news import UNTOLD, News
from onecard.ports.source import ReadRequest


@dataclass(frozen=True, slots=True)
class Look:
    """Looks again and again from one watermark on.

    Two states of one look can be compared, also after the watermark has moved on: what lies behind
    the earlier one has changed, or it has not.

    Attributes:
        request: as a collect would read that begins now.
    """

    connector: News
    connection: Connection
    request: ReadRequest

    @classmethod
    def of(cls, tools: CollectContext, connection_id: str, request: ReadRequest) -> Look | None:
        """A look at a system; None where its connector can only be read.

        Args:
            tools: name the connector, and where systems are.
            connection_id: of the agency's system.
            request: as a collect would read now.
        """
        if not isinstance(tools.connector, News):
            return None
        return cls(tools.connector, tools.connections.get(connection_id), request)

    def state(self, *, whole: bool = False) -> str:
        """A digest of what lies behind the watermark; `UNTOLD` where that would be everything.

        Args:
            whole: somebody says that there is news: nothing is taken from an earlier look.

        Raises:
            OnecardError: as a reading of the source.
        """
        if self.request.since is None and not self.request.checkpoint:
            return UNTOLD
        return self.connector.state(self.connection, self.request, whole=whole)
