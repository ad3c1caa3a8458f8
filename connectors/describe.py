"""What a source offers now: its columns, types and shapes, for `onecard drift`."""

from __future__ import annotations

from typing import Any

from connectors import connector, describe_files, describe_sql
from connectors.describe_records import of_records
from connectors.files_options import FilesSource
from connectors.rest import as_text, at
from connectors.rest_client import Client
from connectors.rest_options import Keyset, RestSource
from connectors.sql import SqlSource
from onecard.connections import Connection
from onecard.drift import Described
from onecard.errors import ProtocolError
from schemas.contract import Contract


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The dataset's source as it is; None when there is nothing to look at yet.

    Raises:
        OnecardError: as the connector raises it (unreachable, login, missing table or path).
    """
    block = contract.source
    options = connector(block.connector).source_options.model_validate(dict(block.options))
    if isinstance(options, SqlSource):
        natives = frozenset(f.native for f in contract.fields)
        return describe_sql.describe(connection, options, contract.id, natives)
    if isinstance(options, FilesSource):
        return describe_files.describe(connection, options, contract.id)
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
