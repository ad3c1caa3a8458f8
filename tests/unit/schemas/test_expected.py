"""What a rule about a value's form says it expects."""

from __future__ import annotations

import pytest

from schemas.models.expected import expected
from tests.connectors.type_runs import contract


@pytest.mark.case("people-5", "each type and its declared format in words, in both languages")
@pytest.mark.parametrize(
    ("kind", "more", "rule", "english", "chinese"),
    [
        ("integer", {}, "type", "a whole number of at most 18 digits, as 1234",
         "整数，至多 18 位，如 1234"),
        ("date", {}, "type", "a date, as 2026-01-31", "日期，如 2026-01-31"),
        ("date", {"format": "%Y/%m/%d"}, "type", "a date, as 2026/01/31 (%Y/%m/%d)",
         "日期，如 2026/01/31 (%Y/%m/%d)"),
        ("timestamp", {}, "type", "a time with its zone, as 2026-01-31T08:30:00+08:00",
         "带时区的时间，如 2026-01-31T08:30:00+08:00"),
        ("timestamp", {"format": "%Y%m%d%H%M"}, "type", "a time, as 202601310830 (%Y%m%d%H%M)",
         "时间，如 202601310830 (%Y%m%d%H%M)"),
        ("number", {}, "scale", "at most 34 digits before the point and 4 behind it",
         "整数至多 34 位，小数至多 4 位"),
        ("string", {"max_length": 9}, "max_length", "at most 9 characters", "至多 9 个字符"),
        ("string", {}, "codes", "", ""),
    ],
)  # fmt: skip
def test_the_form(
    kind: str, more: dict[str, object], rule: str, english: str, chinese: str
) -> None:
    made = contract(kind, **more)  # type: ignore[arg-type]
    assert expected(made, "v", rule) == english
    assert expected(made, "v", rule, "zh") == chinese
    assert expected(made, "", rule) == expected(made, "nothing", rule) == ""
