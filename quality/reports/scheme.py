"""The scheme of the reports: dimensions, weights, grades, KPIs; all from `scheme.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from onecard.base.frozen import Frozen
from schemas.models.contract import Contract
from schemas.models.strict_yaml import parse
from schemas.models.values import Version, build

FILE = Path(__file__).with_name("scheme.yaml")
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


class Kpi(Titled):
    """A key figure: numerator over denominator, and its target in percent."""

    formula: str
    formula_en: str
    target: float
    better: Literal["up", "down"]

    def met(self, share: float | None) -> bool | None:
        """Whether a share (0 to 1) reaches the target; None when it was not measured."""
        if share is None:
            return None
        percent = share * 100
        return percent >= self.target if self.better == "up" else percent <= self.target


class ScoringScheme(Frozen):
    """The whole scheme."""

    version: Version
    dimensions: dict[Dimension, Weighted]
    grades: tuple[ScoreGrade, ...]
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
        return self

    def grade(self, score: float) -> ScoreGrade:
        """The grade of a score out of 100."""
        return next(g for g in self.grades if score >= g.start)

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
