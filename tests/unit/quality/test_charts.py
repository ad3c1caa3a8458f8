"""Charts say their unit, their sample and their targets, and begin where their numbers do."""

from __future__ import annotations

import re

from quality.reports import charts
from quality.reports.charts import Bound, Titles

TITLES = Titles("记录完整率（按日）", "n = 1,234 行", "记录完整率（%）")
GRADES = [Bound("优秀 ≥ 98", 98.0), Bound("良好 ≥ 95", 95.0), Bound("中等 ≥ 90", 90.0)]


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def rows(*percents: float, what: str = "甲") -> list[dict[str, object]]:
    return [{"when": f"11-{n:02}", "what": what, "percent": p} for n, p in enumerate(percents, 1)]


def test_a_chart_says_unit_sample_and_target() -> None:
    svg = charts.line(rows(96.7, 99.0), "days", TITLES, GRADES)
    found = texts(svg)
    assert {"记录完整率（按日）", "n = 1,234 行", "记录完整率（%）"} <= set(found)
    assert svg.startswith('<svg role="img" aria-label="记录完整率（按日） (n = 1,234 行)"')


def test_the_axis_begins_at_the_bound_below_the_lowest_number() -> None:
    found = set(texts(charts.line(rows(96.7, 99.0), "m", TITLES, GRADES)))
    assert {"优秀 ≥ 98", "良好 ≥ 95", "95", "100"} <= found
    assert "中等 ≥ 90" not in found
    deep = set(texts(charts.line(rows(61.5), "m", TITLES, GRADES)))
    assert {"优秀 ≥ 98", "良好 ≥ 95", "中等 ≥ 90"} <= deep
    assert "0" not in deep


def test_one_line_needs_no_legend() -> None:
    both = [*rows(99.0, what="甲方"), *rows(98.0, what="乙方")]
    assert {"甲方", "乙方"} <= set(texts(charts.line(both, "d", TITLES)))
    assert "甲方" not in texts(charts.line(rows(99.0, what="甲方"), "d", TITLES))


def test_bars_say_how_many_of_how_many() -> None:
    one = {"what": "姓名 必填项为空（甲）", "number": 3.0, "label": "3 / 1,000"}
    svg = charts.bars([one], "top", Titles("规则", "不合格行 / 读取行", "不合格行（行）"))
    assert {"3 / 1,000", "不合格行 / 读取行", "不合格行（行）"} <= set(texts(svg))
    assert "1.5" not in texts(svg), "rows are counted in whole numbers"
