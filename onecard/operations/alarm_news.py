"""What an alarm says: new issues by their cause, and those that are over; no value of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

TITLES: dict[str, str] = {
    "late": "逾期",
    "volume": "数量异常",
    "held": "待人工处理",
    "failing": "传输失败",
    "unblocked": "旧卡未确认停用",
    "misuse": "疑似违规查询",
    "gap": "事件序号缺失",
    "slow": "到达超限",
    "lane": "实时通道中断",
    "overdue": "答复超期",
    "unapproved": "协议未批准",
    "expiring": "隔离数据将到期",
}


class Message(Protocol):
    """Something that can be told by mail or webhook."""

    @property
    def at(self) -> datetime:
        """When it was written."""

    @property
    def title(self) -> str:
        """One line for a subject."""

    @property
    def text(self) -> str:
        """All of it, for people."""

    @property
    def mark(self) -> str:
        """By which a receiver knows a message that came twice; empty: none is sent twice."""

    def body(self) -> dict[str, object]:
        """The same for a program, as JSON."""


@dataclass(frozen=True, slots=True)
class News:
    """What one channel has not been told yet.

    Attributes:
        told: causes of which the channel knows already.
    """

    at: datetime
    new: tuple[dict[str, str], ...]
    ended: tuple[dict[str, str], ...]
    told: frozenset[str] = frozenset()

    @property
    def mark(self) -> str:
        """None: what a channel was told is remembered, and is told no more."""
        return ""

    def body(self) -> dict[str, object]:
        """Title, text, new issues, their causes, and ended issues."""
        return {
            "title": self.title,
            "text": self.text,
            "at": self.at.isoformat(),
            "new": self.new,
            "causes": {
                cause: [i["subject"] for i in items] for cause, items in self.causes.items()
            },
            "ended": self.ended,
        }

    @property
    def causes(self) -> dict[str, list[dict[str, str]]]:
        """The new issues by their cause, in the order in which they came."""
        by: dict[str, list[dict[str, str]]] = {}
        for item in self.new:
            by.setdefault(item["cause"], []).append(item)
        return by

    @property
    def title(self) -> str:
        """One line for a subject."""
        new, causes, ended = len(self.new), len(self.causes), len(self.ended)
        chinese, english = f"新告警 {new}", f"{new} new"
        if causes < new:
            chinese, english = f"{chinese}（原因 {causes} 个）", f"{english} of {causes} causes"
        return f"[一卡通] {chinese}，已解除 {ended} ({english}, {ended} over)"

    @property
    def text(self) -> str:
        """All of it, for people."""
        lines = [self.title, f"{self.at:%Y-%m-%d %H:%M %z}", ""]
        lines += [f"== 新告警 New ({len(self.new)})"] if self.new else []
        for cause, items in self.causes.items():
            lines += self._cause(cause, items)
            lines += [line for item in items for line in _lines(item)]
        lines += [f"== 已解除 Over ({len(self.ended)})"] if self.ended else []
        lines += [line for item in self.ended for line in _lines(item)]
        return "\n".join(lines) + "\n"

    def _cause(self, cause: str, items: Sequence[dict[str, str]]) -> list[str]:
        """A line above issues that share a cause, or whose cause the channel knows already."""
        if cause in self.told:
            return [f"* 原因已告知 of a cause told before: {cause} ({len(items)})"]
        if len(items) > 1:
            return [f"* 同一原因 one cause: {cause} ({len(items)})"]
        return []


def _lines(item: Mapping[str, str]) -> list[str]:
    """One issue, for people; one that an earlier release told has no receivers."""
    lines = [f"- {TITLES[item['kind']]} {item['kind']}: {item['subject']}"]
    lines += [f"  {item[part]}" for part in ("says", "who", "todo") if item[part]]
    if item.get("receivers"):
        lines.append(f"  受影响 affects: {item['receivers']}")
    return lines
