"""SOAP web services: paginated reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.common.no_inbox import NoInbox, refuse
from connectors.http.connector import PagedConnector
from connectors.soap.fitting import problems
from connectors.soap.options import SoapSource
from connectors.soap.read import SoapReading
from onecard.base.connections import Connection
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import ReadRequest

if TYPE_CHECKING:
    from pydantic import BaseModel


class SoapConnector(PagedConnector):
    """Implements `onecard.ports.connector.Connector` for web services; nothing is delivered."""

    kind: ClassVar[str] = "soap"
    source_options: ClassVar[type[BaseModel]] = SoapSource
    sink_options: ClassVar[type[BaseModel]] = NoInbox

    def reading(
        self, connection: Connection, request: ReadRequest, more: Mapping[str, str] | None = None
    ) -> SoapReading:
        """One pass over all pages.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            more: parameters besides those of the options.
        """
        return SoapReading(connection, request, more)

    def misfits(self, options: BaseModel, folder: Path) -> Iterator[tuple[str, str, str]]:
        """Dotted place, rule and message of each option of a source that does not fit its WSDL.

        Args:
            options: of the source, of this kind's model.
            folder: of the contracts.
        """
        return problems(SoapSource.model_validate(options.model_dump()), folder)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:  # noqa: ARG002
        """Nothing is delivered by a web service.

        Args:
            connection: is not looked at.
            options: are not looked at.
            parcel: is not opened.

        Raises:
            ConfigError: always.
        """
        return refuse(parcel)
