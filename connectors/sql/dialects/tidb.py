"""TiDB: MySQL's protocol, with states of the whole database that are kept for a while."""

from __future__ import annotations

from connectors.sql.dialects.mysql import NUMBERS, MySQL


class TiDB(MySQL):
    """TiDB from 5 on.

    Its transactions read the state of the moment when they began; rows older than its garbage
    collection allows (`tidb_gc_life_time`, drawn out by open transactions up to 24 hours) are gone,
    which is an error of its own and tried again.
    """

    name = "tidb"
    title = "TiDB"
    tried = "MariaDB's protocol; no server of its own was at hand"
    state = "START TRANSACTION WITH CONSISTENT SNAPSHOT, by the transaction's own timestamp"
    numbers = {  # noqa: RUF012
        **NUMBERS,
        **dict.fromkeys((8002, 8022, 8027, 8028, 9001, 9002, 9003, 9004, 9005, 9006, 9007), "down"),
    }
    """With its own: a conflict, a changed schema, a server or region that is busy, a state that is
    gone."""
