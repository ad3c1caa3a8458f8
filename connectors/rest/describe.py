"""The keys of the first page of an API."""

from __future__ import annotations

from typing import Any

from connectors.common.record_columns import of_records
from connectors.common.strict_json import at, scalar_text
from connectors.rest.client import Client
from connectors.rest.options import Keyset, RestSource
from onecard.base.connections import Connection
from onecard.errors import ProtocolError
from onecard.model.drift import Described
from schemas.models.contract import Contract


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The API as its first page shows it; None when that has no record.

    Raises:
        OnecardError: as `first_page` raises it.
    """
    options = RestSource.model_validate(dict(contract.source.options))
    records = first_page(contract.id, connection, options)
    return Described(options.path, of_records(records), optional=True) if records else None


def first_page(what: str, connection: Connection, options: RestSource) -> list[Any]:
    """The records of an API's first page.

    Args:
        what: dataset or connection, for messages.
        connection: of the agency's system.
        options: path, records and paginator.

    Raises:
        OnecardError: as the client raises it; ProtocolError also where there is no list of rows.
    """
    client = Client(connection, options, what)
    try:
        reply = client.get(options.path, page_params(options))
    finally:
        client.close()
    success, records = options.success, at(reply, options.records)
    refused = success is not None and scalar_text(at(reply, success.field)) != success.value
    if refused or not isinstance(records, list):
        msg = f"{what} at {options.path}: the reply is no page of {options.records}"
        raise ProtocolError(msg)
    return records


def page_params(options: RestSource) -> dict[str, Any]:
    """Parameters that ask for the first page.

    Args:
        options: own parameters and paginator.
    """
    paginator = options.paginator
    found = {**options.params, paginator.size_param: str(paginator.size)}
    if not isinstance(paginator, Keyset):
        found[paginator.page_param] = str(paginator.first)
    return found
