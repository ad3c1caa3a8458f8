"""What counts as misuse of single calls: `schemas/misuse.yaml` is the one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from schemas.models.asking import Quota
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import parse
from schemas.models.values import Duration, build

FILE = Path(__file__).parents[1] / "misuse.yaml"
KEPT = timedelta(days=1)
"""So long calls are kept in a form that rules can count: no rule looks further back."""
SHORTEST, LONGEST = timedelta(minutes=10), timedelta(days=30)
"""Of a suspension."""

RuleName = Literal["order", "misses", "person", "hours", "above"]
Number = Annotated[int, Field(ge=2, le=1_000_000)]


class MisuseRule(Frozen):
    """What all rules have.

    Attributes:
        title: in Chinese, for reports.
        title_en: the same in English.
        within: only calls of so long ago count.
        suspend: so long the operator is not answered.
    """

    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    within: Duration
    suspend: Duration

    @field_validator("within")
    @classmethod
    def _kept(cls, value: Duration) -> Duration:
        if not timedelta(0) < value.span <= KEPT:
            msg = "misuse.within: write a duration up to P1D: calls are kept no longer for this"
            raise ValueError(msg)
        return value

    @field_validator("suspend")
    @classmethod
    def _bounded(cls, value: Duration) -> Duration:
        if not SHORTEST <= value.span <= LONGEST:
            msg = "misuse.suspend: write a duration from PT10M to P30D"
            raise ValueError(msg)
        return value


class PersonsInOrder(MisuseRule):
    """So many persons of one division and one day of birth, by one operator."""

    persons: Number


class ManyMisses(MisuseRule):
    """So many calls that found nobody, if they are so many of a hundred of the operator's calls."""

    misses: Number
    percent: Annotated[int, Field(ge=1, le=100)]


class AskedByMany(MisuseRule):
    """One person, asked for by so many operators of one agency."""

    operators: Number


class OutsideHours(MisuseRule):
    """So many calls of one operator outside the office hours of the system."""

    calls: Number


class FarAbove(MisuseRule):
    """So many calls of one operator, and so many times what is usual at the system.

    Attributes:
        times: the median of the other operators' calls.
        others: how many there must be, for a median to mean anything.
    """

    calls: Number
    times: Annotated[int, Field(ge=2, le=1_000)]
    others: Number


class MisuseRules(Frozen):
    """All rules, by their names; each is needed."""

    order: PersonsInOrder
    misses: ManyMisses
    person: AskedByMany
    hours: OutsideHours
    above: FarAbove

    def by_name(self) -> Mapping[RuleName, MisuseRule]:
        """Each rule, in the order of the file."""
        return {
            "order": self.order,
            "misses": self.misses,
            "person": self.person,
            "hours": self.hours,
            "above": self.above,
        }


class DisclosureQuotas(Frozen):
    """How often the city's app may look at what became of residents' data.

    Attributes:
        caller: of one system.
        person: about one resident.
    """

    caller: Quota
    person: Quota


class Misuse(Frozen):
    """The whole file."""

    rules: MisuseRules
    disclosures: DisclosureQuotas


@Kept
def load(file: Path = FILE) -> Misuse:
    """Read the file.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(Misuse, document.data, document)


def check(file: Path) -> Iterator[Problem]:
    """All problems of the file; a folder without one uses the package's own."""
    if not file.exists():
        return
    try:
        document = parse(file)
        build(Misuse, document.data, document)
    except InvalidFile as error:
        yield from error.problems
