"""Options of tables that are read and of inbox tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from onecard.base.frozen import Frozen

DELIVERIES = "onecard_delivery"
"""The table of all deliveries, beside the inboxes."""


class SqlSource(Frozen):
    """Options of a table that is read.

    Attributes:
        timezone: zone of timestamps that the database stores without one; `+08:00` where the
            summers of 1986 to 1991 stand there in Beijing time as well.
        count: count the table's rows when only its newest are read, so that a table that has lost
            half is noticed; `false` spares a database to which a count is dear.
    """

    table: str
    schema_: str | None = Field(default=None, alias="schema")
    timezone: Literal["Asia/Shanghai", "+08:00", "UTC"] = "Asia/Shanghai"
    count: bool = True


class SqlSink(Frozen):
    """Options of an inbox table."""

    table: str
    schema_: str | None = Field(default=None, alias="schema")

    @field_validator("table")
    @classmethod
    def _own(cls, value: str) -> str:
        if value.lower() == DELIVERIES:
            msg = f"sql.table: {DELIVERIES} lists the deliveries of all inboxes, it is none"
            raise ValueError(msg)
        return value
