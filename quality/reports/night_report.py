"""The night's page: one self-contained HTML file in Chinese, no script, no external request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from onecard.base.times import ZONE
from quality.reports.holding import HeldLine
from quality.reports.words import visible

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
    def subject(self) -> str:
        """What the line is about: the dataset's id."""
        return self.id

    @property
    def failed(self) -> bool:
        """Whether it failed, waits for a person or did not end."""
        return self.status != "published"

    @property
    def advice(self) -> str:
        """What an engineer does about it."""
        return f"排除原因后 onecard collect {self.id}"

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
    """One delivery of the night.

    Attributes:
        inbox: share of rows that agreed when the inbox was last compared; None when it was not.
    """

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
    inbox: float | None = None

    @property
    def advice(self) -> str:
        """What an engineer does about it."""
        return f"排除原因后 onecard deliver {self.agreement}"

    @property
    def subject(self) -> str:
        """What the line is about: the agreement's id."""
        return self.agreement

    @property
    def failed(self) -> bool:
        """Whether it failed, waits for a person or did not end."""
        return self.status != "confirmed"


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A dataset-level expectation and how it went.

    Attributes:
        severity: `critical` (a failure holds the transfer) or `warning`.
        observed: the number that it judged by; None where there is none.
    """

    dataset: str
    name: str
    title: str
    severity: str
    passed: bool
    observed: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the night."""

    read: int
    published: int
    unchanged: int
    quarantined: int
    sent: int


@dataclass(frozen=True, slots=True)
class NightReport:
    """Everything that the page shows.

    Attributes:
        onboarding: transfers and holds of what is not on board yet; no figure counts them.
    """

    date: date
    started: datetime
    finished: datetime
    hub_version: str
    datasets: Sequence[DatasetLine]
    rules: Sequence[RuleLine] = field(default=())
    findings: Sequence[FindingLine] = field(default=())
    deliveries: Sequence[DeliveryLine] = field(default=())
    held: Sequence[HeldLine] = field(default=())
    onboarding: Sequence[DatasetLine | DeliveryLine | HeldLine] = field(default=())

    @property
    def titles(self) -> Mapping[str, str]:
        """Chinese titles of the datasets, by id."""
        return {line.id: line.title for line in self.datasets}

    @property
    def attention(self) -> list[DatasetLine | DeliveryLine | HeldLine]:
        """What waits for a person, then what failed."""
        lines: list[DatasetLine | DeliveryLine] = [*self.datasets, *self.deliveries]
        told = {line.subject for line in self.held}
        waits = ("held", "audited")
        failed = (x for x in lines if x.failed and not (x.status in waits and x.subject in told))
        return [*self.held, *failed]

    @property
    def silent(self) -> list[DatasetLine]:
        """Sources that sent nothing (未报送)."""
        return [line for line in self.datasets if not line.read]

    @property
    def late(self) -> list[DatasetLine]:
        """Datasets whose newest row is older than its limit."""
        return [line for line in self.datasets if line.late]

    @property
    def delivered(self) -> list[DeliveryLine]:
        """Deliveries that the receiver confirmed."""
        return [line for line in self.deliveries if not line.failed]

    @property
    def failed_findings(self) -> list[FindingLine]:
        """Dataset-level checks that did not pass."""
        return [finding for finding in self.findings if not finding.passed]

    @property
    def complaints(self) -> int:
        """What a steward should look at though nothing failed."""
        return len(self.late) + len(self.failed_findings) + len(self.silent)

    @property
    def totals(self) -> Totals:
        """The night's sums."""
        lines = self.datasets
        return Totals(
            read=sum(line.read for line in lines),
            published=sum(line.published for line in lines),
            unchanged=sum(line.unchanged for line in lines),
            quarantined=sum(line.quarantined for line in lines),
            sent=sum(line.rows for line in self.delivered),
        )

    @property
    def pass_rate(self) -> float | None:
        """Share of all rows read that passed the gate; None when nothing was read."""
        totals = self.totals
        return 1 - totals.quarantined / totals.read if totals.read else None


def render(report: NightReport) -> str:
    """The page as HTML text; every text on it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "share": _share,
        "status": lambda status: STATUS_TITLES.get(status, status),
        "clock": lambda when: _local(when).strftime("%H:%M:%S"),
        "moment": lambda when: _local(when).strftime("%Y-%m-%d %H:%M") if when else "—",
        "span": _span,
    }
    return environment.get_template("night.html.j2").render(r=report, t=report.totals)


def _share(share: float | None) -> str:
    """A percentage, rounded down: 100% is said only when nothing failed."""
    return "—" if share is None else f"{int(share * 10_000 + 1e-9) / 100:.2f}%"


def _local(when: datetime) -> datetime:
    return when.astimezone(ZONE) if when.tzinfo else when


def _span(limit: timedelta) -> str:
    hours = limit.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:g} 分钟"
    return f"{hours / 24:g} 天" if hours >= 48 else f"{hours:g} 小时"
