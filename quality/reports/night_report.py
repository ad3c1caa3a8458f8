"""The night's page: one self-contained HTML file in Chinese, no script, no external request.

What needs a person stands first, with the command that mends it; then a line for each dataset and
agreement, whose details are folded. In the portal (`PORTAL`) links take the place of marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape

from onecard.base.times import ZONE
from quality.reports.holding import HeldLine
from quality.reports.night_lines import (
    AgreementNight,
    DatasetLine,
    DatasetNight,
    DeliveryLine,
    FindingLine,
    RuleLine,
    WatchedLine,
    by_subject,
    passed,
)
from quality.reports.words import visible

TEMPLATES = Path(__file__).parent / "templates"
FIRST = 10
"""So many lines of what needs a person are open; the others are folded behind them."""
PORTAL = "<!-- portal:{} -->"
"""Where the portal puts a link to a page of the engineer's desk; at `PORTAL_BAR` to its parts."""
PORTAL_BAR = PORTAL.format("bar")

STATUS_TITLES = {
    "published": "已发布",
    "confirmed": "已确认",
    "failed": "失败",
    "held": "待人工处理",
    "running": "进行中",
    "staged": "已暂存",
    "audited": "已审核",
}

AttentionLine = DatasetLine | DeliveryLine | HeldLine | WatchedLine


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
        datasets: the night's collects, those of one dataset in their order.
        deliveries: the night's deliveries, likewise.
        alerts: incidents and limits of time that were broken.
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
    alerts: Sequence[WatchedLine] = field(default=())
    onboarding: Sequence[DatasetLine | DeliveryLine | HeldLine] = field(default=())

    @property
    def collects(self) -> list[DatasetNight]:
        """The collects by dataset."""
        judged = self.judged
        return [
            DatasetNight(
                lines,
                [rule for rule in self.rules if rule.dataset == dataset],
                [finding for finding in judged if finding.dataset == dataset],
            )
            for dataset, lines in by_subject(self.datasets).items()
        ]

    @property
    def served(self) -> list[AgreementNight]:
        """The deliveries by agreement."""
        return [AgreementNight(lines) for lines in by_subject(self.deliveries).values()]

    @property
    def judged(self) -> list[FindingLine]:
        """How each expectation went when it was last looked at."""
        return list({(f.dataset, f.name): f for f in self.findings}.values())

    @property
    def attention(self) -> list[AttentionLine]:
        """What waits for a person, then what failed and was not mended since."""
        newest: list[DatasetLine | DeliveryLine] = [night.newest for night in self.collects]
        newest += [night.newest for night in self.served]
        held = {line.subject for line in self.held}
        waits = ("held", "audited")
        failed = (x for x in newest if x.failed and not (x.status in waits and x.subject in held))
        return [*self.held, *failed]

    @property
    def watched(self) -> list[AttentionLine]:
        """What a person should look at though nothing failed: alerts, then one line a dataset."""
        known = {line.subject for line in self.attention}
        found = {night.newest.id: night for night in self.collects}
        of_none = {f.dataset for f in self.failed_findings} - found.keys()
        late = [_watched(n) for d, n in found.items() if n.complaints and d not in known]
        return [*self.alerts, *late, *(_unmet(d, d, self.failed_findings) for d in sorted(of_none))]

    @property
    def pressing(self) -> list[AttentionLine]:
        """All that needs a person, the most urgent first."""
        return [*self.attention, *self.watched]

    @property
    def silent(self) -> list[DatasetNight]:
        """Sources that sent nothing (未报送)."""
        return [night for night in self.collects if not night.read]

    @property
    def late(self) -> list[DatasetNight]:
        """Datasets whose newest row is older than its limit."""
        return [night for night in self.collects if night.newest.late]

    @property
    def delivered(self) -> list[AgreementNight]:
        """Agreements whose newest delivery the receiver confirmed."""
        return [night for night in self.served if not night.newest.failed]

    @property
    def failed_findings(self) -> list[FindingLine]:
        """Dataset-level checks that did not pass."""
        return [finding for finding in self.judged if not finding.passed]

    @property
    def totals(self) -> Totals:
        """The night's sums."""
        lines = self.datasets
        return Totals(
            read=sum(line.read for line in lines),
            published=sum(line.published for line in lines),
            unchanged=sum(line.unchanged for line in lines),
            quarantined=sum(line.quarantined for line in lines),
            sent=sum(night.rows for night in self.served),
        )

    @property
    def pass_rate(self) -> float | None:
        """Share of all rows read that passed the gate; None when nothing was read."""
        return passed(self.totals.read, self.totals.quarantined)


def _watched(night: DatasetNight) -> WatchedLine:
    """A dataset that is late, silent or did not meet an expectation."""
    line, unmet = night.newest, [f.title for f in night.findings if not f.passed]
    parts = [f"检查未通过：{'、'.join(unmet)}"] if unmet else []
    if line.late:
        parts.insert(0, f"最新数据 {_moment(line.freshness)}，时限 {_span(line.freshness_limit)}")
    if not night.read:
        parts.insert(0, "没有读到行")
    advice = _asking(line.id)
    if line.late or not night.read:
        advice = f"onecard collect {line.id}；仍无新数据则 onecard drift {line.id}"
    return WatchedLine(line.id, line.title, "、".join(night.complaints), "；".join(parts), advice)


def _unmet(dataset: str, title: str, findings: Sequence[FindingLine]) -> WatchedLine:
    """Expectations of a dataset that were not met where no collect of it is on the page."""
    unmet = "、".join(f.title for f in findings if f.dataset == dataset)
    return WatchedLine(dataset, title, "检查未通过", unmet, _asking(dataset))


def _asking(dataset: str) -> str:
    agency = dataset.partition("/")[0]
    return f"向部门核实；历史走势见 onecard report --agency {agency}"


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
        "moment": _moment,
        "span": _span,
        "portal": lambda key: PORTAL.format(escape(key)) if key else "",
    }
    template = environment.get_template("night.html.j2")
    return template.render(r=report, t=report.totals, first=FIRST, bar=PORTAL_BAR)


def _share(share: float | None) -> str:
    """A percentage, rounded down: 100% is said only when nothing failed."""
    return "—" if share is None else f"{int(share * 10_000 + 1e-9) / 100:.2f}%"


def _moment(when: datetime | None) -> str:
    return _local(when).strftime("%Y-%m-%d %H:%M") if when else "—"


def _local(when: datetime) -> datetime:
    return when.astimezone(ZONE) if when.tzinfo else when


def _span(limit: timedelta) -> str:
    hours = limit.total_seconds() / 3600
    if hours < 1:
        return f"{60 * hours:g} 分钟"
    return f"{hours / 24:g} 天" if hours >= 48 else f"{hours:g} 小时"
