"""A sharing agreement: what one consumer may have of one dataset, and on which basis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field as Attribute
from pydantic import StringConstraints, model_validator

from schemas.model import DatasetId, Duration, Frozen, Name, Version, build
from schemas.strict_yaml import Document, parse

AgreementId = Annotated[str, StringConstraints(pattern=r"^f\d{2}(-[a-z0-9_]+)+$")]
Path_ = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*\.)?[a-z][a-z0-9_]*$")]
"""A field of the agreement's dataset, or `<join alias>.<field>`."""

Treatment = Literal["as_is", "mask", "token", "year", "month", "day", "hour", "county", "yuan"]
Mode = Literal["event", "batch", "statistics", "query", "verify"]
SERVED: tuple[Mode, ...] = ("event", "batch", "statistics")


class Basis(Frozen):
    """Lawful basis: the item of PIPL article 13(1), and the statute that grants the power."""

    item: Literal["13-1-1", "13-1-2", "13-1-3", "13-1-7", "none"]
    statute: str = Attribute(min_length=2)
    article: str = Attribute(min_length=2)
    note: str = ""


class Join(Frozen):
    """Another dataset that fields or scope are taken from.

    Attributes:
        alias: how fields name it.
        match: field of the agreement's dataset (or of an earlier alias) → field of the joined one.
        on_change: `deliver` sends a row again when the joined row changed; `ignore` only when
            the joined row is new.
    """

    alias: Name
    dataset: DatasetId
    match: Mapping[Path_, Name] = Attribute(min_length=1)
    on_change: Literal["deliver", "ignore"] = "deliver"


class SharedField(Frozen):
    """One column that leaves: its name for the consumer, where it comes from, its treatment.

    `value` gives a constant instead of a source (a published code, never personal data).
    """

    name: Name
    from_: Path_ | None = Attribute(default=None, alias="from")
    value: str | None = None
    treatment: Treatment = "as_is"

    @model_validator(mode="after")
    def _one_origin(self) -> SharedField:
        if self.from_ is not None and self.value is not None:
            msg = "agreement.field_origin: give from or value, not both"
            raise ValueError(msg)
        return self

    @property
    def origin(self) -> str | None:
        """Path of the source field; None for a constant."""
        return None if self.value is not None else (self.from_ or self.name)


class Filter(Frozen):
    """One condition of the row scope; exactly one test. A NULL meets only `null: true`."""

    field: Path_
    in_: tuple[str, ...] | None = Attribute(default=None, alias="in")
    not_in: tuple[str, ...] | None = None
    null: bool | None = None
    min_age: int | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Filter:
        if sum(t is not None for t in (self.in_, self.not_in, self.null, self.min_age)) != 1:
            msg = "agreement.filter: give exactly one of in, not_in, null, min_age"
            raise ValueError(msg)
        return self


class Exists(Frozen):
    """A semi-join of the row scope: only residents whom the consumer serves.

    A row whose semi-join came to hold since the last delivery is due as well: when the matched
    row is new (`ignore`), or whenever it changed (`deliver`).
    """

    dataset: DatasetId
    match: Mapping[Path_, Name] = Attribute(min_length=1)
    where: tuple[Filter, ...] = ()
    on_change: Literal["deliver", "ignore"] = "ignore"


class Scope(Frozen):
    """Which rows may leave: all `filters` and all `exists` must hold. Empty means all rows."""

    title: str
    filters: tuple[Filter, ...] = ()
    exists: tuple[Exists, ...] = ()


class Statistics(Frozen):
    """How rows become counts: fields other than `count` are the groups.

    Attributes:
        count: name of the shared field that holds the count.
        distinct: count distinct values of this field, else rows.
        minimum: groups smaller than this do not leave (PR-12).
    """

    count: Name
    distinct: Path_ | None = None
    minimum: int = Attribute(ge=3)


class Delivery(Frozen):
    """How the consumer receives: connector, connection and the connector's own options."""

    connector: str
    connection: Name
    options: Mapping[str, Any] = Attribute(default_factory=dict)


class Validity(Frozen):
    """First and last day on which the agreement is in force."""

    first: date = Attribute(alias="from")
    last: date = Attribute(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Validity:
        if self.last < self.first:
            msg = "agreement.validity: `to` lies before `from`"
            raise ValueError(msg)
        return self


class Agreement(Frozen):
    """What one consumer may have of one dataset."""

    id: AgreementId
    version: Version
    title: str
    dataset: DatasetId
    consumer: Name
    purpose: Annotated[str, StringConstraints(pattern=r"^A7-\d{2}$")]
    mode: Mode
    state: Literal["draft", "in_force", "suspended", "not_served"]
    basis: Basis
    fields: tuple[SharedField, ...] = Attribute(min_length=1)
    key: tuple[Name, ...] = Attribute(min_length=1)
    joins: tuple[Join, ...] = ()
    scope: Scope
    order: tuple[Path_, ...] = ()
    statistics: Statistics | None = None
    validity: Validity
    retention: Duration
    freshness: str
    delivery: Delivery | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that may leave, in order."""
        return tuple(f.name for f in self.fields)

    @property
    def served(self) -> bool:
        """Whether this agreement is delivered (query and verify flows are only declared)."""
        return self.mode in SERVED and self.state == "in_force"

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that a delivery reads."""
        others = [j.dataset for j in self.joins] + [e.dataset for e in self.scope.exists]
        return tuple(dict.fromkeys([self.dataset, *others]))

    def in_force(self, today: date) -> bool:
        """Whether rows may leave on that day."""
        return self.served and self.validity.first <= today <= self.validity.last

    @model_validator(mode="after")
    def _consistent(self) -> Agreement:
        for complaint in _complaints(self):
            raise ValueError(complaint)
        return self


def _complaints(agreement: Agreement) -> list[str]:
    names = agreement.names
    found = [
        f"agreement.duplicate_field: field {n!r} stands twice" for n in names if names.count(n) > 1
    ]
    found += [
        f"agreement.key: key {n!r} is no shared field; known: {', '.join(names)}"
        for n in agreement.key
        if n not in names
    ]
    if (agreement.mode == "statistics") != (agreement.statistics is not None):
        found.append("agreement.statistics: mode statistics and a statistics block go together")
    if agreement.statistics and agreement.statistics.count not in names:
        found.append(f"agreement.statistics: count must be one of: {', '.join(names)}")
    if agreement.mode in ("query", "verify") and agreement.state == "in_force":
        found.append("agreement.not_served: query and verify flows are declared as not_served")
    if agreement.served and agreement.delivery is None:
        found.append("agreement.delivery: an agreement in force needs a delivery block")
    if agreement.mode != "statistics" and agreement.basis.item == "none":
        found.append(
            "agreement.basis: personal data needs an item of PIPL article 13(1); "
            "valid choices: 13-1-1, 13-1-2, 13-1-3, 13-1-7"
        )
    if "249" in agreement.basis.statute:
        found.append(
            "agreement.basis: order 249 is a municipal rule and cannot be the lawful "
            "basis (PIPL article 34); name a statute"
        )
    aliases = [j.alias for j in agreement.joins]
    used = [f.origin for f in agreement.fields if f.origin] + [
        x.field for x in agreement.scope.filters
    ]
    found += [
        f"agreement.unknown_alias: {path!r} names no join; known: {', '.join(aliases) or 'none'}"
        for path in used
        if "." in path and path.split(".")[0] not in aliases
    ]
    return found


@dataclass(frozen=True, slots=True)
class AgreementFile:
    """An agreement with the document it came from, for messages about it."""

    agreement: Agreement
    document: Document


def load(file: Path, text: str | None = None) -> AgreementFile:
    """Read one agreement.

    Raises:
        InvalidFile: every problem found, with file, line, field, rule and valid choices.
    """
    document = parse(file, text)
    return AgreementFile(build(Agreement, document.data, document), document)
