"""The night's page: honest numbers, nothing from outside, everything escaped."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from onecard.model.holds import Hold
from quality.reports.holding import lines
from quality.reports.night_report import (
    DatasetLine,
    DeliveryLine,
    FindingLine,
    NightReport,
    RuleLine,
    render,
)
from schemas.models.catalogue import load

START = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script><img src=//evil.example/x>"


def dataset(**changes: Any) -> DatasetLine:
    given: dict[str, Any] = {
        "id": "hrss/card_master",
        "title": "卡主文件",
        "agency_title": "人社局",
        "status": "published",
        "read": 1_000_000,
        "published": 999_989,
        "unchanged": 0,
        "quarantined": 11,
        "deduplicated": 0,
        "filtered": 0,
        "seconds": 12.34,
        "freshness": START,
        "freshness_limit": timedelta(hours=24),
        "late": False,
    }
    return DatasetLine(**given | changes)


def delivery(**changes: Any) -> DeliveryLine:
    given: dict[str, Any] = {
        "agreement": "f01",
        "title": "卡状态共享",
        "consumer_title": "交通局",
        "purpose": "p1",
        "purpose_title": "交通出行",
        "mode": "delta",
        "status": "confirmed",
        "rows": 500,
        "parts": 2,
        "columns": ("card_no", "card_status"),
        "seconds": 1.0,
    }
    return DeliveryLine(**given | changes)


def report(**changes: Any) -> NightReport:
    given: dict[str, Any] = {
        "date": date(2026, 11, 24),
        "started": START,
        "finished": START + timedelta(minutes=9),
        "hub_version": "0.1.0",
        "datasets": [dataset()],
        "deliveries": [delivery()],
    }
    return NightReport(**given | changes)


def lead(page: str) -> str:
    found = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
    assert found
    return re.sub(r"<[^>]+>|\n", "", found[1])


class Tags(HTMLParser):
    """Opening tags with attributes; balance of the others."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def full() -> NightReport:
    rule = RuleLine("hrss/card_master", "sex", "性别", "codes", "不在代码表内", 3, 400)
    return report(
        datasets=[
            dataset(),
            dataset(
                id="health/visit", read=0, published=0, quarantined=0, freshness=None, late=True
            ),
            dataset(id="edu/x", status="failed", message="SourceUnavailable"),
        ],
        rules=[rule, RuleLine("a/b", "f", "某项", "type", "类型", 0, 0)],
        findings=[
            FindingLine("hrss/card_master", "volume", "数据量", "critical", True, 1.0),
            FindingLine("hrss/card_master", "codes", "分布", "warning", False, None),
        ],
        deliveries=[delivery(), delivery(agreement="f02", status="held", rows=77)],
    )


def test_the_conclusion_stands_first_with_its_numbers() -> None:
    page = render(report())
    assert "读取 1,000,000 行，发布 999,989 行，隔离 11 行" in lead(page)
    assert lead(page).endswith("全部完成。")
    assert page.index("一、结论") < page.index("三、采集")


def test_a_rate_says_100_only_when_nothing_failed() -> None:
    page = render(report())
    assert "99.99%" in page
    assert "999,989/1,000,000" in page
    assert "100.00%" not in page
    assert "100.00%" in render(report(datasets=[dataset(quarantined=0)]))


def test_a_silent_source_is_not_reported_and_never_perfect() -> None:
    page = render(report(datasets=[dataset(read=0, published=0, quarantined=0)], deliveries=[]))
    assert "1 项未报送" in lead(page)
    assert "全部完成" not in page
    assert "均符合全部规则" not in page
    assert "100.00%" not in page
    assert page.count("未报送") >= 4


def test_failures_are_counted_and_named() -> None:
    page = render(full())
    assert "2 项失败或待人工处理" in lead(page)
    assert "共享 2 项，完成 1 项，提供 500 行" in lead(page)
    assert "SourceUnavailable" in page
    assert "待人工处理" in page
    assert "逾期" in page


def test_lateness_and_failed_checks_are_no_full_success() -> None:
    page = render(report(datasets=[dataset(late=True)]))
    assert "1 项需要关注" in lead(page)
    finding = FindingLine("d", "codes", "分布", "warning", False, 0.5)
    assert "1 项需要关注" in lead(render(report(findings=[finding])))
    assert "没有任务运行" in lead(render(report(datasets=[], deliveries=[])))


def test_rules_have_denominators() -> None:
    page = render(full())
    assert "99.25%" in page
    assert re.search(r'<td class="n">3</td><td class="n">400</td>', page)


def test_times_are_those_of_zhengzhou() -> None:
    page = render(report())
    assert "开始 02:00:00" in page
    assert "2026-11-24 02:00" in page
    assert "24 小时" in page
    for limit, shown in ((timedelta(days=3), "3 天"), (timedelta(minutes=10), "10 分钟")):
        assert shown in render(report(datasets=[dataset(freshness_limit=limit)]))


def test_an_unknown_status_is_shown_as_it_is() -> None:
    assert "superseded" in render(report(datasets=[dataset(status="superseded")]))


@pytest.mark.fault("F41", "HTML in any text of the report is escaped")
def test_html_in_any_text_is_escaped() -> None:
    rule = RuleLine(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, 2)
    finding = FindingLine(HOSTILE, HOSTILE, HOSTILE, HOSTILE, False, 0.5)
    texts = dict.fromkeys(("id", "title", "agency_title", "status", "message"), HOSTILE)
    sent = dict.fromkeys(
        ("agreement", "title", "consumer_title", "purpose", "purpose_title", "mode", "status"),
        HOSTILE,
    )
    page = render(
        report(
            hub_version=HOSTILE,
            datasets=[dataset(**texts)],
            rules=[rule],
            findings=[finding],
            deliveries=[delivery(**sent, message=HOSTILE, columns=(HOSTILE,))],
        )
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("made", [report(), full()])
def test_the_page_is_self_contained_and_well_formed(made: NightReport) -> None:
    page = render(made)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe", "form"} == set()
    assert not any({"src", "href", "style", "onclick"} & set(attrs) for _, attrs in tags.seen)
    policy = [a["content"] for t, a in tags.seen if t == "meta" and "http-equiv" in a]
    assert policy
    assert str(policy[0]).startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "http://" not in page
    assert "https://" not in page
    assert "@media print" in page
    assert 'content="width=device-width, initial-scale=1"' in page
    assert {"lang": "zh-CN"} in [a for t, a in tags.seen if t == "html"]


def test_attention_says_what_to_do() -> None:
    page = render(
        report(
            datasets=[dataset(status="held"), dataset(id="hrss/other", status="failed")],
            deliveries=[delivery(agreement="f02", status="failed")],
            held=lines(
                [
                    Hold("collect", 7, "hrss/card_master", "x", "", agency="hrss"),
                    Hold("deliver", 8, "f01-hrss-transport-card-status", "某处负责人", "many"),
                    Hold("reconcile", 2, "hrss/consent_record", "x", "", agency="hrss", rows=9),
                ],
                load(),
                "zh",
            ),
        )
    )
    rows = re.findall(r"<tr><td>(.*?)</td></tr>", page[: page.index("三、采集")], re.DOTALL)
    assert len(rows) == 5, "what is held stands there once, with who and how"
    assert "人力资源和社会保障局数据专员会同值班工程师" in rows[0]
    assert "onecard release 7 --by … --reason …" in rows[0]
    assert "某处负责人" in rows[1]
    assert "再执行 onecard deliver f01-hrss-transport-card-status" in rows[1]
    assert "来源缺少已发布的 9 行" in rows[2]
    assert "onecard reconcile hrss/consent_record --release --by … --reason …" in rows[2]
    assert "onecard collect hrss/other</td>" in page
    assert "onecard deliver f02</td>" in page


def test_characters_that_turn_text_are_written_out() -> None:
    page = render(report(datasets=[dataset(status="failed", message="a\u202eb")]))
    assert "\u202e" not in page
    assert "a⟨U+202E⟩b" in page


def test_the_last_reconciliation_of_an_inbox_stands_beside_its_delivery() -> None:
    page = render(report(deliveries=[delivery(inbox=0.98765), delivery(agreement="f02")]))
    assert "收件状态一致率" in page
    assert '<td class="n">98.76%</td></tr>' in page
    assert '<td class="n">—</td></tr>' in page
