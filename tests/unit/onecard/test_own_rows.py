"""Rows of the hub as a source: what is read of one row, and that nothing is delivered into it."""

from __future__ import annotations

from typing import Any

import pytest

from onecard.collect.own_rows import NoOptions, OneRow
from onecard.errors import ConfigError
from onecard.ports.source import Column, ReadRequest

REQUEST = ReadRequest(
    "hrss/card_master",
    (
        Column("card_no", "AAZ500", required_to_read=True),
        Column("name", "AAC003", required_to_read=False),
        Column("x", "X", required_to_read=False),
    ),
    NoOptions(),
)
NOWHERE: Any = None


def test_one_row_is_one_chunk_of_text_with_the_columns_that_it_has_or_must_have() -> None:
    reading = OneRow({"name": "张三", "more": "1"}, "quarantine 7").read(NOWHERE, REQUEST)
    (chunk,) = reading
    assert chunk.origin == "quarantine 7"
    assert chunk.batch.to_pylist() == [{"card_no": None, "name": "张三"}]
    assert (reading.checkpoint, reading.refused, reading.waiting) == ({}, (), ())


def test_nothing_is_delivered_into_rows_of_the_hub() -> None:
    with pytest.raises(ConfigError, match="receive nothing"):
        OneRow({}, "quarantine 7").send(NOWHERE, NoOptions(), NOWHERE)
