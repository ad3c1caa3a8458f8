"""The night's page: one self-contained HTML file in Chinese, no script, no external request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"

STATUS_TITLES = {
    "published": "已发布",
    "confirmed": "已确认",
    "failed": "失败",
    "held": "待人工处理",
    "running": "进行中",
    "staged": "已暂存",
    "audited": "已审核",
}


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """One collect of the night."""

    id: str
    title: str
    agency_title: str
    status: str
    read: int
    published: int
    unchanged: int
    quarantined: int
    deduplicated: int
    filtered: int
    seconds: float
    freshness: datetime | None
    freshness_limit: timedelta
    late: bool
    message: str = ""

    @property
    def pass_rate(self) -> float | None:
        """Share of rows that passed the gate; None when nothing was sent (未报送 is not 100%)."""
        return 1 - self.quarantined / self.read if self.read else None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """How many rows broke one rule."""

    dataset: str
    field: str
    field_title: str
    rule: str
    rule_title: str
    failed: int
    checked: int

    @property
    def pass_rate(self) -> float | None:
        """Share of checked rows that did not break the rule."""
        return 1 - self.failed / self.checked if self.checked else None


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One delivery of the night."""

    agreement: str
    title: str
    consumer_title: str
    purpose: str
    purpose_title: str
    mode: str
    status: str
    rows: int
    parts: int
    columns: Sequence[str]
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class NightReport:
    """Everything that the page shows."""

    date: date
    started: datetime
    finished: datetime
    hub_version: str
    datasets: Sequence[DatasetLine]
    rules: Sequence[RuleLine] = field(default=())
    findings: Sequence[tuple[str, str, str, str, bool, float | None]] = field(default=())
    deliveries: Sequence[DeliveryLine] = field(default=())

    @property
    def trouble(self) -> list[DatasetLine | DeliveryLine]:
        """What failed or waits for a person."""
        lines: list[DatasetLine | DeliveryLine] = [*self.datasets, *self.deliveries]
        return [line for line in lines if line.status not in ("published", "confirmed")]


def render(report: NightReport) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = "{:,}".format
    environment.filters["share"] = lambda v: "—" if v is None else f"{v * 100:.2f}%"
    environment.globals["status_titles"] = STATUS_TITLES
    return environment.get_template("night.html.j2").render(r=report)
