"""Options of tables that are read and of inbox tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from onecard.base.frozen import Frozen


class SqlSource(Frozen):
    """Options of a table that is read.

    Attributes:
        timezone: zone of timestamps that the database stores without one.
        count: count the table's rows when only its newest are read, so that a table that has lost
            half is noticed; `false` spares a database to which a count is dear.
    """

    table: str
    schema_: str | None = Field(default=None, alias="schema")
    timezone: Literal["Asia/Shanghai", "UTC"] = "Asia/Shanghai"
    count: bool = True


class SqlSink(Frozen):
    """Options of an inbox table."""

    table: str
    schema_: str | None = Field(default=None, alias="schema")
