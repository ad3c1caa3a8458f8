"""What a contract can demand of a whole dataset, alone or beside another.

A tagged union like that of the row rules. `quality.datasets.sql_audit` evaluates each kind by SQL
and `quality.datasets.gx_audit` by Great Expectations; both must find the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from onecard.base.frozen import Frozen
from schemas.models.condition import Condition, Scalar
from schemas.models.values import DatasetId, Duration, Name


class Volume(Frozen):
    """Rows read, against the median of the last readings: outside the ratio is a finding."""

    check: Literal["volume"]
    min_ratio: float = Field(default=0.5, ge=0, le=1)
    max_ratio: float = Field(default=3.0, ge=1)


class Shrinkage(Frozen):
    """The source has neither become empty of a sudden nor lost half of what it usually gives.

    Every contract has it as a critical one, made by `schemas.models.odcs`, unless it names its own,
    which needs a reason. Observed is the share of the usual number of rows that a whole reading
    gave. A reading behind a watermark must give at least the row that set it: one that gives
    nothing, where the last one gave something, is observed as 0; its size says nothing else.

    Attributes:
        above: the share must be larger than this.
        reason: why the contract asks for less than the default does.
    """

    check: Literal["shrinkage"]
    above: float = Field(default=0.5, ge=0, lt=1)
    reason: str = Field(default="", max_length=200)


class RejectedShare(Frozen):
    """The row gate has not rejected most of what was read.

    Every contract has it as a critical one, made by `schemas.models.odcs`, unless it names its own,
    which needs a reason where it asks for less. Observed is the share of the rows that the gate
    rejected, among the rows that do not stand in quarantine already: what is known there says
    nothing new about the source. With fewer such rows than `at_least` it says nothing.

    Attributes:
        max_share: the largest share that passes.
        at_least: so many rows must have been read.
        reason: why the contract asks for less than the default does.
    """

    check: Literal["rejected_share"]
    max_share: float = Field(default=0.5, ge=0, le=1)
    at_least: int = Field(default=20, ge=1)
    reason: str = Field(default="", max_length=200)


class Completeness(Frozen):
    """Share of staged rows in which `field` is not NULL is at least `min`."""

    check: Literal["completeness"]
    field: Name
    min: float = Field(ge=0, le=1)


class Distribution(Frozen):
    """No code's share moves by more than `max_shift` (of 1) against what is published.

    Of a large table it is compared with a sample (`quality.datasets.sql_audit.MOST_BLOCKS`).
    """

    check: Literal["distribution"]
    field: Name
    max_shift: float = Field(default=0.2, gt=0, le=1)


class Matches(Frozen):
    """Rows with a partner in another dataset agree with one of their partners.

    A row without a partner, or with NULL in a compared field, says nothing. Observed is the share
    of the rows with partners that agree with none.

    Attributes:
        dataset: whose published rows are the partners.
        by: own field → the partner's, by which partners are found.
        same: own field → the partner's, that must be equal.
        max_share: the largest share that passes.
    """

    check: Literal["matches"]
    dataset: DatasetId
    by: Mapping[Name, Name] = Field(min_length=1)
    same: Mapping[Name, Name] = Field(min_length=1)
    max_share: float = Field(default=0.0, ge=0, le=1)


class NoneIn(Frozen):
    """No row that meets `where` has a partner in another dataset that meets `there`.

    Observed is the share of the rows that meet `where` and have such a partner.
    """

    check: Literal["none_in"]
    dataset: DatasetId
    by: Mapping[Name, Name] = Field(min_length=1)
    where: tuple[Condition, ...] = ()
    there: tuple[Condition, ...] = ()
    max_share: float = Field(default=0.0, ge=0, le=1)


class AtMostOne(Frozen):
    """At most one row that meets `where` for each value of `per`, staged and published together.

    Observed is the share, of the values that staged rows have, of those that have more than one:
    what no staged row touches was judged when it was staged.
    """

    check: Literal["at_most_one"]
    per: tuple[Name, ...] = Field(min_length=1)
    where: tuple[Condition, ...] = ()
    max_share: float = Field(default=0.0, ge=0, le=1)


class Paired(Frozen):
    """Every `first` (an entry) has its `second` (an exit) for the same `per`, among staged rows.

    Observed is the share of the firsts beyond the number of seconds.
    """

    check: Literal["paired"]
    field: Name
    first: Scalar
    second: Scalar
    per: tuple[Name, ...] = Field(min_length=1)
    max_share: float = Field(default=0.1, ge=0, le=1)


class Freshness(Frozen):
    """The newest `field` of the staged rows is no older than `limit`, by the hub's clock.

    Every contract with an update time has it, made from its freshness. Observed is the age over
    the limit; without staged rows (nothing has changed) it says nothing.
    """

    check: Literal["freshness"]
    field: Name
    limit: Duration


Invariant = Matches | NoneIn | AtMostOne | Paired
DatasetCheck = Annotated[
    Volume
    | Shrinkage
    | RejectedShare
    | Completeness
    | Distribution
    | Matches
    | NoneIn
    | AtMostOne
    | Paired
    | Freshness,
    Field(discriminator="check"),
]
DATASET_KINDS = frozenset(
    {
        *("volume", "shrinkage", "rejected_share", "completeness", "distribution"),
        *("matches", "none_in", "at_most_one", "paired", "freshness"),
    }
)
"""Values of `check` that are an expectation of the dataset, not a rule of a row."""


class Expectation(Frozen):
    """A named dataset-level expectation; `critical` blocks publishing, `warning` is reported."""

    name: Name
    title: str
    severity: Literal["critical", "warning"] = "critical"
    dimension: str
    check: DatasetCheck
