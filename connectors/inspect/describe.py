"""What a source offers now: its columns, types and shapes, for `onecard drift`."""

from __future__ import annotations

from typing import Any

from connectors import connector
from connectors.common.record_columns import of_records
from connectors.files import describe as files
from connectors.files.options import FilesSource
from connectors.rest.client import Client
from connectors.rest.connector import as_text, at
from connectors.rest.options import Keyset, RestSource
from connectors.sql import describe as sql
from connectors.sql.connector import SqlSource
from onecard.base.connections import Connection
from onecard.errors import ProtocolError
from onecard.model.drift import Described
from schemas.models.contract import Contract


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The dataset's source as it is; None when there is nothing to look at yet.

    Raises:
        OnecardError: as the connector raises it (unreachable, login, missing table or path).
    """
    block = contract.source
    options = connector(block.connector).source_options.model_validate(dict(block.options))
    if isinstance(options, SqlSource):
        natives = frozenset(f.native for f in contract.fields)
        return sql.describe(connection, options, contract.id, natives)
    if isinstance(options, FilesSource):
        return files.describe(connection, options, contract.id)
    return _rest(contract.id, connection, RestSource.model_validate(options.model_dump()))


def _rest(dataset: str, connection: Connection, options: RestSource) -> Described | None:
    """The keys of the first page."""
    records = first_page(dataset, connection, options)
    return Described(options.path, of_records(records), optional=True) if records else None


def first_page(what: str, connection: Connection, options: RestSource) -> list[Any]:
    """The records of an API's first page.

    Raises:
        OnecardError: as the client raises it; ProtocolError also where there is no list of rows.
    """
    client = Client(connection, options, what)
    try:
        reply = client.get(options.path, _params(options))
    finally:
        client.close()
    success, records = options.success, at(reply, options.records)
    refused = success is not None and as_text(at(reply, success.field)) != success.value
    if refused or not isinstance(records, list):
        msg = f"{what} at {options.path}: the reply is no page of {options.records}"
        raise ProtocolError(msg)
    return records


def _params(options: RestSource) -> dict[str, Any]:
    paginator = options.paginator
    found = {**options.params, paginator.size_param: str(paginator.size)}
    if not isinstance(paginator, Keyset):
        found[paginator.page_param] = str(paginator.first)
    return found
