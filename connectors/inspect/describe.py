"""What a source offers now: its columns, types and shapes, for `onecard drift`."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from connectors import offered
from onecard.base.connections import Connection
from onecard.model.drift import Described
from schemas.models.contract import Contract

DESCRIBE = {
    "files": "connectors.files.describe:describe",
    "push": "connectors.push.describe:describe",
    "rest": "connectors.rest.describe:describe",
    "soap": "connectors.soap.describe:describe",
    "sql": "connectors.sql.describe:describe",
}
"""Every kind of system, and how it is described; imported when first asked for."""


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The dataset's source as it is; None when there is nothing to look at yet.

    Raises:
        OnecardError: as the connector raises it (unreachable, login, missing table or path).
    """
    found = offered("connector", contract.source.connector, DESCRIBE)
    return cast("Callable[[Contract, Connection], Described | None]", found)(contract, connection)
