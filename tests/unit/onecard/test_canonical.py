"""Canonical texts: the same value however it is stored, and never the same text for two values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from onecard.reconcile.canonical_text import canonical_text

AT = datetime(2026, 11, 1, 0, 0, 0, 5, tzinfo=UTC)
INSTANT, MONEY = pa.timestamp("us", "UTC"), pa.decimal128(16, 2)


def one(value: Any, kind: pa.DataType, stored: pa.DataType | None = None) -> str | None:
    found: str | None = canonical_text(pa.array([value], stored), kind)[0].as_py()
    return found


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (pa.array([AT], INSTANT), INSTANT),
        (pa.array([AT], pa.timestamp("us", "Asia/Shanghai")), INSTANT),
        (pa.array([datetime(2026, 11, 1, 8, 0, 0, 5)], pa.timestamp("us")), INSTANT),
        (pa.array(["2026-11-01 08:00:00.000005"]), INSTANT),
        (pa.array(["2026-11-01T08:00:00.000005+08:00"]), INSTANT),
        (pa.array(["2026-11-01T00:00:00.000005Z"]), INSTANT),
    ],
)
def test_an_instant_is_one_text_however_it_is_stored(stored: pa.Array, kind: pa.DataType) -> None:
    assert canonical_text(stored, kind).to_pylist() == ["2026-11-01T00:00:00.000005Z"]


@pytest.mark.parametrize("value", [Decimal("1.50"), Decimal("1.5"), "1.50", "1.5", "01.5", 1.5])
def test_a_decimal_has_the_scale_it_left_with(value: Any) -> None:
    assert one(value, MONEY) == "1.50"


def test_integers_and_dates_are_plain() -> None:
    assert one(3, MONEY) == "3.00"
    assert one("0000000012", pa.int64()) == "12"
    assert one(date(2026, 11, 1), pa.date32()) == one("2026-11-01", pa.date32()) == "2026-11-01"
    assert one(Decimal("0.0000001"), pa.decimal128(10, 7)) == "0.0000001"


def test_null_is_not_the_empty_string() -> None:
    assert one(None, pa.string(), pa.string()) is None
    assert one("", pa.string()) == ""
    assert one(None, MONEY, pa.string()) is None


def test_what_is_no_value_equals_nothing_and_spoils_no_other() -> None:
    found = canonical_text(pa.array(["1.5", "much", "", None]), MONEY).to_pylist()
    assert found == ["1.50", "?much", "?", None]
    assert one("2026-13-01", pa.date32()) == "?2026-13-01"
    assert one("1.505", MONEY) == "?1.505"
