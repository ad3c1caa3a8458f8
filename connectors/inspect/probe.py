"""Whether a system answers and takes its login, with short timeouts; reads no row of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from connectors import offered
from onecard.base.connections import Connection

PROBE = {
    "files": "connectors.files.probe:probe",
    "push": "connectors.push.probe:probe",
    "rest": "connectors.rest.probe:probe",
    "soap": "connectors.soap.probe:probe",
    "sql": "connectors.sql.probe:probe",
}
"""Every kind of system, and how it is tried; imported when first asked for."""


def probe(connection: Connection, kind: str, source: Mapping[str, Any] | None) -> str:
    """Connect and log in; returns what was tried, in words.

    Args:
        connection: of the system.
        kind: registered connector kind.
        source: options of a dataset that is read there; None: the hub only delivers there.

    Raises:
        OnecardError: it cannot be reached, or refuses the login.
    """
    found = offered("connector", kind, PROBE)
    return cast("Callable[[Connection, Mapping[str, Any] | None], str]", found)(connection, source)
