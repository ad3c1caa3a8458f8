"""The hub's days in SQL: days of Asia/Shanghai, by the hub's own clock."""

from __future__ import annotations

from psycopg import sql

DAY = sql.SQL("CAST(hub_time AT TIME ZONE 'Asia/Shanghai' AS date)")
"""The day of a transfer by the hub's clock."""
