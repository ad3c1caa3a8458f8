"""The elements of the first answer of a web service."""

from __future__ import annotations

from connectors.common.record_columns import SAMPLE, of_records
from connectors.common.xml_rows import Record
from connectors.soap.caller import SoapCaller
from connectors.soap.options import SoapSource
from connectors.soap.read import window_end
from onecard.base.connections import Connection
from onecard.model.drift import Described
from schemas.models.contract import Contract


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The rows as the first answer shows them; None when that has none.

    Raises:
        OnecardError: as `first_rows` raises it.
    """
    options = SoapSource.model_validate(dict(contract.source.options))
    rows = first_rows(contract.id, connection, options)
    return Described(options.operation, of_records(rows), optional=True) if rows else None


def first_rows(what: str, connection: Connection, options: SoapSource) -> list[Record]:
    """The first rows of a service's first answer, by path.

    Args:
        what: dataset or connection, for messages.
        connection: of the agency's system.
        options: WSDL, operation and paginator.

    Raises:
        OnecardError: as the client raises it; ProtocolError also where rows have no place.
    """
    caller = SoapCaller(connection, options, what)
    try:
        return caller.sample({**options.first_page(), **window_end(options)}, SAMPLE)
    finally:
        caller.close()
