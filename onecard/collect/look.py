"""A look at a source before a collect: whether anything has come, without a transfer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from onecard.collect import window
from onecard.collect.context import CollectContext
from onecard.ports.news import News, SourcePlace, SourceState
from onecard.ports.source import ReadRequest
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class Look:
    """Looks again and again from one bound on.

    Two states of one look can be compared, also after the watermark has moved on: what lies behind
    its bound has changed, or it has not.

    Attributes:
        request: as a collect would read that begins now.
    """

    tools: CollectContext
    contract: Contract
    connector: News
    request: ReadRequest

    @classmethod
    def of(cls, tools: CollectContext, contract: Contract, request: ReadRequest) -> Look | None:
        """A look at a source; None where its connector can only be read.

        Args:
            tools: name the connector, and where systems are.
            contract: of the dataset.
            request: as a collect would read now.
        """
        if not isinstance(tools.connector, News):
            return None
        return cls(tools, contract, tools.connector, request)

    @property
    def place(self) -> SourcePlace | None:
        """From where it looks; None: without a bound."""
        since = self.request.since
        return None if since is None else SourcePlace(since, self.request.page)

    def at(self, place: SourcePlace) -> Look:
        """The same source, from another place on.

        Args:
            place: where a look has seen it end.
        """
        return replace(self, request=window.reading_on(self.request, place))

    def state(self) -> SourceState:
        """What lies behind the bound; untold where that would be everything.

        Raises:
            OnecardError: as a reading of the source.
        """
        if self.request.since is None and not self.request.checkpoint:
            return SourceState()
        system = self.tools.connections.get(self.contract.source.connection)
        found = self.connector.state(system, self.request)
        return found if found.end is None else replace(found, end=self._in_time(found.end))

    def _in_time(self, place: SourcePlace) -> SourcePlace:
        """As the watermark, it is never past now minus lag: what comes next would lie before it."""
        latest = self.tools.settings.now() - self.contract.source.lag.span
        if datetime.fromisoformat(place.since) <= latest:
            return place
        return replace(place, since=latest.isoformat())
