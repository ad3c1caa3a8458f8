"""A person closes an incident after it was handled: on record with who, and what was done."""

from __future__ import annotations

from onecard.errors import UsageError
from onecard.model.signoffs import SignOff
from onecard.store import audit, incidents
from onecard.store.database import Connection


def close_incident(connection: Connection, number: int, how: SignOff) -> str:
    """Close an open incident; returns its agreement.

    Args:
        connection: of the hub's database, outside a transaction.
        number: its id.
        how: who decides, and what was found and done.

    Raises:
        UsageError: there is no open one of that id.
        ConfigError: as `SignOff.check` says.
    """
    how.check()
    with connection.transaction():
        agreement = incidents.close(connection, number)
        if agreement is None:
            msg = f"no open incident {number}; see `onecard incidents list`"
            raise UsageError(msg)
        body = {"incident": number, "reason": how.reason}
        audit.append(connection, incidents.CLOSED, agreement, how.by, body)
    return agreement
