"""Lines of the night's page: one transfer each, and all of one dataset or agreement together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar


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
    key: str = ""

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
        return passed(self.read, self.quarantined)


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
        return passed(self.checked, self.failed)


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
    key: str = ""

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
class WatchedLine:
    """Something that a person should look at though no transfer failed by it.

    Attributes:
        status: what it is, in a word.
        message: why, with its numbers.
        advice: the command that mends it, or says more.
        key: of its page in the portal (`incidents/3`); empty: it has none.
    """

    subject: str
    title: str
    status: str
    message: str
    advice: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class DatasetNight:
    """All collects of one dataset in the night, the newest last.

    Attributes:
        rules: that rows of any of them broke.
        findings: how each expectation went the last time that it was looked at.
    """

    lines: Sequence[DatasetLine]
    rules: Sequence[RuleLine]
    findings: Sequence[FindingLine]

    @property
    def newest(self) -> DatasetLine:
        """The collect that says how the dataset stands."""
        return self.lines[-1]

    @property
    def read(self) -> int:
        """Rows read by all."""
        return sum(line.read for line in self.lines)

    @property
    def published(self) -> int:
        """Rows published by all."""
        return sum(line.published for line in self.lines)

    @property
    def quarantined(self) -> int:
        """Rows rejected by all."""
        return sum(line.quarantined for line in self.lines)

    @property
    def pass_rate(self) -> float | None:
        """Share of all rows that passed the gate; None when nothing was sent."""
        return passed(self.read, self.quarantined)

    @property
    def complaints(self) -> list[str]:
        """What is not as it should be though nothing failed, in words."""
        unmet = any(not f.passed for f in self.findings)
        found = {"逾期": self.newest.late, "未报送": not self.read, "检查未通过": unmet}
        return [word for word, holds in found.items() if holds]

    @property
    def wrong(self) -> bool:
        """Whether its details matter on paper, too."""
        return self.newest.failed or bool(self.complaints)


@dataclass(frozen=True, slots=True)
class AgreementNight:
    """All deliveries under one agreement in the night, the newest last."""

    lines: Sequence[DeliveryLine]

    @property
    def newest(self) -> DeliveryLine:
        """The delivery that says how the agreement stands."""
        return self.lines[-1]

    @property
    def rows(self) -> int:
        """Rows that the consumer has confirmed."""
        return sum(line.rows for line in self.lines if not line.failed)

    @property
    def wrong(self) -> bool:
        """Whether its details matter on paper, too."""
        return self.newest.failed


class _OfSubject(Protocol):
    @property
    def subject(self) -> str: ...


Line = TypeVar("Line", bound=_OfSubject)


def by_subject(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines by what they are about, in the order of its ids; those of one keep their order."""
    found: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.subject):
        found.setdefault(line.subject, []).append(line)
    return found


def passed(of: int, failed: int) -> float | None:
    """Share of rows that did not fail; None when there was none.

    Args:
        of: how many there were.
        failed: how many of them failed.
    """
    return 1 - failed / of if of else None
