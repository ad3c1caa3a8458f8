"""Uploads that an agency brings, collected like any other source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from connectors.common.no_inbox import NoInbox, refuse
from connectors.push.options import PushSource
from connectors.push.read import PushReading, taken_of
from connectors.push.spool import Spool
from onecard.base.connections import Connection
from onecard.model.checkpoints import Checkpoint
from onecard.ports.news import SourceState
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Reading, ReadRequest

if TYPE_CHECKING:
    from pydantic import BaseModel


class PushConnector:
    """Implements `onecard.ports.connector.Connector` for the spool of `onecard ingest`."""

    kind: ClassVar[str] = "push"
    source_options: ClassVar[type[BaseModel]] = PushSource
    sink_options: ClassVar[type[BaseModel]] = NoInbox
    in_order: ClassVar[bool] = True

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the uploads that no collect has published yet."""
        return PushReading(connection, request)

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:
        """The newest number: it stays when what was published is removed.

        Args:
            connection: of the spool.
            request: names the dataset.
        """
        newest = Spool(connection, request.dataset).newest()
        return SourceState(hashlib.sha256(f"{newest}".encode()).hexdigest())

    def taken(self, checkpoint: Checkpoint) -> Mapping[str, int]:
        """Uploads that a checkpoint says were taken, with their numbers."""
        return taken_of(checkpoint)

    def release(self, connection: Connection, request: ReadRequest) -> None:
        """Remove what a published collect has taken; the newest whole export is kept.

        Args:
            connection: of the spool.
            request: its checkpoint is the published one.
        """
        options = PushSource.model_validate(request.options.model_dump())
        spool, known = Spool(connection, request.dataset), taken_of(request.checkpoint)
        over = [u for u in spool.lying() if u.upload in known or u.kept]
        keep = over[-1] if over and options.uploads == "whole" else None
        spool.drop([u for u in over if u is not keep], keep)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:  # noqa: ARG002 - the port's
        """Nothing is delivered so.

        Args:
            connection: of the spool.
            options: there are none.
            parcel: that stays here.

        Raises:
            ConfigError: always.
        """
        return refuse(parcel)
