"""The scheme of the reports: dimensions, weights, grades, KPIs; all from `scheme.yaml`."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from onecard.base.frozen import Frozen
from schemas.models.contract import Contract
from schemas.models.strict_yaml import parse
from schemas.models.values import Version, build

FILE = Path(__file__).with_name("scheme.yaml")
ROUNDING = 1e-9
"""What a sum of shares may lack for its last binary digits."""
Language = Literal["zh", "en"]
Dimension = Literal[
    "conformity", "completeness", "accuracy", "consistency", "timeliness", "accessibility"
]


class Titled(Frozen):
    """Something with a name in both languages."""

    title: str
    title_en: str

    def name(self, language: Language) -> str:
        """The name in one language."""
        return self.title if language == "zh" else self.title_en


class Weighted(Titled):
    """A dimension of GB/T 36344-2018 and what it weighs in the score."""

    weight: int = Field(gt=0)


class ScoreGrade(Titled):
    """A grade, and the score from which it holds."""

    start: float = Field(alias="from", ge=0, le=100)


class Cap(Frozen):
    """More than `above` (a number, or percent) of something: at most the grade named."""

    above: float = Field(ge=0)
    at_most: str


class Caps(Frozen):
    """What keeps a grade down, whatever the score (`scheme.yaml` says how to read it)."""

    targets: tuple[Cap, ...]
    overdue: tuple[Cap, ...]
    weakest: int = Field(ge=0)


class Kpi(Titled):
    """A key figure: numerator over denominator, and its target in percent.

    Attributes:
        dimension: whose grade it caps when it is missed; None: only that of the whole.
        whole: it is the city's alone: no agency's or dataset's grade depends on it.
    """

    formula: str
    formula_en: str
    target: float
    better: Literal["up", "down"]
    dimension: Dimension | None = None
    whole: bool = False

    def met(self, share: float | None) -> bool | None:
        """Whether a share (0 to 1) reaches the target; None when it was not measured."""
        if share is None:
            return None
        percent = share * 100
        return percent >= self.target if self.better == "up" else percent <= self.target


class ScoringScheme(Frozen):
    """The whole scheme.

    Attributes:
        since: the first day of the first month that is judged by this version.
        chase_days: working days to put right what is overdue.
    """

    version: Version
    since: date
    dimensions: dict[Dimension, Weighted]
    grades: tuple[ScoreGrade, ...]
    caps: Caps
    chase_days: int = Field(ge=1, le=60)
    odcs: dict[str, Dimension]
    built_in: dict[Dimension, tuple[str, ...]]
    loss_within_seconds: int = Field(gt=0)
    loss_events: tuple[str, ...]
    kpis: dict[str, Kpi]

    @model_validator(mode="after")
    def _whole(self) -> ScoringScheme:
        if sum(d.weight for d in self.dimensions.values()) != 100:
            msg = "dimensions: the weights must add up to 100"
            raise ValueError(msg)
        starts = [g.start for g in self.grades]
        if starts != sorted(set(starts), reverse=True) or starts[-1] != 0:
            msg = "grades: `from` must fall, and the last must be 0"
            raise ValueError(msg)
        for caps in (self.caps.targets, self.caps.overdue):
            unknown = {c.at_most for c in caps} - {g.title_en for g in self.grades}
            steps = [(c.above, self._named(c.at_most)) for c in caps if not unknown]
            if unknown or any(a >= b or m >= n for (a, m), (b, n) in pairwise(steps)):
                msg = "caps: name grades by `title_en`; `above` must rise, and the grades fall"
                raise ValueError(msg)
        if self.since.day != 1:
            msg = "since: write the first day of a month"
            raise ValueError(msg)
        return self

    def _named(self, title_en: str) -> int:
        return [g.title_en for g in self.grades].index(title_en)

    def place(self, score: float) -> int:
        """The grade of a score out of 100, by its place in `grades` (0: the best)."""
        return next(n for n, g in enumerate(self.grades) if score + ROUNDING >= g.start)

    def capped(self, kind: Literal["targets", "overdue"], much: float) -> int:
        """The best grade that is left, by its place in `grades` (0: all are).

        Args:
            kind: which of `caps`.
            much: targets missed, or percent of problems that are overdue.
        """
        caps = self.caps.targets if kind == "targets" else self.caps.overdue
        return max((self._named(c.at_most) for c in caps if much > c.above), default=0)

    def dimension_of(self, contract: Contract, rule: str) -> Dimension:
        """The dimension to which a broken rule counts; one that nothing names: conformity."""
        own = {r.name: r.dimension for r in contract.rules}.get(rule)
        if own is not None:
            return self.odcs.get(own, own)  # type: ignore[arg-type]
        aspect = rule.rpartition(".")[2]
        for dimension, names in self.built_in.items():
            if rule in names or aspect in names:
                return dimension
        return "conformity"


@cache
def load(file: Path = FILE) -> ScoringScheme:
    """Read the scheme.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(ScoringScheme, document.data, document)
