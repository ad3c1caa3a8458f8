"""OceanBase in its MySQL mode: a login is `user@tenant` or `user@tenant#cluster`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sql.dialects.mysql import NUMBERS, MySQL

if TYPE_CHECKING:
    from sqlalchemy import Connection as Database

    from connectors.sql.inbox_look import InboxTable

_MICROSECONDS = 6 * 3600 * 1_000_000
"""Six hours: the server's own limit of ten seconds would end the reading of a large table."""
_PATIENT = f"SET SESSION ob_query_timeout = {_MICROSECONDS}, ob_trx_timeout = {_MICROSECONDS}"


class OceanBase(MySQL):
    """OceanBase from 3 on."""

    name = "oceanbase"
    title = "OceanBase (MySQL mode)"
    tried = "MariaDB's protocol; no server of its own was at hand"
    session = (*MySQL.session, _PATIENT)
    strict = (*MySQL.strict, _PATIENT)
    numbers = {  # noqa: RUF012
        **NUMBERS,
        **dict.fromkeys((4012, 4013, 4030, 6002, 6210, 6225), "down"),
        **dict.fromkeys((4184, 5861), "full"),
    }
    """With its own: a timeout, memory, a transaction that was rolled back; no room."""

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """It has one engine only, which has transactions, and names it or not.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        from connectors.sql import inbox_look_mysql  # noqa: PLC0415 - only for deliveries

        return inbox_look_mysql.look(database, schema, name, engines=())
